"""A trained network for a deployment runtime."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal, cast, get_args

from msgspec import Struct

from tvnsearch.api.exported import ExportedLatency, time_exported
from tvnsearch.api.trained_model import ModelCard, export_winner, load_model
from tvnsearch.api.verification import ClipAgreement, calibration_clips, verified
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.errors import UserError
from tvnsearch.export.formats import FORMATS, Format
from tvnsearch.export.options import IR_VERSION, OPSET, GraphOptions, Layout, Output
from tvnsearch.files import check_place, writing
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.run_folder import journal_path
from tvnsearch.search.settings import DeviceSettings

Batch = int | Literal["any"]


class ExportedModel(Struct, frozen=True):
    """The file, and how far its outputs are from torch's at most, relative to the largest of them.

    ``exported`` is what it takes in the format's runtime, None where that could not be timed; ``on_clips``
    how it compares with torch on real clips, None where none are known.
    """

    path: str
    file_format: str
    runtime: str
    max_relative_error: float
    exported: ExportedLatency | None
    on_clips: ClipAgreement | None


def export_model(
    model: str | Path,
    out: str | Path,
    *,
    file_format: str = "onnx",
    layout: Layout = "NTHWC",
    batch: Batch = 1,
    uint8: bool = False,
    output: Output = "logits",
    int8: bool = False,
    opset: int | None = None,
    ir_version: int | None = None,
    verify_on: str | Path | None = None,
    watch: Watch = SILENT,
) -> ExportedModel:
    """Export the network trained in the folder ``model``, or a run's winner, checked in the format's runtime.

    The file takes ``batch`` clips a pass, or "any" number, in the order of axes ``layout``, and gives an
    ``output``. With ``uint8`` it takes pixels as decoded, 0 to 255, and normalises them by itself; without,
    float32 that is normalised already. With ``int8`` it multiplies bytes, in ranges that are found on the
    training clips of the run. ``opset`` and ``ir_version`` are those of ONNX.

    It is compared with torch on noise, and on real clips, 256 at most: those of the data set ``verify_on``,
    or the validation clips that a run or a training keeps. It is timed there with the threads and the clips
    that its search measured with, also where it was picked from a run, and held to the budget that it was
    handed over for; a training's with one, and to none.

    Raises:
        UserError: there is no such model, format or option, it cannot be exported, or ``out`` is no name for
            such a file, or not be written.
    """
    known = _format(file_format)
    path = Path(out)
    with writing(path):
        check_place(path)
    suffix = known.suffixes[0]
    if not known.folder and path.suffix.lower() != suffix:
        raise UserError(
            f"expected a file name that ends in {suffix}, as --format {known.name} writes such a file, but "
            f"got {path}; say --out {path.with_suffix(suffix)}"
        )
    found = load_model(model)
    options = _options(known, found.card, layout, batch, uint8, output, int8, opset, ir_version)
    calibration = calibration_clips(found, Path(model), options, watch) if int8 else []
    relative_error = export_winner(found, path, known, options, calibration)
    data = None if verify_on is None else str(verify_on)
    on_clips = verified(found, Path(model), path, options, data, watch)
    device, max_ms = _searched_for(Path(model), found.card)
    timed = time_exported(path, device, max_ms, watch, options)
    return ExportedModel(str(out), known.name, known.runtime, relative_error, timed, on_clips)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise UserError(f"expected --format to be one of {', '.join(FORMATS)}, got '{name}'")
    return FORMATS[name]


def _options(
    file_format: Format,
    card: ModelCard,
    layout: str,
    batch: Batch,
    uint8: bool,
    output: str,
    int8: bool,
    opset: int | None,
    ir_version: int | None,
) -> GraphOptions:
    """What was asked for, if the format can do it.

    Raises:
        UserError: it cannot.
    """
    for option, value, choices in (("layout", layout, Layout), ("output", output, Output)):
        if value not in get_args(choices):
            raise UserError(f"expected --{option} to be one of {', '.join(get_args(choices))}, got '{value}'")
    for option, revision in (("opset", opset), ("ir-version", ir_version)):
        if revision is not None and file_format.name != "onnx":
            raise UserError(
                f"expected --{option} with --format onnx alone, whose revision it is, but the format is "
                f"{file_format.name}; leave it out"
            )
    if int8 and not file_format.quantises:
        able = ", ".join(each.name for each in FORMATS.values() if each.quantises)
        raise UserError(
            f"expected --int8 with --format {able}, but the format is {file_format.name}; leave it out"
        )
    if file_format.folder and (layout, batch, uint8, output) != ("NTHWC", 1, False, "logits"):
        raise UserError(
            f"expected no --layout, --batch, --uint8 or --output with --format {file_format.name}, whose "
            "source is there to be changed: it takes pixels as decoded and gives logits; leave them out"
        )
    if file_format.folder:
        uint8, batch = True, "any"
    options = GraphOptions(
        layout=cast(Layout, layout),
        batch=None if batch == "any" else batch,
        normalisation=((card.pixel_mean,) * 3, (card.pixel_std,) * 3) if uint8 else None,
        output=cast(Output, output),
        precision="int8" if int8 else "float32",
        opset=OPSET if opset is None else opset,
        ir_version=IR_VERSION if ir_version is None else ir_version,
    )
    options.require_known()
    return options


def _searched_for(model: Path, card: ModelCard) -> tuple[DeviceSettings, float | None]:
    """The device and the budget of a run, or of what was picked from one; else one thread and none."""
    if journal_path(model).is_file():
        with suppress(UserError), Journal.read(model) as journal:
            return journal.plan.device, journal.plan.budget.max_ms
    return card.device or DeviceSettings(), card.max_ms
