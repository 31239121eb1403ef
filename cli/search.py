"""A search from the user's request to the winner's files; every step can be interrupted and gone on with."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import platformdirs
from msgspec import Struct

from cli.clips import clip_cache_folder, prepare_clips
from cli.compose import DeviceLatency, TrainedFitness, database_path, open_clips
from cli.handover import ModelCard, export_winner, load_model, winner_folder, write_model
from cli.output import ProgressBar, say
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.moving_digits import generate
from tvnsearch.devices.device import Device, open_device
from tvnsearch.errors import UserError
from tvnsearch.genome.drawing import block_lines
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.genome.trace import trace
from tvnsearch.search.budget import Budget, counted_limits
from tvnsearch.search.engine import run_search
from tvnsearch.search.events import SearchEvent
from tvnsearch.search.feasibility import check_reachable
from tvnsearch.search.individual import Winner
from tvnsearch.search.journal import Journal
from tvnsearch.search.plan import SearchPlan, scale_to_minutes
from tvnsearch.search.protocols import TrainingFailed
from tvnsearch.search.run_folder import journal_path, weights_path
from tvnsearch.search.status import summarise
from tvnsearch.search.strategies import check_strategy
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.task import DataSource
from tvnsearch.training.trainer import TrainingResult

SEARCH_SHARE, FINAL_SHARE = 0.55, 0.3
"""Of the user's minutes: for the evolution, and for training its winner longer; the rest is for all else."""

TRIAL_DRAWS, TRIAL_GENOMES, TRIAL_SECONDS = 4000, 24, 2.0
SECONDS_PER_CANDIDATE = 3.0
"""What measuring a candidate and scoring it after its training take, roughly."""

ITERATIONS_WITHOUT_END = 1_000_000


class Request(Struct, frozen=True, kw_only=True):
    """What the user asked a search for; kept in the journal, so that a resume needs nothing else."""

    max_ms: float
    max_params: int | None
    max_gflops: float | None = None
    max_mb: float | None = None
    data: str | None
    minutes: float | None
    strategy: str = "tournament"
    population: int
    tournament: int
    trainings: int
    iterations: int
    space: str
    device: str
    threads: int
    backend: str
    dtype: str = "float32"
    batch: int = 1
    seed: int
    db: str | None


class FinalScores(Struct, frozen=True):
    """The winner on the clips that neither the search nor any training saw."""

    number: int
    clips: int
    chance: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    training_seconds: float
    max_relative_error: float | None


def start(request: Request, run: Path | None) -> Path:
    """Plan a search and begin its journal; a run that was begun with the same request is taken up again.

    Raises:
        UserError: the budget is impossible, the strategy unknown, the device not profiled, the data not
            there, or the folder holds a run with another request.
    """
    check_strategy(request.strategy)
    run = Path("runs") / time.strftime("evolve-%Y%m%d-%H%M%S") if run is None else run
    if journal_path(run).is_file():
        with Journal.read(run) as journal:
            known = msgspec.convert(journal.plan.setup, Request)
        if known != request:
            raise UserError(
                f"expected the settings that the run {run} was begun with, but some are different; "
                f"go on with it by `tvnsearch resume {run}`, or give another --run"
            )
        return run
    space = load_space(request.space)
    device = _device(request)
    budget = Budget(request.max_ms, request.max_params, request.max_gflops, request.max_mb, device.dtype)
    cache, source = _clips(request)
    classes = len(cache.dataset.classes)
    with DeviceLatency.open(device, database_path(_path(request.db)), classes) as latency:
        plan = SearchPlan(
            budget=budget,
            space=space,
            classes=classes,
            device=request.device,
            device_digest=latency.digest,
            data=cache.dataset.address,
            strategy=request.strategy,
            population=request.population,
            tournament=request.tournament,
            trainings=request.trainings,
            iterations=request.iterations,
            seed=request.seed,
            setup=msgspec.to_builtins(request),
        )
        check_reachable(plan, latency)
        prepare_clips(cache)
        plan = _timed(plan, request, latency, source)
    Journal.create(run, plan).close()
    return run


def carry_out(run: Path) -> dict[str, Any]:
    """Search by the plan in the journal of ``run``, from where it stands, and hand over the winner.

    Returns the run's report. Raises:
        UserError: nothing that was trained keeps the budget, the device changed since the run began, or
            another process is writing the run.
    """
    with Journal.open(run) as journal:
        _search(journal)
    return run_report(run)


