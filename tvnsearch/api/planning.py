"""The plan of a new search: what was asked for, scaled to what short trainings say of this machine."""

from __future__ import annotations

import random
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from tvnsearch.api.built_in_clips import CLASSES
from tvnsearch.api.impossible_budgets import refuse_impossible_budget, refuse_impossible_counts
from tvnsearch.api.open_run import Equipment, check_training_device, open_settings_device
from tvnsearch.api.recipes import planned_recipe, said_of_recipe
from tvnsearch.api.start_from import starting_genomes
from tvnsearch.api.times import FINAL_SHARE, SEARCH_SHARE, recipe_of_seconds, written_place, written_time
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.genome.trace import trace
from tvnsearch.search.budget import counted_limits
from tvnsearch.search.candidates.feasibility import check_reachable
from tvnsearch.search.executors import OF_ENVIRONMENT
from tvnsearch.search.plan import SearchPlan, plan_of, scale_to_minutes
from tvnsearch.search.protocols import TrainingFailed
from tvnsearch.search.settings import Settings
from tvnsearch.search.strategies import check_strategy
from tvnsearch.workers import WorkerDiedError

if TYPE_CHECKING:
    from tvnsearch.training.trainer import TrainingResult

TRIAL_DRAWS, TRIAL_SECONDS = 4000, 2.0
TRIALS = 3
TRIAL_VALIDATION_CLIPS = 100
"""What a short training is scored on: its score tells nothing."""

VALIDATION_SHARE = 0.1
"""What scoring a network may cost of its training."""

PASSES_OF_TRAINING = 3
"""What learning from a clip costs, in forward passes: its own, and a backward one, twice the work."""

FEWEST_VALIDATION_CLIPS, FEWEST_OF_A_CLASS = 1000, 5
"""Fewer tell networks apart too badly: of 1,000 clips the standard error of an accuracy is up to 1.6 %."""

SECONDS_PER_CANDIDATE = 3.0
"""What measuring a candidate and scoring it after its training take, roughly."""

LONG_HOURS = 24.0

SECONDS_FOR_ALL_ELSE = 45.0
"""What a search takes, roughly, that its minutes cannot shorten."""


class TimedPlan(NamedTuple):
    """What a search is going to do (``plan``), what was asked for before that was scaled, and what it takes.

    ``seconds_per_iteration`` is of one training while all workers train.
    """

    plan: SearchPlan
    unscaled: SearchPlan
    seconds_per_iteration: float

    @property
    def unscaled_hours(self) -> float:
        """What the trainings that were asked for would take here."""
        asked = self.unscaled
        iterations = asked.search.trainings * asked.training.iterations
        return iterations * self.seconds_per_iteration / asked.asked.workforce.workers / 3600

    @property
    def winner_minutes(self) -> float | None:
        """For how long the winner alone is trained after the search; None where it is not."""
        return self.plan.winner_minutes

    @property
    def hours(self) -> float:
        """What the search and the longer training of its winner take here."""
        minutes = self.plan.search.minutes
        if minutes is None or self.winner_minutes is None:
            return self.unscaled_hours
        return min(self.unscaled_hours, minutes / 60) + self.winner_minutes / 60


def draft_plan(settings: Settings, watch: Watch = SILENT) -> SearchPlan:
    """The plan that ``settings`` come to, short of what only the device, the clips and a timing can tell.

    Loads nothing heavy. ``watch`` hears what is left out of the networks to start from.

    Raises:
        UserError: there is no such strategy, device, space, latency database or data set, nothing of what
            is to be trained on, nothing to start from, or the budget is impossible with the built-in clips.
    """
    check_strategy(settings.search.strategy)
    device = open_settings_device(settings.device)
    check_training_device(settings)
    space, start_from = load_space(settings.search.space), settings.search.start_from
    are_built_in = settings.training.data is None
    plan = plan_of(settings, space, classes=CLASSES if are_built_in else 1)
    if are_built_in:
        refuse_impossible_counts(plan)
    if start_from is not None:
        plan = replace(plan, start=starting_genomes(start_from, space, watch))

    from tvnsearch.api.latency_predictors import database_path, require_database

    db = database_path(settings.device.db)
    require_database(db, device.words)
    if settings.training.data is None:
        refuse_impossible_budget(plan, db)
    else:
        parse_address(settings.training.data)
    minutes = settings.search.minutes
    return plan if minutes is None else replace(plan, winner_minutes=minutes * FINAL_SHARE)


def complete_plan(draft: SearchPlan, equipment: Equipment, watch: Watch) -> TimedPlan:
    """The plan on this machine, scaled to the user's minutes where there are any; the clips are decoded.

    Raises:
        UserError: the budget is impossible, or the clips cannot be decoded.
    """
    dataset = equipment.dataset
    plan = replace(
        draft,
        classes=len(dataset.classes),
        class_names=dataset.classes,
        device_digest=equipment.latency.digest,
        clips=dataset.address,
    )
    check_reachable(plan, equipment.latency)
    equipment.decode_clips(watch)
    watch.say("timing a few short trainings to plan the search")
    seconds = seconds_per_iteration(plan, equipment, watch)
    minutes, workers = plan.search.minutes, plan.asked.workforce.workers
    if minutes is None:
        scaled = plan
    else:
        scaled = scale_to_minutes(plan, minutes * SEARCH_SHARE, seconds, SECONDS_PER_CANDIDATE, workers)
    scaled = replace(scaled, validation_clips=_validation_clips(scaled, seconds))
    return TimedPlan(scaled, plan, seconds)


