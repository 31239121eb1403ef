"""`tvnsearch export`: a found network for a deployment runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tvnsearch
from cli.arguments import JsonOption, ModelArgument


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    file_format: Annotated[str, typer.Option("--format", help="onnx.")] = "onnx",
    as_json: JsonOption = False,
) -> None:
    """Export a trained network or a run's winner, checked against torch in the runtime that it is for."""
    from cli.output import print_json, say

    exported = tvnsearch.export_model(model, out, file_format=file_format)
    if as_json:
        print_json(exported)
        return
    say(
        f"{exported.path} written; ONNX Runtime agrees with torch within {exported.max_relative_error:.1e} "
        "of the largest logit"
    )
