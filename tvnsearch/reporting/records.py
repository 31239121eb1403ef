"""What the page of a run shows, as data: the same for people and programs."""

from __future__ import annotations

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.search.outcome.picks import PickFrom


class Promise(Struct, frozen=True):
    """Whether the winner keeps the budget, and by which measurement.

    ``is_kept`` is True where the measurement can be trusted with that: also one that else is not to be
    trusted, if it is far below. ``reason`` says why it is not, and is empty where it is.
    ``exported`` is the sentence on the file that was handed over, empty where it was not timed.
    """

    number: int
    genome_id: str
    max_ms: float
    latency_ms: float
    ci_low_ms: float | None
    ci_high_ms: float | None
    is_kept: bool
    reason: str
    measured_on: str
    exported: str


class Score(Struct, frozen=True):
    """A score of the winner as text, and on which clips."""

    name: str
    value: str
    clips: str


class LayerRow(Struct, frozen=True):
    """A layer call of the winner. ``latency_ms`` is its share of the exported file's; None where unknown."""

    place: str
    layer: str
    out: str
    params: int
    macs: int
    latency_ms: float | None


class WinnerPart(Struct, frozen=True):
    """The winner: genome, picture as SVG, scores, and its layers with what each takes in ``timed_in``."""

    genome: Genome
    words: list[str]
    svg: str
    params: int
    macs: int
    scores: list[Score]
    layers: list[LayerRow]
    timed_in: str


class TrainedPoint(Struct, frozen=True):
    """An individual, as `pick` knows it; its ``genome`` is kept for those that are looked at most.

    ``is_foretold`` says that its training is paused: its fitness is what that foretold. ``on_front`` means
    that none is fitter and as fast.
    """

    number: int
    parent: int | None
    genome_id: str
    fitness: float
    latency_ms: float
    ci_low_ms: float | None
    ci_high_ms: float | None
    trusted: bool
    params: int
    macs: int
    is_foretold: bool
    on_front: bool
    genome: Genome | None


class FitnessAt(Struct, frozen=True):
    """A training that ended, or was paused, ``hours`` after the run began; the ``best`` is of ended ones."""

    hours: float
    number: int
    fitness: float
    is_foretold: bool
    best: float | None


class Course(Struct, frozen=True):
    """The fitness of a run over its time."""

    name: str
    strategy: str
    fitness: list[FitnessAt]


class Prediction(Struct, frozen=True):
    """A measured candidate, and what was predicted of it before."""

    number: int
    predicted_ms: float
    lower_ms: float
    upper_ms: float
    measured_ms: float


class Predictions(Struct, frozen=True):
    """How predictions met measurements: the median relative error and the share within the bounds.

    Both are over all that was measured; ``level`` is the share that the bounds were asked to hold.
    """

    level: float
    median_error: float
    within_bounds: float
    met: list[Prediction]


class Fate(Struct, frozen=True):
    """How many genomes met an end, and which one."""

    what: str
    count: int


class Ancestor(Struct, frozen=True):
    """An individual from which the winner descends, or the winner; ``changed`` are its blocks that are new.

    ``gain`` is how much fitter it is than its parent, None for the first.
    """

    number: int
    genome_id: str
    fitness: float
    gain: float | None
    latency_ms: float
    params: int
    changed: list[str]


class Setting(Struct, frozen=True):
    """One setting or version as text."""

    group: str
    name: str
    value: str


class RunPage(Struct, frozen=True):
    """All that the page of a run shows. ``fitness_name`` says what fitness is; ``hours`` is the run's time.

    ``picks`` are the answers of `pick` to every budget on the latency.
    """

    run: str
    written: str
    hours: float
    max_ms: float
    limits: list[str]
    fitness_name: str
    promise: Promise | None
    winner: WinnerPart | None
    trained: list[TrainedPoint]
    picks: list[PickFrom]
    course: Course
    control: Course | None
    predictions: Predictions | None
    fates: list[Fate]
    lineage: list[Ancestor]
    settings: list[Setting]
    classes: list[str]
