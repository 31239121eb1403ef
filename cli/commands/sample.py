"""`tvnsearch sample`: draw genomes from a search space."""

from __future__ import annotations

from typing import Annotated

import typer

import tvnsearch
from cli.arguments import (
    MAX_PARAMS,
    ClassesOption,
    JsonOption,
    OutFolderOption,
    SeedOption,
    SpaceOption,
)
from cli.choices import MOMENTS_IN_TIME_CLASSES
from cli.numbers import parse_count


def sample(
    out: OutFolderOption,
    number: Annotated[
        int, typer.Option("--count", "-n", metavar="N", min=1, help="How many genomes to draw.")
    ] = 10,
    seed: SeedOption = 0,
    space: SpaceOption = "paper",
    max_params: Annotated[str | None, MAX_PARAMS] = None,
    classes: ClassesOption = MOMENTS_IN_TIME_CLASSES,
    as_json: JsonOption = False,
) -> None:
    """Draw genomes from a search space and write them as JSON files."""
    from cli.output import count, print_json, print_table

    drawn = tvnsearch.sample(
        number,
        space=space,
        seed=seed,
        max_params=parse_count(max_params, "--max-params"),
        classes=classes,
        out=out,
    )
    if as_json:
        print_json([{"file": one.file, "params": one.params, "macs": one.macs} for one in drawn])
        return
    print_table(
        f"{number} genomes of the space '{space}'",
        ["file", "parameters", "GFLOPs"],
        [[one.file, count(one.params), f"{2 * one.macs / 1e9:.3f}"] for one in drawn],
    )
