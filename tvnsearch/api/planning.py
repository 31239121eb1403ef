"""From a request to the journal of a run: what the device and the clips are, and how long trainings take."""

from __future__ import annotations

import random
import time
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec.structs import replace

from cli.output import say
from tvnsearch.api.clips import prepare_clips
from tvnsearch.api.device_latency import DeviceLatency
from tvnsearch.api.latency_predictors import database_path
from tvnsearch.api.request import Request, check_same_request, draft, optional_path, requested_device
from tvnsearch.api.search_clips import requested_clips
from tvnsearch.api.trained_fitness import TRAINING_MODULE, TrainedFitness
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.trace import trace
from tvnsearch.search.budget import counted_limits
from tvnsearch.search.candidates.feasibility import check_reachable
from tvnsearch.search.executors import Executor, open_executor
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.plan import SearchPlan, scale_to_minutes
from tvnsearch.search.protocols import LatencyModel, TrainingFailed
from tvnsearch.search.settings import Workforce
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import DataSource
from tvnsearch.training.trainer import TrainingResult
from tvnsearch.workers import WorkerDiedError

SEARCH_SHARE, FINAL_SHARE = 0.55, 0.3
"""Of the user's minutes: for the evolution, and for training its winner longer; the rest is for all else."""

TRIAL_DRAWS, TRIAL_SECONDS = 4000, 2.0
TRIALS = 3
SECONDS_PER_CANDIDATE = 3.0
"""What measuring a candidate and scoring it after its training take, roughly."""

ITERATIONS_WITHOUT_END = 1_000_000


def start(request: Request, run: Path | None) -> Path:
    """Plan a search and begin its journal; a run that was begun with the same request is taken up again.

    Raises:
        UserError: the budget is impossible, the strategy unknown, the device not profiled, the data not
            there, or the folder holds a run with another request.
    """
    run = Path("runs") / time.strftime("evolve-%Y%m%d-%H%M%S") if run is None else run
    if check_same_request(request, run):
        return run
    plan = draft(request)
    device = requested_device(request)
    cache, source = requested_clips(request, plan.space)
    classes = len(cache.dataset.classes)
    db = database_path(optional_path(request.db))
    with DeviceLatency.open(device, db, classes, request.others_max_ms, request.level) as latency:
        plan = replace(
            plan,
            classes=classes,
            device_digest=latency.digest,
            data=cache.dataset.address,
            minutes=None,
        )
        check_reachable(plan, latency)
        prepare_clips(cache)
        plan = _timed(plan, request, latency, source)
    Journal.create(run, plan).close()
    return run


def open_workers(request: Request, workforce: Workforce) -> AbstractContextManager[Executor]:
    """The workers that train for a request.

    Raises:
        UserError: there is no such cluster.
    """
    return open_executor(workforce, TRAINING_MODULE, gpus_each=int(request.device == "cuda"))


def _timed(plan: SearchPlan, request: Request, latency: LatencyModel, source: DataSource) -> SearchPlan:
    """Say how long the plan takes on this machine, scaled to the user's minutes where there are any."""
    say("timing a few short trainings to plan the search")
    workers = request.workforce.workers
    seconds = seconds_per_iteration(plan, request, latency, source)
    hours = plan.search.trainings * plan.training.iterations * seconds / workers / 3600
    say(
        f"plan: {plan.search.trainings} networks trained for {plan.training.iterations} iterations each, "
        f"{workers} at once, strategy {plan.search.strategy} with a pool of {plan.search.population}: "
        f"about {hours:,.1f} hours here"
    )
    if request.minutes is None:
        return plan
    scaled = scale_to_minutes(plan, request.minutes * SEARCH_SHARE, seconds, SECONDS_PER_CANDIDATE, workers)
    each = scaled.seconds_per_training
    say(
        f"scaled to {request.minutes:g} minutes: {scaled.trainings} networks trained for "
        + ("as long as planned" if each is None else f"{each:.0f} seconds each")
        + f", a pool of {scaled.population}; then the winner alone for "
        f"{request.minutes * FINAL_SHARE:.1f} minutes"
    )
    return scaled


def seconds_per_iteration(
    plan: SearchPlan, request: Request, latency: LatencyModel, source: DataSource
) -> float:
    """The mean over short trainings of networks within the budget, as many at once as there are workers.

    They are fast and slow ones; scoring them, which may take longer than such a short training, is left out.
    """
    rng = random.Random(f"{plan.search.seed}/trial")
    genomes = [sample_genome(plan.space, rng) for _ in range(TRIAL_DRAWS)]
    for limit in counted_limits(plan.budget):
        genomes = [genome for genome in genomes if limit.count(trace(genome, plan.classes)) <= limit.maximum]
    feasible = sorted(
        (estimate.latency_ms, index)
        for index, estimate in enumerate(latency.estimate(genomes))
        if estimate.latency_ms <= plan.budget.max_ms
    )
    trials = max(TRIALS, request.workforce.workers)
    chosen = [genomes[index] for _, index in feasible[len(feasible) // 4 :: max(1, len(feasible) // trials)]]
    recipe = Recipe(iterations=ITERATIONS_WITHOUT_END, max_seconds=TRIAL_SECONDS)
    fitness = TrainedFitness(source, recipe, request.device)
    weights = [Path(source.cache_dir) / f"trial-{place}.safetensors" for place in range(trials)]
    with open_workers(request, request.workforce) as executor:
        trained = [
            executor.submit(fitness.train, genome, recipe, path)
            for genome, path in zip(chosen, weights, strict=False)
        ]
        results = [result for future in trained if (result := _result(future))]
    for path in weights:
        path.unlink(missing_ok=True)
    rates = [result.fitting_seconds / result.iterations for result in results if result.iterations]
    return sum(rates) / len(rates) if rates else TRIAL_SECONDS


def _result(trial: Future[TrainingResult]) -> TrainingResult | None:
    """A short training; None where it ended in its process, which the search too will survive."""
    try:
        return trial.result()
    except (TrainingFailed, WorkerDiedError) as error:
        say(f"a short training failed and is left out: {error}")
        return None
