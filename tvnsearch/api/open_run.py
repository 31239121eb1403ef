"""What a run measures and trains on: its device, its clips, its workers, as the journal says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tvnsearch.api.clips import prepare_clips
from tvnsearch.api.device_latency import DeviceLatency
from tvnsearch.api.latency_predictors import database_path
from tvnsearch.api.planning import open_workers
from tvnsearch.api.request import Request, optional_path, request_of, requested_device
from tvnsearch.api.search_clips import requested_clips
from tvnsearch.api.trained_fitness import TrainedFitness
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError
from tvnsearch.search.executors import Executor
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.settings import Workforce
from tvnsearch.training.recipe import Recipe


class Bench(NamedTuple):
    """All that a run needs besides its journal."""

    request: Request
    dataset: Dataset
    latency: DeviceLatency
    fitness: TrainedFitness
    executor: Executor


@contextmanager
def open_bench(journal: Journal, workforce: Workforce, seconds_per_training: float | None) -> Iterator[Bench]:
    """Set up what ``journal``'s run was begun with; trainings end after ``seconds_per_training``, if given.

    Raises:
        UserError: the device has changed since the run began, or the clips are not there.
    """
    plan = journal.plan
    request = request_of(plan)
    device = requested_device(request)
    cache, source = requested_clips(request, plan.space)
    prepare_clips(cache)
    db = database_path(optional_path(request.db))
    opened = DeviceLatency.open(device, db, plan.classes, request.others_max_ms, request.level)
    with opened as latency:
        if latency.digest != plan.device_digest:
            raise UserError(
                f"expected the device {plan.device_digest} that the run {journal.run} was begun on, "
                f"but this is {latency.digest}; go on there, or begin a new run"
            )
        recipe = Recipe(iterations=plan.training.iterations, max_seconds=seconds_per_training)
        fitness = TrainedFitness(source, recipe, request.device)
        with open_workers(request, workforce) as executor:
            yield Bench(request, cache.dataset, latency, fitness, executor)
