"""Drives a strategy as a search would, with outcomes made up by the test."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import strategies as st

from tests.search.fakes import make_individual
from tvnsearch.search import Individual
from tvnsearch.search.strategies import AskTell


class Outcome(NamedTuple):
    """What becomes of a proposal; without a fitness its training failed."""

    fitness: float | None
    latency_ms: float = 1.0
    params: int = 1


OUTCOMES = st.lists(
    st.builds(
        Outcome,
        st.none() | st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 2),
        st.sampled_from([1.0, 2.0]) | st.floats(0.1, 50),
        st.integers(1, 5) | st.integers(1, 10**6),
    ),
    max_size=60,
)


def numbers(seed: int, index: int) -> random.Random:
    """The random numbers of a search's candidate ``index``."""
    return random.Random(f"{seed}/{index}")


def evolve(
    strategy: AskTell, outcomes: Iterable[Outcome | float], first: int = 0, seed: int = 0
) -> list[Individual]:
    """Ask for one candidate an outcome, numbered from ``first``, and answer; returns those that were told."""
    told = []
    for index, outcome in enumerate(outcomes, first):
        fitness, latency_ms, params = outcome if isinstance(outcome, Outcome) else Outcome(outcome)
        proposal = strategy.ask(numbers(seed, index))
        if fitness is None:
            continue
        told.append(make_individual(index, fitness, proposal.genome, proposal.parent, latency_ms, params))
        strategy.tell(told[-1])
    return told
