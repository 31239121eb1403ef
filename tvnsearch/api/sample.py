"""Genomes drawn from a search space."""

from __future__ import annotations

import random
from pathlib import Path

from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing
from tvnsearch.genome.genome import Genome, genome_to_json
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, trace
from tvnsearch.seeds import require_seed

MOST_DRAWS_FOR_ONE = 10_000


class SampledGenome(Struct, frozen=True):
    """A genome that was drawn, its counts, and its file, None where none was written."""

    genome: Genome
    params: int
    macs: int
    file: str | None


def sample(
    count: int = 10,
    *,
    space: str | Path = "paper",
    seed: int = 0,
    max_params: int | None = None,
    classes: int = MOMENTS_IN_TIME_CLASSES,
    out: str | Path | None = None,
) -> list[SampledGenome]:
    """Draw ``count`` genomes from ``space``, decided by the ``seed``; write them to the folder ``out``.

    Raises:
        UserError: there is no such space, the seed is no good, hardly a genome in the space has no more than
            ``max_params``, or they cannot be written.
    """
    require_seed(seed)
    search_space, rng = load_space(str(space)), random.Random(seed)
    drawn = []
    for index in range(count):
        for _ in range(MOST_DRAWS_FOR_ONE):
            genome = sample_genome(search_space, rng)
            network = trace(genome, classes)
            if max_params is None or network.params <= max_params:
                break
        else:
            raise UserError(
                f"expected genomes of at most {max_params} parameters in the space '{space}', but none of "
                f"{MOST_DRAWS_FOR_ONE} was that small; raise --max-params or narrow the space"
            )
        path = None if out is None else Path(out) / f"genome-{seed}-{index:04d}.json"
        if path is not None:
            with writing(path, "or give another --out"):
                write_whole(path, genome_to_json(genome).encode())
        drawn.append(SampledGenome(genome, network.params, network.macs, None if path is None else str(path)))
    return drawn