def _search(journal: Journal) -> None:
    run, plan = journal.run, journal.plan
    request = msgspec.convert(plan.setup, Request)
    device = _device(request)
    cache, source = _clips(request)
    prepare_clips(cache)
    with (
        DeviceLatency.open(device, database_path(_path(request.db)), plan.classes) as latency,
        TrainedFitness(source, _search_recipe(plan), request.device) as fitness,
    ):
        if latency.digest != plan.device_digest:
            raise UserError(
                f"expected the device {plan.device_digest} that the run {run} was begun on, "
                f"but this is {latency.digest}; go on there, or begin a new run"
            )
        with ProgressBar("evolve") as bar:
            winner = run_search(journal, latency, fitness, lambda event: _show(event, plan, bar))
        if winner is None:
            raise UserError(
                f"expected a trained network that keeps {request.max_ms:g} ms, but the run {run} found none "
                "in its time; give it more --minutes, or raise --max-ms"
            )
        _hand_over(run, winner, request, cache, fitness)


def run_report(run: Path) -> dict[str, Any]:
    """How a run stands, as plain data: counts, the winner and its scores on unseen clips, its files.

    Raises:
        UserError: there is no run in that folder.
    """
    report: dict[str, Any] = msgspec.to_builtins(summarise(run))
    with Journal.read(run) as journal:
        plan = journal.plan
    report["max_ms"] = plan.budget.max_ms
    report["max_params"] = plan.budget.max_params
    report["max_gflops"] = plan.budget.max_gflops
    report["max_mb"] = plan.budget.max_mb
    winner = report["winner"]
    scores = _final_scores(run)
    if winner is not None and scores is not None and scores.number == winner["number"]:
        winner.update(msgspec.to_builtins(scores))
        winner["drawing"] = block_lines(msgspec.convert(winner["genome"], Genome))
        winner["files"] = sorted(str(path) for path in winner_folder(run).iterdir())
    return report


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _clips(request: Request) -> tuple[ClipCache, DataSource]:
    if request.data is None:
        data = platformdirs.user_data_path("tvnsearch") / "moving-digits"
        say(f"no --data given: moving digits, generated mp4 clips in {data}")
        with ProgressBar("encode clips") as bar:
            generate(data, seed=0, on_progress=lambda done, total: bar.update(done / total))
        address: str | Path = data
    else:
        address = request.data
    resolution = load_space(request.space).resolution.max
    return open_clips(address, clip_cache_folder(), resolution, seed=0)


def _device(request: Request) -> Device:
    return open_device(request.device, request.threads, request.backend, request.dtype, request.batch)


def _timed(plan: SearchPlan, request: Request, latency: DeviceLatency, source: DataSource) -> SearchPlan:
    """Say how long the plan takes on this machine, scaled to the user's minutes where there are any."""
    say("timing a few short trainings to plan the search")
    seconds = _seconds_per_iteration(plan, latency, source)
    hours = plan.trainings * plan.iterations * seconds / 3600
    say(
        f"plan: {plan.trainings} networks trained for {plan.iterations} iterations each, strategy "
        f"{plan.strategy} with a pool of {plan.population}: about {hours:,.1f} hours here"
    )
    if request.minutes is None:
        return plan
    scaled = scale_to_minutes(
        plan, request.minutes * SEARCH_SHARE, seconds, seconds_per_candidate=SECONDS_PER_CANDIDATE
    )
    each = scaled.seconds_per_training
    say(
        f"scaled to {request.minutes:g} minutes: {scaled.trainings} networks trained for "
        + ("as long as planned" if each is None else f"{each:.0f} seconds each")
        + f", a pool of {scaled.population}; then the winner alone for "
        f"{request.minutes * FINAL_SHARE:.1f} minutes"
    )
    return scaled


