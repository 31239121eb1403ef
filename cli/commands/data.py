"""`tvnsearch data`: make clips to try everything on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import JsonOption, SeedOption

app = typer.Typer(help="Video clips.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Video clips."""


@app.command("generate")
def generate_clips(
    out: Annotated[Path, typer.Option("--out", help="The folder to write the clips to.")],
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Longer clips with several events each.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Write moving digits: handwritten digits that move over textures, as real H.264 mp4 files."""
    from cli.output import ProgressBar, print_json, say
    from tvnsearch.data.catalog import open_dataset
    from tvnsearch.data.moving_digits import generate

    with ProgressBar("encode clips") as bar:
        generate(
            out,
            multi_label=multi_label,
            seed=seed,
            on_progress=lambda done, total: bar.update(done / total, f"{done} of {total} mp4 files"),
        )
    dataset = open_dataset(out)
    clips = {split: len(getattr(dataset, split)) for split in ("train", "validation", "test")}
    if as_json:
        print_json({"classes": len(dataset.classes), "clips": clips, "broken": 0})
        return
    say(
        f"{out}: {len(dataset.classes)} classes, {clips['train']} clips to train on, {clips['validation']} "
        f"to select on, {clips['test']} that no search sees"
    )
