"""`tvnsearch export`: a found network for a deployment runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tvnsearch
from cli.arguments import JsonOption, ModelArgument
from cli.choices import NetworkFormat


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    file_format: Annotated[NetworkFormat, typer.Option("--format", help="The format of the file.")] = "onnx",
    as_json: JsonOption = False,
) -> None:
    """Export a trained network for a deployment runtime.

    Also a run's winner. What is written is checked against torch in the runtime that it is for, and timed.
    """
    from cli.output import print_json, say, watching
    from tvnsearch.api.exported import exported_line

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