def _validation_clips(plan: SearchPlan, seconds_per_iteration: float) -> int:
    """How many clips a network is scored on at most, so that this costs a small share of its training."""
    iterations = float(plan.training.iterations)
    if plan.seconds_per_training is not None:
        iterations = min(iterations, plan.seconds_per_training / seconds_per_iteration)
    learned_from = iterations * planned_recipe(plan).batch_size
    affordable = round(VALIDATION_SHARE * PASSES_OF_TRAINING * learned_from)
    return max(affordable, FEWEST_VALIDATION_CLIPS, FEWEST_OF_A_CLASS * plan.classes)


def say_plan(timed: TimedPlan, watch: Watch) -> None:
    """What is going to be trained, and how long that takes, for people."""
    asked, scaled = timed.unscaled, timed.plan
    where = written_place(asked.device.name, asked.asked.train_on)
    watch.say(
        f"plan: {asked.search.trainings} networks trained for {asked.training.iterations} iterations each, "
        f"{asked.asked.workforce.workers} at once, strategy {asked.search.strategy} with a pool of "
        f"{asked.search.population}: about {written_time(3600 * timed.unscaled_hours)} {where}"
    )
    if asked.start:
        names = ", ".join(start.name for start in asked.start)
        watch.say(f"judged first, before random networks: {names}")
    recipe = said_of_recipe(asked.training)
    if recipe is not None:
        watch.say(f"networks are trained {recipe}")
    minutes, each = asked.search.minutes, scaled.seconds_per_training
    if minutes is not None:
        watch.say(
            f"scaled to {minutes:g} minutes: {scaled.search.trainings} networks trained for "
            + ("as long as planned" if each is None else f"{each:.0f} seconds each")
            + f", a pool of {scaled.search.population}; then the winner alone for "
            f"{timed.winner_minutes:.1f} minutes"
        )


def warn_of_few_minutes(settings: Settings, watch: Watch) -> None:
    """Say of a search whose share for all else is too short what its minutes do not bound."""
    minutes = settings.search.minutes
    if minutes is not None and minutes * 60 * (1 - SEARCH_SHARE - FINAL_SHARE) < SECONDS_FOR_ALL_ELSE:
        watch.say(
            f"--minutes {minutes:g} bound the search and the longer training of its winner; to start "
            "processes, decode clips, time short trainings, and measure, score and export the winner takes "
            f"about {written_time(SECONDS_FOR_ALL_ELSE)} more, and longer where clips are not decoded yet"
        )


def warn_of_long_plan(timed: TimedPlan, watch: Watch) -> None:
    """Say of a search of more than a day how to make it shorter."""
    if timed.hours > LONG_HOURS:
        watch.say(
            f"this search takes more than a day, about {timed.hours:,.0f} hours: shorten it by --minutes, by "
            "fewer --trainings, or by fewer --iterations"
        )


def seconds_per_iteration(plan: SearchPlan, equipment: Equipment, watch: Watch) -> float:
    """The mean over short trainings of networks within the budget, as many at once as there are workers.

    They are fast and slow ones; scoring them, which may take longer than such a short training, is left out.
    """
    genomes = drawn_genomes(plan)
    for limit in counted_limits(plan.budget):
        genomes = [genome for genome in genomes if limit.count(trace(genome, plan.classes)) <= limit.maximum]
    feasible = sorted(
        (estimate.latency_ms, index)
        for index, estimate in enumerate(equipment.latency.estimate(genomes))
        if estimate.latency_ms <= plan.budget.max_ms
    )
    trials = max(TRIALS, equipment.executor.workers)
    chosen = [genomes[index] for _, index in feasible[len(feasible) // 4 :: max(1, len(feasible) // trials)]]
    recipe = recipe_of_seconds(TRIAL_SECONDS, recipe=planned_recipe(plan))
    scored = replace(equipment.source, validation_clips=TRIAL_VALIDATION_CLIPS)
    fitness = equipment._replace(source=scored).fitness(recipe)
    weights = [Path(equipment.source.cache_dir) / f"trial-{place}.safetensors" for place in range(trials)]
    trained = [
        equipment.executor.submit(fitness.train, genome, recipe, path)
        for genome, path in zip(chosen, weights, strict=False)
    ]
    results = [result for future in trained if (result := _result(future, watch))]
    for path in weights:
        path.unlink(missing_ok=True)
    rates = [result.fitting_seconds / result.iterations for result in results if result.iterations]
    return sum(rates) / len(rates) if rates else TRIAL_SECONDS


def drawn_genomes(plan: SearchPlan) -> list[Genome]:
    """What stands for the space of a search: random genomes, the same ones for the same seed."""
    rng = random.Random(f"{plan.search.seed}/trial")
    return [sample_genome(plan.space, rng) for _ in range(TRIAL_DRAWS)]


def _result(trial: Future[TrainingResult], watch: Watch) -> TrainingResult | None:
    """A short training; None where it ended in its process, which the search too will survive."""
    try:
        return trial.result()
    except OF_ENVIRONMENT as error:
        raise UserError(
            f"expected a short training to work, but it ended for what is none of its fault ({error}); mend "
            "that, and the same command goes on"
        ) from None
    except (TrainingFailed, WorkerDiedError) as error:
        watch.say(f"a short training failed and is left out: {error}")
        return None
