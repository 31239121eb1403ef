"""`tvnsearch export`: a found network for a deployment runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tvnsearch
from cli.arguments import JsonOption, ModelArgument
from cli.choices import NetworkFormat
from tvnsearch.errors import UserError


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    file_format: Annotated[NetworkFormat, typer.Option("--format", help="The format of the file.")] = "onnx",
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
    as_json: JsonOption = False,
) -> None:
    """Export a trained network for a deployment runtime.

    Also a run's winner. What is written is checked against torch in the runtime that it is for, and timed.
    With --streaming it is a network for cameras: see docs/streaming.md.
    """
    from cli.output import print_json, say, watching
    from tvnsearch.api.export_streaming import streamed_lines
    from tvnsearch.api.exported import exported_line

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
        exported = tvnsearch.export_model(model, out, file_format=file_format, watch=watch)
    if as_json:
        print_json(exported)
        return
    say(
        f"{exported.path} written; ONNX Runtime agrees with torch within {exported.max_relative_error:.1e} "
        "of the largest logit"
    )
    if exported.exported is not None:
        say(exported_line(out.name, exported.exported))
