"""Networks to start from and to compare with: the paper's, its variants, and what one would otherwise pick.

The paper's release does not reproduce the paper's tables (of all its counts only TVN-M-2's agree), so what a
genome counts and what others print are kept apart and neither is fitted to the other.
"""

from __future__ import annotations

from functools import cache, partial
from importlib import resources

import msgspec

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, genome_from_json
from tvnsearch.genome.zoo.entry import PaperFigures, PublishedCounts, ZooEntry
from tvnsearch.genome.zoo.peers import PEERS
from tvnsearch.genome.zoo.variants import VARIANTS

RELEASED = ("tvn-1", "tvn-2", "tvn-3", "tvn-4", "tvn-m-1", "tvn-m-2")

ONE_FRAME = (
    "The paper's network on a single frame (figure 5) was not released. This is another one, found by our "
    "own search under 32 ms on one core, in the paper's space narrowed to one frame of 32 or 64 pixels: 18 "
    "networks trained on moving digits labelled by the digit alone; 80.4 % of ten digits right on 240 clips "
    "that it never saw."
)


@cache
def zoo() -> dict[str, ZooEntry]:
    """Every network of the zoo by its name: released, variants, searched, peers."""
    figures = msgspec.json.decode(_file("paper.json"), type=dict[str, PaperFigures])
    return {
        **{
            name: ZooEntry(
                "released", "As the paper's authors released it.", partial(_read, name), figures[name]
            )
            for name in RELEASED
        },
        **{
            name: ZooEntry("variant", about, partial(_varied, name), figures[name])
            for name, (about, _) in VARIANTS.items()
        },
        "one-frame": ZooEntry("searched", ONE_FRAME, partial(_read, "one-frame"), figures["one-frame"]),
        **{
            name: ZooEntry("peer", f"{peer.paper}. {peer.note}".strip(), peer.build, figures.get(name), peer)
            for name, peer in PEERS.items()
        },
    }


def load_zoo(name: str) -> Genome:
    """The genome of a zoo network.

    Raises:
        UserError: there is no network of that name.
    """
    if name not in zoo():
        raise UserError(f"expected a zoo network ({', '.join(zoo())}), got '{name}'")
    return zoo()[name].build()


def _read(name: str) -> Genome:
    return genome_from_json(_file(f"{name}.json"), name)


def _varied(name: str) -> Genome:
    _, change = VARIANTS[name]
    return change(_read("tvn-1"))


def _file(name: str) -> bytes:
    return resources.files(__name__).joinpath(name).read_bytes()


__all__ = ["PaperFigures", "PublishedCounts", "ZooEntry", "load_zoo", "zoo"]
