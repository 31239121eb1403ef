"""What a search is asked to do: the budget, the size of the evolution, and all that a resume needs."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.budget import Budget

FEWEST_TRAININGS = 24
"""Under this many trainings an evolution is little more than its random pool."""

SHORTEST_TRAINING_SECONDS = 1.0
"""No training is cut shorter; with so little time the search trains fewer networks than planned."""


class SearchPlan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides how a search goes; written to the journal when a run begins.

    The defaults are the paper's (section 2), except ``trainings``, which the paper does not give: it counts
    all trainings, those of the random pool included. Every ``strategy`` keeps ``population`` individuals at
    most; ``tournament`` is the size of tournaments where the strategy leaves it open. ``minutes`` bounds the
    wall-clock time, over all resumes, and ``seconds_per_training`` that of each training, whatever its
    iterations. ``device`` and ``device_digest`` name what latencies were measured on, ``data`` says in words
    what fitness is measured on, and ``setup`` is the caller's own: what it needs to wire up latency and
    fitness again. With ``inherit`` a child begins with its parent's weights, until that misleads, and with
    ``early_stopping`` trainings are paused that are foretold not to become the best. With
    ``fitness_predictor`` that network is judged, of many, which promises most.
    """

    budget: Budget
    space: SearchSpace
    classes: int
    device: str
    device_digest: str
    data: str
    strategy: str = "tournament"
    population: int = 200
    tournament: int = 50
    trainings: int = 1000
    iterations: int = 10_000
    minutes: float | None = None
    seconds_per_training: float | None = None
    seed: int = 0
    inherit: bool = False
    early_stopping: bool = False
    fitness_predictor: bool = False
    setup: dict[str, Any] = {}

    def __post_init__(self) -> None:
        for name in ("classes", "population", "tournament", "trainings", "iterations"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"expected {name} of at least 1, but got {getattr(self, name)}; give a larger number"
                )
        if self.tournament > self.population:
            raise UserError(
                f"expected a tournament no larger than the population, but got {self.tournament} from "
                f"{self.population}; give a smaller --tournament or a larger --population"
            )
        if self.early_stopping and self.iterations < 2:
            raise UserError(
                f"expected trainings that can be stopped early, but they are of {self.iterations} iteration; "
                "give more --iterations, or leave out --early-stopping"
            )
        if self.minutes is not None and not self.minutes > 0:
            raise UserError(f"expected more than 0 minutes, but got {self.minutes}; give a larger --minutes")


def scale_to_minutes(
    plan: SearchPlan,
    minutes: float,
    seconds_per_iteration: float,
    seconds_per_candidate: float = 0.0,
    workers: int = 1,
) -> SearchPlan:
    """Shrink a plan to the time there is; a plan that fits only gets its ``minutes``.

    ``workers`` networks train at once, each as fast as was timed with all of them at work. A training is
    taken to cost ``seconds_per_candidate`` (measuring, evaluating) besides its iterations, while all workers
    stand still. First fewer networks are trained, down to ``FEWEST_TRAININGS``, then all of them for the same
    shorter time: equal seconds, not equal iterations, because one slow network would otherwise use up the
    time of ten. A third of the trainings go to the random pool at most, and the tournament keeps its share of
    the population.
    """
    seconds = minutes * 60 * workers
    seconds_beside = seconds_per_candidate * workers
    whole_training = plan.iterations * seconds_per_iteration
    fitting = int(seconds / (whole_training + seconds_beside))
    if fitting >= plan.trainings:
        return msgspec.structs.replace(plan, minutes=minutes)
    trainings = min(plan.trainings, max(fitting, FEWEST_TRAININGS))
    population = min(plan.population, max(1, trainings // 3))
    return msgspec.structs.replace(
        plan,
        minutes=minutes,
        trainings=trainings,
        population=population,
        tournament=max(min(2, population), population * plan.tournament // plan.population),
        seconds_per_training=max(seconds / trainings - seconds_beside, SHORTEST_TRAINING_SECONDS),
    )
