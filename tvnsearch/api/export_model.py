"""A trained network for a deployment runtime."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from tvnsearch.api.trained_model import export_winner, load_model
from tvnsearch.errors import UserError


class ExportedModel(Struct, frozen=True):
    """The file, and how far its outputs are from torch's at most, relative to the largest of them."""

    path: str
    max_relative_error: float


def export_model(model: str | Path, out: str | Path, *, file_format: str = "onnx") -> ExportedModel:
    """Export the network trained in the folder ``model``, or a run's winner, checked in the format's runtime.

    Raises:
        UserError: there is no such model or format, or it cannot be exported.
    """
    if file_format != "onnx":
        raise UserError(f"expected --format onnx, got '{file_format}'")
    return ExportedModel(str(out), export_winner(load_model(model), Path(out)))
