"""The replayed table: every network of a small space, trained once, with its whole learning curve.

README.md beside this file says how it was made and what its columns are. :func:`load_table` reads it.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tvnsearch.genome import Genome
from tvnsearch.genome.genome import Block, square_input
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.genome.space import SearchSpace, load_space
from tvnsearch.genome.trace import trace

HERE = Path(__file__).parent
TABLE = HERE / "table.csv.gz"

DIGITS = 3
CLASSES = 4 * DIGITS

MAX_MACS = 1_950_000
"""The budget of the table: it holds every network of the space with at most so many."""

ITERATIONS = 240
POINTS = tuple(range(24, ITERATIONS + 1, 24))
"""The iterations after which each network was scored on the validation clips."""


class Row(Struct, frozen=True):
    """One training: of which network, from which seed, and what came of it.

    ``fitness`` is top-1 + top-5 on the validation clips after each of :data:`POINTS`, ``loss`` the mean
    training loss since the point before. ``latency_ms`` and ``seconds`` are of one thread of the machine that
    the table was made on.
    """

    genome_id: str
    frames: int
    layers: str
    seed: int
    params: int
    macs: int
    latency_ms: float
    seconds: float
    top1: float
    top5: float
    fitness: tuple[float, ...]
    loss: tuple[float, ...]

    @property
    def genome(self) -> Genome:
        """The network that was trained."""
        return Genome(square_input(32, self.frames, 2), (Block(tuple(map(_layer, self.layers.split()))),))


COLUMNS = (
    ["genome_id", "frames", "layers", "seed", "params", "macs", "latency_ms", "seconds", "top1", "top5"]
    + [f"fitness_{point}" for point in POINTS]
    + [f"loss_{point}" for point in POINTS]
)


def table_space() -> SearchSpace:
    """The search space that the table holds every network of."""
    return load_space(str(HERE / "space.toml"))


def all_genomes() -> Iterator[tuple[str, Genome]]:
    """Each network of the space within the budget once, its layers in words (``s24k5 t8k3``)."""
    space, known = table_space(), set[str]()
    frames = range(space.frames.min, space.frames.max + 1, space.frames.step)
    filters = range(space.filters.min, space.filters.max + 1, space.filters.step)
    kernels = range(space.kernel.min, space.kernel.max + 1, space.kernel.step)
    words = [f"{kind}{width}k{kernel}" for kind, width, kernel in itertools.product("st", filters, kernels)]
    for frame_count, count in itertools.product(frames, range(space.layers.min, space.layers.max + 1)):
        for layers in itertools.product(words, repeat=count):
            block = Block(tuple(map(_layer, layers)))
            genome = Genome(square_input(space.resolution.min, frame_count, space.frame_stride.min), (block,))
            identity = genome_id(genome)
            if identity not in known and trace(genome, CLASSES).macs <= MAX_MACS:
                known.add(identity)
                yield " ".join(layers), genome


def load_table(path: Path = TABLE) -> dict[str, list[Row]]:
    """The trainings of each network by its identity, the one from seed 0 first."""
    table: dict[str, list[Row]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            row = Row(
                line["genome_id"],
                int(line["frames"]),
                line["layers"],
                int(line["seed"]),
                int(line["params"]),
                int(line["macs"]),
                float(line["latency_ms"]),
                float(line["seconds"]),
                float(line["top1"]),
                float(line["top5"]),
                tuple(float(line[f"fitness_{point}"]) for point in POINTS),
                tuple(float(line[f"loss_{point}"]) for point in POINTS),
            )
            table.setdefault(row.genome_id, []).append(row)
    return table


def seed_noise_sd(table: dict[str, list[Row]]) -> float:
    """The standard deviation of a network's fitness over training seeds, from those trained twice."""
    gaps = [rows[0].fitness[-1] - rows[1].fitness[-1] for rows in table.values() if len(rows) == 2]
    return math.sqrt(sum(gap**2 for gap in gaps) / (2 * max(1, len(gaps))))


def _layer(word: str) -> SpatialConv | TemporalConv:
    filters, kernel = map(int, word[1:].split("k"))
    kind = SpatialConv if word[0] == "s" else TemporalConv
    return kind(filters, kernel, 2, "relu")
