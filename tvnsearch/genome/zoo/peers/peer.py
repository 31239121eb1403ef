"""What is known about a network of somebody else's paper."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from tvnsearch.genome.genome import Genome


class Peer(Struct, frozen=True):
    """A peer's network as a genome, and its published counts, both at the genome's own input.

    ``published_params`` is of the network with ``classes`` outputs; ``published_gmacs`` is in 10^9
    multiply-adds of one clip. Both have as many digits as ``source`` gives. The tolerances are how far our
    counts may lie from them, as a share; ``note`` says what differs and why.
    """

    build: Callable[[], Genome]
    paper: str
    classes: int
    published_params: int
    published_gmacs: float
    source: str
    gmacs_tolerance: float
    params_tolerance: float = 0.01
    note: str = ""
