"""What a search would do, and what its budget leaves of its space, said before anything is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack, get_args

from msgspec import Struct
from msgspec.structs import asdict

from tvnsearch.api.built_in_clips import say_plan_of_built_in_clips
from tvnsearch.api.open_run import Equipment, open_equipment
from tvnsearch.api.planning import TimedPlan, complete_plan, draft_plan, drawn_genomes, warn_of_long_plan
from tvnsearch.api.recipes import asked_settings, planned_recipe, said_of_recipe
from tvnsearch.api.same_run import was_begun
from tvnsearch.api.search_options import SearchOptions
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.search.budget import Budget, CountedRejection
from tvnsearch.search.candidates.budget_gate import BudgetGate
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.settings import Accelerations


class SpaceLeft(Struct, frozen=True):
    """What a budget leaves of a space, by ``genomes`` that were drawn from it at random.

    ``within_counts`` of them are within the limits that counting decides, and ``within_predictions`` of
    these within what latencies are predicted to be, as a search would judge them before it measures.
    """

    genomes: int
    within_counts: int
    within_predictions: int


class PlanReport(Struct, frozen=True, kw_only=True):
    """What a search would do here: ``trainings`` networks, ``workers`` at once, out of a pool.

    Each is trained for ``iterations``, or for ``seconds_per_training`` where the user's ``minutes`` bound
    that; ``winner_minutes`` are for its winner alone then. ``start_from`` names the networks that are judged
    first. They are trained by the ``recipe``, or by the
    paper's where none was given. ``hours`` are those of both, ``unscaled_hours`` those of all
    iterations of the trainings that were asked for, on what networks ``train_on`` while they are measured on
    the ``device``.
    """

    budget: Budget
    accelerations: Accelerations
    strategy: str
    start_from: tuple[str, ...]
    population: int
    tournament: int
    trainings: int
    iterations: int
    minutes: float | None
    seconds_per_training: float | None
    winner_minutes: float | None
    recipe: dict[str, Any] | None
    workers: int
    device: str
    train_on: str
    seconds_per_iteration: float
    hours: float
    unscaled_hours: float
    space_left: SpaceLeft


def plan_search(
    *,
    config: str | Path | None = None,
    run: str | Path | None = None,
    watch: Watch = SILENT,
    **options: Unpack[SearchOptions],
) -> PlanReport:
    """Say what :func:`tvnsearch.api.evolve.evolve` would do with the same arguments, and begin nothing.

    Its clips are decoded, which it would find done, and a few short trainings are timed.

    Raises:
        UserError: a search could not be begun so.
    """
    settings = asked_settings(options, config)
    if run is not None:
        was_begun(Path(run), settings)
    draft = draft_plan(settings, watch)
    say_plan_of_built_in_clips(settings, watch)
    with open_equipment(settings, draft.space, watch) as equipment:
        timed = complete_plan(draft, equipment, watch)
        space_left = _space_left(timed.plan, equipment)
    recipe = said_of_recipe(timed.plan.training)
    if recipe is not None:
        watch.say(f"networks would be trained {recipe}")
    warn_of_long_plan(timed, watch)
    return _report(timed, space_left)


def _space_left(plan: SearchPlan, equipment: Equipment) -> SpaceLeft:
    genomes = drawn_genomes(plan)
    screenings = BudgetGate(plan.budget, plan.classes, equipment.latency).screen(genomes)
    counted = get_args(CountedRejection)
    return SpaceLeft(
        genomes=len(genomes),
        within_counts=sum(screening.rejection not in counted for screening in screenings),
        within_predictions=sum(screening.rejection is None for screening in screenings),
    )


def _report(timed: TimedPlan, space_left: SpaceLeft) -> PlanReport:
    plan = timed.plan
    return PlanReport(
        budget=plan.budget,
        accelerations=plan.accelerations,
        strategy=plan.search.strategy,
        start_from=tuple(start.name for start in plan.start),
        population=plan.search.population,
        tournament=plan.search.tournament,
        trainings=plan.search.trainings,
        iterations=plan.training.iterations,
        minutes=plan.asked.search.minutes,
        seconds_per_training=plan.seconds_per_training,
        winner_minutes=timed.winner_minutes,
        recipe=None if plan.training.recipe is None else asdict(planned_recipe(plan)),
        workers=plan.asked.workforce.workers,
        device=plan.device.name,
        train_on=plan.asked.train_on,
        seconds_per_iteration=timed.seconds_per_iteration,
        hours=timed.hours,
        unscaled_hours=timed.unscaled_hours,
        space_left=space_left,
    )
