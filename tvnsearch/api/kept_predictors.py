"""The latency predictors that a run began with, kept in its folder: it decides alike whenever it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from predictors.predictor import LatencyPredictor
from tvnsearch.errors import UserError


def own_path(folder: Path) -> Path:
    """The predictor of the device that the run measures on."""
    return folder / "measured.json"


def other_path(folder: Path, name: str) -> Path:
    """That of another device, by the name that the budget gives it."""
    return folder / f"predicted-{quote(name, safe='')}.json"


def kept_or(path: Path | None, level: float, stored: Callable[[], LatencyPredictor]) -> LatencyPredictor:
    """The predictor at ``path``, or what ``stored`` gives where a run has kept none.

    Raises:
        UserError: the one that is kept is damaged, or another release wrote it.
    """
    if path is None or not path.exists():
        return stored()
    try:
        return LatencyPredictor.load(path, level)
    except UserError:
        raise UserError(
            f"expected the latency predictor that the run began with, but {path} is damaged, or another "
            "release wrote it; go on with the tvnsearch that wrote it, or delete the file to go on with what "
            "the latency database says now"
        ) from None


def keep(folder: Path, own: LatencyPredictor, others: Mapping[str, LatencyPredictor]) -> None:
    """Write the predictors that are not in ``folder`` yet, each whole or not at all.

    Raises:
        UserError: one cannot be written.
    """
    paths = {own_path(folder): own} | {other_path(folder, name): one for name, one in others.items()}
    for path, predictor in paths.items():
        if not path.exists():
            predictor.save(path)
