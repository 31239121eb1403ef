"""What happens in a search: its journal holds these events in order, and all else follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from tvnsearch.devices.measurement import Measurement
from tvnsearch.search.protocols import Fitness
from tvnsearch.search.records import Candidate, Rejected


class Opened(Struct, frozen=True, tag="opened"):
    """A process takes the run up with ``workers``; what trained before was cut off."""

    workers: int
    elapsed_seconds: float


class Amended(Struct, frozen=True, tag="amended", omit_defaults=True):
    """The plan is another from now on, in what is not None.

    ``trainings`` are those of the search in all, ``minutes`` its time in all, and ``winner_minutes`` those
    for which the winner is trained alone. The clips are at ``data`` now, which is the data set ``clips``, and
    the latency database is at ``db``.
    """

    trainings: int | None = None
    minutes: float | None = None
    winner_minutes: float | None = None
    data: str | None = None
    clips: str | None = None
    db: str | None = None


class Judged(Struct, frozen=True, tag="judged", omit_defaults=True):
    """Candidates were judged: ``rejected`` ones first, and then one that was ``measured``, if any was."""

    rejected: tuple[Rejected, ...] = ()
    measured: Candidate | None = None


class Remeasured(Struct, frozen=True, tag="remeasured"):
    """An undecided candidate was ``measured`` again, which has decided or not."""

    measured: Candidate


class Begun(Struct, frozen=True, tag="begun", omit_defaults=True):
    """A worker trains an accepted candidate; one that was ``from_scratch`` is a control of an heir."""

    number: int
    elapsed_seconds: float
    from_scratch: bool = False


class RungPassed(Struct, frozen=True, tag="rung_passed"):
    """A training was looked at after ``seconds`` of it, and goes on."""

    number: int
    fitness: Fitness
    seconds: float


class Paused(Struct, frozen=True, tag="paused"):
    """A training was looked at after ``seconds`` of it, and is paused; its fitness is what is foretold."""

    number: int
    fitness: Fitness
    seconds: float


class Promoted(Struct, frozen=True, tag="promoted"):
    """A paused training is to go on."""

    number: int


class Trained(Struct, frozen=True, tag="trained"):
    """A training has ended well; it took ``seconds`` in all."""

    number: int
    fitness: Fitness
    seconds: float


class Failed(Struct, frozen=True, tag="failed"):
    """A training has ended without a fitness."""

    number: int
    reason: str
    seconds: float


class Returned(Struct, frozen=True, tag="returned", omit_defaults=True):
    """A training has ended for what is none of the network's fault: it waits for a worker again.

    ``from_scratch`` says that it was one of an heir, as in :class:`Begun`.
    """

    number: int
    reason: str
    seconds: float
    from_scratch: bool = False


class Controlled(Struct, frozen=True, tag="controlled", omit_defaults=True):
    """The fitness from scratch of individual ``number``, which inherited weights; None where that failed.

    ``next_number`` is that of the first candidate that was judged later.
    """

    number: int
    fitness: float | None
    next_number: int
    seconds: float = 0.0
    reason: str = ""


class WinnerChosen(Struct, frozen=True, tag="winner_chosen"):
    """An individual is the winner of all trainings so far, by a fresh measurement."""

    number: int
    measurement: Measurement


class FinalMeasured(Struct, frozen=True, tag="final_measured"):
    """One of the fittest individuals was measured once more; if it keeps the budget it is trained whole."""

    number: int
    measurement: Measurement


class FinalTrained(Struct, frozen=True, tag="final_trained", omit_defaults=True):
    """A finalist was trained at full length; without a fitness where that failed.

    ``recipe`` is what it was trained by, as data, iterations included; None for that of the plan.
    """

    number: int
    fitness: Fitness | None
    recipe: dict[str, Any] | None = None


class Noted(Struct, frozen=True, tag="noted"):
    """A sentence about the run, for people."""

    text: str


Event = (
    Opened
    | Amended
    | Judged
    | Remeasured
    | Begun
    | RungPassed
    | Paused
    | Promoted
    | Trained
    | Failed
    | Returned
    | Controlled
    | WinnerChosen
    | FinalMeasured
    | FinalTrained
    | Noted
)


class TakesPart(Protocol):
    """Something whose state follows from the events of a run."""

    def apply(self, event: Event) -> Sequence[str]:
        """Take in what has happened; sentences for people, which are noted if it happens now."""
        ...


PASSING = (Opened, Begun)
"""Nothing is decided by these: a loss of power may lose the latest of them."""
