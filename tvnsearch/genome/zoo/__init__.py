"""The six released networks of the paper as genomes, with the paper's own figures beside them.

The release does not reproduce the paper's tables (of all its figures only TVN-M-2's agree), so what a genome
counts and what the paper prints are kept apart and neither is fitted to the other.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, genome_from_json


class PaperFigures(Struct, frozen=True, forbid_unknown_fields=True):
    """What the paper prints for a network (tables 1 and 5, section A.2); None where it prints nothing.

    ``gflops`` is as printed; ``cpu_ms`` and ``gpu_ms`` are on a 2.9 GHz Xeon and a V100.
    """

    params: str | None
    gflops: float | None
    cpu_ms: float | None
    gpu_ms: float | None


@cache
def zoo() -> dict[str, PaperFigures]:
    """The names of all networks in the zoo, each with the paper's figures."""
    text = resources.files(__name__).joinpath("paper.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, PaperFigures])


def load_zoo(name: str) -> Genome:
    """The genome of a zoo network.

    Raises:
        UserError: there is no network of that name.
    """
    if name not in zoo():
        raise UserError(f"expected a zoo network ({', '.join(zoo())}), got '{name}'")
    return genome_from_json(resources.files(__name__).joinpath(f"{name}.json").read_bytes(), name)
