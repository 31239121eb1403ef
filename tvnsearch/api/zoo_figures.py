"""The networks of the zoo in numbers: what their genomes count, and what others print about them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.membership import presets_around
from tvnsearch.genome.trace import trace
from tvnsearch.genome.zoo import PaperFigures, PublishedCounts, load_zoo, zoo
from tvnsearch.genome.zoo.entry import Kind


class ZooFigures(Struct, frozen=True):
    """A network of the zoo with a head of ``classes`` outputs.

    ``spaces`` are the presets of search spaces that it lies in. ``paper`` is what the paper of the tiny video
    networks prints, ``published`` whatever is printed of this very network; None where nothing is.
    """

    name: str
    kind: Kind
    about: str
    frames: int
    height: int
    width: int
    input: str
    classes: int
    params: int
    macs: int
    gmacs: float
    gflops: float
    spaces: list[str]
    paper: PaperFigures | None
    published: PublishedCounts | None

    @property
    def genome(self) -> Genome:
        """The network itself."""
        return load_zoo(self.name)

    @property
    def source(self) -> str | None:
        """Where a peer's own figures were published; None of other networks."""
        peer = zoo()[self.name].peer
        return None if peer is None else peer.source


def zoo_figures(names: Sequence[str] | None = None, *, classes: int | None = None) -> list[ZooFigures]:
    """The figures of zoo networks, of all without ``names``; with as many ``classes`` as published without.

    Raises:
        UserError: there is no network of such a name.
    """
    return [_figures(name, load_zoo(name), classes) for name in (zoo() if names is None else names)]


def _figures(name: str, genome: Genome, classes: int | None) -> ZooFigures:
    entry = zoo()[name]
    classes = entry.classes if classes is None else classes
    network = trace(genome, classes)
    return ZooFigures(
        name=name,
        kind=entry.kind,
        about=entry.about,
        frames=genome.input.frames,
        height=genome.input.height,
        width=genome.input.width,
        input=f"{genome.input.frames}x{genome.input.size}",
        classes=classes,
        params=network.params,
        macs=network.macs,
        gmacs=network.macs / 1e9,
        gflops=2 * network.macs / 1e9,
        spaces=presets_around(genome),
        paper=entry.paper,
        published=entry.published(),
    )
