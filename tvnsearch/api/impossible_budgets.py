"""Budgets that no network can keep, refused before anything is opened: no clip, no process, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from glob import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tvnsearch.devices.processor import processor_model
from tvnsearch.errors import UserError
from tvnsearch.search.candidates.feasibility import check_reachable_on_paper
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.settings import DeviceSettings

if TYPE_CHECKING:
    from predictors.predictor import LatencyPredictor


def refuse_impossible_budget(plan: SearchPlan, db: Path) -> None:
    """Refuse a budget that no network of the space keeps, by counts and by what ``db`` knows of the device.

    Raises:
        UserError: the sentence names the smallest that was found, and what binds.
    """
    refuse_impossible_counts(plan)
    _refuse_impossible_latency(plan, db)


def refuse_impossible_counts(plan: SearchPlan) -> None:
    """Refuse limits on what is counted that no network of the space keeps.

    Raises:
        UserError: the sentence names the smallest that was found, and what binds.
    """
    check_reachable_on_paper(plan)


def _refuse_impossible_latency(plan: SearchPlan, db: Path) -> None:
    """Refuse a latency that no network keeps by the predictors that are kept beside ``db`` for this device.

    Only a process that measures knows for sure which one is the device's: of several all have to agree. None
    decides for a device that is somewhere else.

    Raises:
        UserError: the sentence names the fastest that was found, and what binds.
    """
    refusal: UserError | None = None
    for predictor in _kept_predictors(plan.device, db):
        try:
            check_reachable_on_paper(
                plan,
                partial(predictor.estimate_over, max_ms=plan.budget.max_ms, classes=plan.classes),
            )
        except UserError as impossible:
            refusal = impossible
        else:
            return
    if refusal is not None:
        raise refusal


def _kept_predictors(device: DeviceSettings, db: Path) -> Iterator[LatencyPredictor]:
    """Those of devices named as ``device`` and run alike, which learnt from all that ``db`` holds now."""
    from latency_db.store import LatencyStore
    from predictors.predictor import LatencyPredictor
    from predictors.record import predictor_path, rows_digest

    if not device.is_here or not any(db.parent.glob(predictor_path(Path(escape(db.name)), "*").name)):
        return
    with LatencyStore(db) as store:
        for stored in store.devices():
            path = predictor_path(db, stored.digest)
            if not (stored.genomes and path.is_file() and _is_like(stored.fingerprint, device)):
                continue
            try:
                predictor = LatencyPredictor.load(path, device.level)
            except UserError:  # it is trained anew once the device is open
                continue
            if predictor.record.rows_digest == rows_digest(store.undisturbed(stored.digest)):
                yield predictor


def _is_like(fingerprint: Mapping[str, str], device: DeviceSettings) -> bool:
    """Whether a stored device is this one, by what can be known of this one without asking torch."""
    known = {
        "device": device.processor,
        "threads": str(device.threads),
        "backend": device.backend,
        "precision": device.precision,
        "batch": str(device.batch),
        "torch": version("torch"),
    }
    processor = processor_model() if device.processor == "cpu" else None
    return all(fingerprint.get(name) == value for name, value in known.items()) and (
        processor is None or fingerprint.get("processor", "").startswith(processor)
    )
