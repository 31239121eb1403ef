"""A trained network for a deployment runtime."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tvnsearch.api.exported import ExportedLatency, time_exported
from tvnsearch.api.trained_model import ModelCard, export_winner, load_model
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.errors import UserError
from tvnsearch.files import check_place, writing
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.run_folder import journal_path
from tvnsearch.search.settings import DeviceSettings

SUFFIX = ".onnx"


class ExportedModel(Struct, frozen=True):
    """The file, and how far its outputs are from torch's at most, relative to the largest of them.

    ``exported`` is what it takes in the format's runtime, None where that could not be timed.
    """

    path: str
    max_relative_error: float
    exported: ExportedLatency | None


def export_model(
    model: str | Path, out: str | Path, *, file_format: str = "onnx", watch: Watch = SILENT
) -> ExportedModel:
    """Export the network trained in the folder ``model``, or a run's winner, checked in the format's runtime.

    It is timed there with the threads and the clips that its search measured with, also where it was picked
    from a run, and held to the budget that it was handed over for; a training's with one, and to none.

    Raises:
        UserError: there is no such model or format, it cannot be exported, or ``out`` is no name for such a
            file, or not be written.
    """
    if file_format != "onnx":
        raise UserError(f"expected --format onnx, got '{file_format}'")
    path = Path(out)
    with writing(path):
        check_place(path)
    if path.suffix.lower() != SUFFIX:
        raise UserError(
            f"expected a file name that ends in {SUFFIX}, as ONNX is the format that can be written, but got "
            f"{path}; say --out {path.with_suffix(SUFFIX)}"
        )
    trained = load_model(model)
    relative_error = export_winner(trained, path)
    device, max_ms = _searched_for(Path(model), trained.card)
    return ExportedModel(str(out), relative_error, time_exported(path, device, max_ms, watch))


def _searched_for(model: Path, card: ModelCard) -> tuple[DeviceSettings, float | None]:
    """The device and the budget of a run, or of what was picked from one; else one thread and none."""
    if journal_path(model).is_file():
        with suppress(UserError), Journal.read(model) as journal:
            return journal.plan.device, journal.plan.budget.max_ms
    return card.device or DeviceSettings(), card.max_ms
