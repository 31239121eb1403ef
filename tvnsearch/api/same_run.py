"""Whether a run that is gone on with is the one that it was: its settings, its device, its clips."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tvnsearch.api.interruption import how_to_go_on
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.errors import UserError
from tvnsearch.genome.space import load_space
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.run_folder import journal_path
from tvnsearch.search.settings import OPTIONS, Settings

if TYPE_CHECKING:
    from tvnsearch.api.device_latency import DeviceLatency
    from tvnsearch.data.dataset import Dataset

AMENDED_BY_RESUME = ("minutes", "trainings", "data", "db")
PLACES = ("data", "db", "space")


def was_begun(folder: Path, settings: Settings) -> bool:
    """Whether there is a run in ``folder``, begun as ``settings`` ask; who trains may differ.

    Raises:
        UserError: it was begun with other settings, which are named, or its file of a search space has
            changed since.
    """
    if not journal_path(folder).is_file():
        return False
    with Journal.read(folder) as journal:
        plan = journal.plan
    _refuse_other_settings(folder, plan, settings)
    if load_space(settings.search.space) != plan.space:
        raise UserError(
            f"expected the search space that the run {folder} was begun with, but {settings.search.space} "
            f"says another one by now; go on with it by {how_to_go_on(folder)}, or give another --run"
        )
    return True


def require_clips(folder: Path, data: str | None) -> None:
    """Make sure that the clips of a run are where they were.

    Raises:
        UserError: they are not.
    """
    try:
        if data is not None:
            parse_address(data)
    except UserError as error:
        raise UserError(
            f"expected the clips of the run {folder} at {data}, but cannot read them there ({error}); say "
            "where they are now by --data"
        ) from None


def check_unchanged(folder: Path, plan: SearchPlan, latency: DeviceLatency, dataset: Dataset) -> None:
    """Refuse a device on which other latencies hold, and clips with which scores mean something else.

    Raises:
        UserError: the device or the classes are not those of the run; the sentence says what of the device is
            another, where the run has kept the predictor of the one that it began on.
    """
    if latency.digest != plan.device_digest:
        told = ", ".join(latency.differences) or f"this is {latency.digest}"
        raise UserError(
            f"expected the device {plan.device_digest} that the run {folder} was begun on, but {told}; go on "
            "where all of that is as it was, or begin a new run"
        )
    if dataset.classes != plan.class_names:
        raise UserError(
            f"expected the {plan.classes} classes that the run {folder} was begun with, but "
            f"{_other_classes(dataset, plan.class_names)}; restore the clips, say where they are by --data, "
            "or begin a new run"
        )


def _refuse_other_settings(folder: Path, plan: SearchPlan, settings: Settings) -> None:
    """Refuse settings that are not those of the plan, and name them; clips may be where they are now."""
    told, others = list[str](), dict[str, object]()
    for option, (group, name) in OPTIONS.items():
        begun, given = (getattr(getattr(asked, group), name) for asked in (plan.asked, settings))
        moved = getattr(getattr(plan, group), name) if option in ("data", "db") else begun
        if group != "workforce" and not any(_is_same(option, given, known) for known in (begun, moved)):
            told.append(f"{option} was {_written(begun)} and is {_written(given)}")
            others[option] = given
    if not told:
        return
    amending = "".join(f" --{option} {_written(given)}" for option, given in others.items())
    if others.keys() <= set(AMENDED_BY_RESUME) and None not in others.values():
        what_to_do = f"change that by `tvnsearch resume {shlex.quote(str(folder))}{amending}`"
    else:
        what_to_do = f"go on with it as it is by {how_to_go_on(folder)}"
    raise UserError(
        f"expected the settings that the run {folder} was begun with, but {', '.join(told)}; {what_to_do}, "
        "or give another --run"
    )


def _is_same(option: str, one: object, other: object) -> bool:
    """Whether two values of a setting are equal, or two ways to say one place, past links and ``..``."""
    if option in PLACES and isinstance(one, str) and isinstance(other, str):
        return os.path.realpath(one) == os.path.realpath(other)
    return one == other


def _written(value: object) -> str:
    return (
        "none" if value is None else shlex.quote(f"{value:.12g}" if isinstance(value, float) else f"{value}")
    )


def _other_classes(dataset: Dataset, known: tuple[str, ...]) -> str:
    """What is different of the classes of a data set."""
    if len(dataset.classes) != len(known):
        return f"{dataset.address} has {len(dataset.classes)}"
    found, former = next(pair for pair in zip(dataset.classes, known, strict=True) if pair[0] != pair[1])
    return f"{dataset.address} has {found!r} where {former!r} was"
