"""`tvnsearch scale`: a network made larger or smaller."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import tvnsearch
from cli.arguments import GenomeArgument, JsonOption, TrainedClassesOption


def scale(
    genome: GenomeArgument,
    frames: Annotated[
        int | None, typer.Option("--frames", metavar="N", min=1, help="Frames of the input.")
    ] = None,
    width: Annotated[
        float, typer.Option("--width", metavar="FACTOR", help="Factor on the filters of layers.")
    ] = 1.0,
    depth: Annotated[
        float, typer.Option("--depth", metavar="FACTOR", help="Factor on the repeats of blocks, in all.")
    ] = 1.0,
    resolution: Annotated[
        float, typer.Option("--resolution", metavar="FACTOR", help="Factor on the pixels of a side.")
    ] = 1.0,
    compound: Annotated[
        float | None,
        typer.Option(
            "--compound",
            metavar="N",
            help="Width, depth and resolution together, by EfficientNet's rule: 1 about doubles the MACs.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The genome file to write; by default it is printed."
        ),
    ] = None,
    classes: TrainedClassesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a network larger or smaller.

    Along one axis, several, or by a compound rule.
    """
    from cli.output import count, say
    from tvnsearch.api.genomes import classes_of, resolve_genome
    from tvnsearch.genome.genome import genome_to_json
    from tvnsearch.genome.trace import trace

    original = resolve_genome(genome)
    grown = tvnsearch.scale(
        original,
        frames=frames,
        width=width,
        depth=depth,
        resolution=resolution,
        compound=compound,
        out=out,
    )
    if as_json or out is None:
        sys.stdout.write(genome_to_json(grown))
    outputs = classes_of(genome, classes)
    for label, network in ((genome, original), ("scaled", grown)):
        counted = trace(network, outputs)
        spec = network.input
        say(
            f"{label}: {spec.frames} x {spec.width}x{spec.height}, "
            f"{count(counted.params)} parameters, "
            f"{counted.macs / 1e9:.3f} GMACs, {2 * counted.macs / 1e9:.3f} GFLOPs"
        )
