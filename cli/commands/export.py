"""`tvnsearch export`: a found network for a deployment runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tvnsearch
from cli.arguments import JsonOption, ModelArgument
from cli.choices import ClipLayout, NetworkFormat, ScoreKind
from tvnsearch.errors import UserError

if TYPE_CHECKING:
    from tvnsearch.api.export_model import Batch

GRAPH = "Input and output"


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE|FOLDER", help="Where to write it.")],
    file_format: Annotated[
        NetworkFormat, typer.Option("--format", help="The format of the file, and so its runtime.")
    ] = "onnx",
    streaming: Annotated[
        bool,
        typer.Option("--streaming", help="A network that takes a few frames and its state instead of clips."),
    ] = False,
    step_frames: Annotated[
        int | None,
        typer.Option(
            "--step-frames",
            metavar="N",
            help="Frames that a streaming network takes a run; by default fewest.",
        ),
    ] = None,
    layout: Annotated[
        ClipLayout,
        typer.Option(
            "--layout",
            help="The order of a clip's axes: channels last, as videos are decoded, or first.",
            rich_help_panel=GRAPH,
        ),
    ] = "NTHWC",
    batch: Annotated[
        str,
        typer.Option("--batch", metavar="N|any", help="Clips that a pass takes.", rich_help_panel=GRAPH),
    ] = "1",
    uint8: Annotated[
        bool,
        typer.Option(
            "--uint8",
            help="Take pixels as decoded, 0 to 255, and normalise them in the file.",
            rich_help_panel=GRAPH,
        ),
    ] = False,
    output: Annotated[
        ScoreKind,
        typer.Option(
            "--output",
            help="What it gives: logits, or probabilities of one label a clip (softmax) or of several "
            "(sigmoid).",
            rich_help_panel=GRAPH,
        ),
    ] = "logits",
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Multiply bytes, in ranges found on the run's training clips; what that costs is told.",
            rich_help_panel=GRAPH,
        ),
    ] = False,
    opset: Annotated[
        int | None,
        typer.Option(
            "--opset", metavar="N", help="ONNX's operator set; 17 by default.", rich_help_panel=GRAPH
        ),
    ] = None,
    ir_version: Annotated[
        int | None,
        typer.Option(
            "--ir-version", metavar="N", help="ONNX's file version; 8 by default.", rich_help_panel=GRAPH
        ),
    ] = None,
    verify_on: Annotated[
        str | None,
        typer.Option(
            "--verify-on",
            metavar="DATA",
            help="Clips on which the file is compared with torch; by default the validation clips that a run "
            "keeps.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export a trained network for a deployment runtime.

    Also a run's winner. What is written is checked against torch in the runtime that it is for, and timed.
    With --streaming it is a network for cameras: see docs/streaming.md.
    """
    from cli.output import print_json, say, watching
    from tvnsearch.api.export_streaming import streamed_lines
    from tvnsearch.api.exported import exported_line
    from tvnsearch.api.verification import agreement_line

    if streaming:
        streamed = tvnsearch.export_streaming(model, out, step_frames=step_frames)
        if as_json:
            print_json(streamed)
        else:
            for line in streamed_lines(streamed):
                say(line)
        return
    if step_frames is not None:
        raise UserError(f"expected --streaming with --step-frames {step_frames}; add it, or leave both out")
    with watching() as watch:
        exported = tvnsearch.export_model(
            model,
            out,
            file_format=file_format,
            layout=layout,
            batch=_batch(batch),
            uint8=uint8,
            output=output,
            int8=int8,
            opset=opset,
            ir_version=ir_version,
            verify_on=verify_on,
            watch=watch,
        )
    if as_json:
        print_json(exported)
        return
    say(
        f"{exported.path} written; {exported.runtime} agrees with torch within "
        f"{exported.max_relative_error:.1e} of the largest score"
    )
    if exported.on_clips is not None:
        say(agreement_line(exported.on_clips))
    if exported.exported is not None:
        say(exported_line(out.name, exported.exported))


def _batch(text: str) -> Batch:
    if text == "any":
        return "any"
    if not text.isdecimal():
        raise UserError(f"expected --batch to be a number of clips or any, got '{text}'")
    return int(text)
