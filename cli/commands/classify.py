"""`tvnsearch classify`: what a found network sees in a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import JsonOption, ModelArgument


def classify(
    model: ModelArgument,
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Video files.")],
    as_json: JsonOption = False,
) -> None:
    """Label videos with a trained network or a run's winner."""
    from cli.handover import classify_video, load_model
    from cli.output import print_json, print_table

    trained = load_model(model)
    results = [classify_video(trained, video) for video in videos]
    if as_json:
        print_json(results)
        return
    for result in results:
        print_table(
            f"{result.video} ({result.milliseconds:.0f} ms for decoding and network)",
            ["label", "probability"],
            [[label.label, f"{label.probability:.3f}"] for label in result.labels],
        )
