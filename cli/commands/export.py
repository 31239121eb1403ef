"""`tvnsearch export`: a found network for a deployment runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import JsonOption, ModelArgument
from cli.choices import NetworkFormat


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    file_format: Annotated[NetworkFormat, typer.Option("--format", help="The format of the file.")] = "onnx",
    as_json: JsonOption = False,
) -> None:
    """Export a trained network for a deployment runtime.

    Also a run's winner. What is written is checked against torch in the runtime that it is for.
    """
    from cli.output import print_json, say
    from tvnsearch.api.trained_model import export_winner, load_model
    from tvnsearch.errors import UserError

    if file_format != "onnx":
        raise UserError(f"expected --format onnx, got '{file_format}'")
    error = export_winner(load_model(model), out)
    if as_json:
        print_json({"path": str(out), "max_relative_error": error})
        return
    say(f"{out} written; ONNX Runtime agrees with torch within {error:.1e} of the largest logit")
