"""Trainings that end from within, as a kill ends them: nothing is tidied up."""

from __future__ import annotations

from collections.abc import Callable

from tvnsearch.training.iterating import TrainingProgress


class KilledError(Exception):
    """What a kill is here."""


def until(iteration: int) -> Callable[[TrainingProgress], None]:
    def stop(state: TrainingProgress) -> None:
        if state.iteration == iteration:
            raise KilledError

    return stop
