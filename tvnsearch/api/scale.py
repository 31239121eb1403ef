"""A network made larger or smaller."""

from __future__ import annotations

from pathlib import Path

from tvnsearch.api.files import write_text
from tvnsearch.api.genomes import GenomeLike, resolve_genome
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, genome_to_json
from tvnsearch.genome.scaling import compound_scaled, scaled


def scale(
    genome: GenomeLike,
    *,
    frames: int | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    resolution: float = 1.0,
    compound: float | None = None,
    out: str | Path | None = None,
) -> Genome:
    """``genome`` with so many ``frames``; filters, repeats and pixels a side multiplied; written to ``out``.

    ``compound`` multiplies these three by EfficientNet's rule: 1 about doubles the multiply-adds.

    Raises:
        UserError: there is no such genome, both ways were asked for, the result is beyond what a genome can
            hold, or ``out`` cannot be written.
    """
    original = resolve_genome(genome)
    if compound is not None and (width, depth, resolution) != (1.0, 1.0, 1.0):
        raise UserError("expected --compound alone or --width, --depth and --resolution, got both")
    grown = scaled(original, frames, width, depth, resolution)
    if compound is not None:
        grown = compound_scaled(grown, compound)
    if out is not None:
        write_text(out, genome_to_json(grown))
    return grown
