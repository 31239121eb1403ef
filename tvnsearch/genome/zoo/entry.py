"""What the zoo knows of a network: how to write its genome, and what others print about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, trace
from tvnsearch.genome.zoo.peers.peer import Peer

Kind = Literal["released", "variant", "searched", "peer"]


class PaperFigures(Struct, frozen=True, forbid_unknown_fields=True):
    """What the paper of the tiny video networks prints (tables 1 to 9, section A), or None.

    ``max_params`` is the limit of the search that found the network; ``cpu_ms`` and ``gpu_ms`` are on a
    2.9 GHz Xeon and a V100; ``top1_percent`` is on Moments in Time, the others say what they are on. ``note``
    says where what the paper ran is not quite the zoo's network.
    """

    params: int | None = None
    max_params: int | None = None
    gflops: float | None = None
    cpu_ms: float | None = None
    gpu_ms: float | None = None
    top1_percent: float | None = None
    hmdb_top1_percent: float | None = None
    charades_map_percent: float | None = None
    mlb_map_percent: float | None = None
    note: str | None = None


class PublishedCounts(Struct, frozen=True):
    """Counts that others print for a network with ``classes`` outputs, and how far ours lie from them.

    GFLOPs are two for each multiply-add; differences are ours less theirs, in % of theirs.
    """

    classes: int
    params: int | None
    gflops: float | None
    params_difference_percent: float | None
    gflops_difference_percent: float | None


class ZooEntry(Struct, frozen=True):
    """A network of the zoo. ``about`` says where it comes from, in a sentence or two."""

    kind: Kind
    about: str
    build: Callable[[], Genome]
    paper: PaperFigures | None = None
    peer: Peer | None = None

    @property
    def classes(self) -> int:
        """The outputs of the published network."""
        return MOMENTS_IN_TIME_CLASSES if self.peer is None else self.peer.classes

    def published(self) -> PublishedCounts | None:
        """What others print of this very network; None where they print no count."""
        if self.peer is not None:
            return self._compared(self.peer.published_params, 2 * self.peer.published_gmacs)
        if self.kind == "searched":
            return None
        if self.paper is not None and (self.paper.params or self.paper.gflops):
            return self._compared(self.paper.params, self.paper.gflops)
        return None

    def _compared(self, params: int | None, gflops: float | None) -> PublishedCounts:
        ours = trace(self.build(), self.classes)
        return PublishedCounts(
            classes=self.classes,
            params=params,
            gflops=gflops,
            params_difference_percent=_difference_percent(ours.params, params),
            gflops_difference_percent=_difference_percent(2 * ours.macs / 1e9, gflops),
        )


def _difference_percent(ours: float, theirs: float | None) -> float | None:
    return None if theirs is None else 100 * (ours / theirs - 1)
