"""`tvnsearch sample`: draw genomes from a search space."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from cli.arguments import (
    MAX_PARAMS,
    ClassesOption,
    JsonOption,
    OutFolderOption,
    SeedOption,
    SpaceOption,
    parse_count,
)
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

MOST_DRAWS_FOR_ONE = 10_000


class Sampled(Struct, frozen=True):
    """A genome that was drawn, and its file."""

    file: str
    params: int
    macs: int


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
    import random

    from cli.output import count, print_json, print_table
    from tvnsearch.errors import UserError
    from tvnsearch.genome.genome import genome_to_json
    from tvnsearch.genome.sampling import sample_genome
    from tvnsearch.genome.space import load_space
    from tvnsearch.genome.trace import trace

    limit = parse_count(max_params, "--max-params")
    search_space = load_space(space)
    rng = random.Random(seed)
    rows = []
    out.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        for _ in range(MOST_DRAWS_FOR_ONE):
            genome = sample_genome(search_space, rng)
            network = trace(genome, classes)
            if limit is None or network.params <= limit:
                break
        else:
            raise UserError(
                f"expected genomes of at most {limit} parameters in the space '{space}', but none of "
                f"{MOST_DRAWS_FOR_ONE} was that small; raise --max-params or narrow the space"
            )
        path = out / f"genome-{seed}-{index:04d}.json"
        path.write_text(genome_to_json(genome))
        rows.append(Sampled(str(path), network.params, network.macs))
    if as_json:
        print_json(rows)
        return
    print_table(
        f"{number} genomes of the space '{space}'",
        ["file", "parameters", "GFLOPs"],
        [[row.file, count(row.params), f"{2 * row.macs / 1e9:.3f}"] for row in rows],
    )