def _seconds_per_iteration(plan: SearchPlan, latency: DeviceLatency, source: DataSource) -> float:
    rng = random.Random(f"{plan.seed}/trial")
    genomes = [sample_genome(plan.space, rng) for _ in range(TRIAL_DRAWS)]
    for limit in counted_limits(plan.budget):
        genomes = [genome for genome in genomes if limit.count(trace(genome, plan.classes)) <= limit.maximum]
    estimates = latency.estimate(genomes)
    feasible = sorted(
        (
            (estimate.latency_ms, index)
            for index, estimate in enumerate(estimates)
            if estimate.latency_ms <= plan.budget.max_ms
        ),
    )[:: max(1, len(estimates) // TRIAL_GENOMES)]
    chosen = [genomes[index] for _, index in feasible[len(feasible) // 4 :: max(1, len(feasible) // 3)]][:3]
    recipe = Recipe(iterations=ITERATIONS_WITHOUT_END, max_seconds=TRIAL_SECONDS)
    weights = Path(source.cache_dir) / "trial.safetensors"
    with TrainedFitness(source, recipe) as fitness:
        results = [result for genome in chosen if (result := _trial(fitness, genome, recipe, weights))]
    weights.unlink(missing_ok=True)
    rates = [result.seconds / result.iterations for result in results if result.iterations]
    return sum(rates) / len(rates) if rates else TRIAL_SECONDS


def _trial(fitness: TrainedFitness, genome: Genome, recipe: Recipe, weights: Path) -> TrainingResult | None:
    """A short training; None where it ended in its process, which the search too will survive."""
    try:
        return fitness.train(genome, recipe, weights)
    except TrainingFailed as error:
        say(f"a short training failed and is left out: {error}")
        return None


def _search_recipe(plan: SearchPlan) -> Recipe:
    return Recipe(iterations=plan.iterations, max_seconds=plan.seconds_per_training)


def _show(event: SearchEvent, plan: SearchPlan, bar: ProgressBar) -> None:
    counts = event.counts
    done = (counts.trained + counts.failed) / event.trainings
    if plan.minutes is not None:
        done = max(done, event.elapsed_seconds / (plan.minutes * 60))
    best = "-" if event.best_fitness is None else f"{event.best_fitness:.3f}"
    bar.update(
        done,
        f"sampled {counts.sampled}, rejected by counts {counts.rejected_counted}, predictor "
        f"{counts.rejected_predicted}, measurement {counts.rejected_measured}; trained {counts.trained}, "
        f"best {best}",
    )
    if event.text and event.kind in ("trained", "failed", "noted"):
        say(f"{event.text} ({counts.trained} trained, best {best})")


def _final_scores(run: Path) -> FinalScores | None:
    path = winner_folder(run) / "scores.json"
    return msgspec.json.decode(path.read_bytes(), type=FinalScores) if path.is_file() else None


def _hand_over(
    run: Path, winner: Winner, request: Request, cache: ClipCache, fitness: TrainedFitness
) -> None:
    """Train the winner longer where the search was cut to the user's minutes, score it, write its files."""
    number, genome = winner.individual.number, winner.individual.genome
    scores = _final_scores(run)
    if scores is not None and scores.number == number:
        return
    folder = winner_folder(run)
    folder.mkdir(exist_ok=True)
    weights = folder / "weights.safetensors"
    seconds = winner.individual.fitness.seconds
    if request.minutes is None:
        shutil.copyfile(weights_path(run, number), weights)
    else:
        recipe = Recipe(
            iterations=ITERATIONS_WITHOUT_END,
            max_seconds=request.minutes * 60 * FINAL_SHARE,
            seed=request.seed,
        )
        with ProgressBar("train the winner") as bar:
            result = fitness.train(
                genome, recipe, weights, lambda state: bar.update(state["share"], f"loss {state['loss']:.2f}")
            )
        seconds = result.seconds
        if result.failed is not None or result.fitness < winner.individual.fitness.value:
            say("the longer training did not help: the weights of the search are handed over")
            shutil.copyfile(weights_path(run, number), weights)
    test = fitness.evaluate(genome, weights, "test")
    dataset = cache.dataset
    write_model(folder, genome, ModelCard(dataset.classes, dataset.multi_label, data=dataset.address))
    try:
        relative_error: float | None = export_winner(load_model(run), folder / "model.onnx")
    except UserError as missing:
        say(f"no ONNX file: {missing}")
        relative_error = None
    final = FinalScores(
        number=number,
        clips=test.clips,
        chance=dataset.chance,
        top1=test.top1,
        top5=test.top5,
        mean_average_precision=test.mean_average_precision,
        training_seconds=seconds,
        max_relative_error=relative_error,
    )
    part = folder / "scores.json.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(final), indent=1))
    part.replace(folder / "scores.json")
