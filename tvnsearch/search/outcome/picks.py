"""Which network a run has for each budget on the latency: all answers of `pick` at once."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tvnsearch.devices.measurement import FAR
from tvnsearch.search.records import Individual, rank


class PickFrom(Struct, frozen=True):
    """From a budget of ``from_ms`` on individual ``number`` is picked, until the next one is.

    It is ``promised`` if its measurement can be trusted with that it keeps so much.
    """

    from_ms: float
    number: int
    promised: bool


def picks_by_budget(individuals: Iterable[Individual]) -> list[PickFrom]:
    """Whom :func:`~tvnsearch.search.outcome.rebudget.pick` picks, by rising budget on the latency alone.

    One whose measurement cannot be trusted keeps any budget that its interval is within, and is promised to
    only by one that is far above it.
    """
    reached = []
    for individual in individuals:
        measurement = individual.measurement
        if measurement.ci_high_ms is None:
            continue
        reached.append((measurement.ci_high_ms, measurement.trusted, individual))
        if not measurement.trusted:
            reached.append((FAR * measurement.ci_high_ms, True, individual))
    picks: list[PickFrom] = []
    best: tuple[bool, tuple[float, int]] | None = None
    for from_ms, promised, individual in sorted(reached, key=lambda one: one[0]):
        standing = promised, rank(individual)
        if best is not None and standing <= best:
            continue
        best = standing
        if picks and picks[-1].from_ms == from_ms:
            picks.pop()
        picks.append(PickFrom(from_ms, individual.number, promised))
    return picks
