"""A search from what was asked for to the winner's files; any step can be interrupted, and gone on with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from msgspec.structs import asdict, replace

from tvnsearch.api.amending import Changes, say_finished
from tvnsearch.api.built_in_clips import say_plan_of_built_in_clips
from tvnsearch.api.handover import hand_over
from tvnsearch.api.interruption import how_to_go_on, told_if_interrupted
from tvnsearch.api.open_run import OpenRun, open_equipment, open_run
from tvnsearch.api.planning import (
    complete_plan,
    draft_plan,
    say_plan,
    warn_of_few_minutes,
    warn_of_long_plan,
)
from tvnsearch.api.recipes import asked_settings, planned_recipe
from tvnsearch.api.same_run import was_begun
from tvnsearch.api.search_options import SearchOptions, WorkforceOptions
from tvnsearch.api.status import RunReport, status
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.errors import UserError
from tvnsearch.search.engine import run_search
from tvnsearch.search.exchange import open_exchange
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.progress.recorder import OnProgress, ignore
from tvnsearch.search.progress.tally import Tally

if TYPE_CHECKING:
    from tvnsearch.api.device_latency import DeviceLatency
    from tvnsearch.data.dataset import Dataset


def evolve(
    *,
    config: str | Path | None = None,
    run: str | Path | None = None,
    watch: Watch = SILENT,
    on_progress: OnProgress | None = None,
    **options: Unpack[SearchOptions],
) -> RunReport:
    """Search for a network that keeps a budget, and hand over the winner, in the folder ``run``.

    A run that was begun there with the same settings is gone on with; without a folder a new one is made in
    ``runs``. Settings come from the TOML file ``config`` and from ``options``, which win. ``on_progress``
    hears every step, from several threads.

    Raises:
        UserError: a setting is unknown, missing or no good, the device is not profiled, the clips are not
            there, the budget is impossible, the folder holds another run, or nothing trained keeps the
            budget.
    """
    settings = asked_settings(options, config)
    folder = Path("runs") / time.strftime("evolve-%Y%m%d-%H%M%S") if run is None else Path(run)
    if was_begun(folder, settings):
        workforce = replace(settings.workforce, train_on=settings.train_on)
        return resume(folder, watch=watch, on_progress=on_progress, **asdict(workforce))
    draft = draft_plan(settings, watch)
    say_plan_of_built_in_clips(settings, watch)
    warn_of_few_minutes(settings, watch)
    with open_equipment(settings, draft.space, watch) as equipment:
        timed = complete_plan(draft, equipment, watch)
        say_plan(timed, watch)
        watch.say(_what_fitness_is(equipment.dataset, timed.plan))
        warn_of_long_plan(timed, watch)
        with Journal.create(folder, timed.plan) as journal, told_if_interrupted(folder, "resume"):
            watch.say(f"the run is in {folder}; if it is interrupted, {how_to_go_on(folder)} goes on with it")
            equipment.keep_predictors(folder)
            exchange = open_exchange(folder, settings.workforce.shared)
            _search(OpenRun(journal, equipment.of_run(folder, timed.plan), exchange), watch, on_progress)
    return status(folder)


def resume(
    run: str | Path,
    *,
    minutes: str | float | None = None,
    trainings: str | int | None = None,
    data: str | Path | None = None,
    db: str | Path | None = None,
    watch: Watch = SILENT,
    on_progress: OnProgress | None = None,
    **workforce: Unpack[WorkforceOptions],
) -> RunReport:
    """Go on with a run from where it stands, by the plan that it began with, and hand over the winner.

    The plan may be amended, also that of a run which is finished: ``minutes`` and ``trainings`` are in all,
    or as "+60" so many more. More minutes are more trainings, as long as those before, up to those that were
    asked for when it began; ``trainings`` that are given hold in any case. ``data`` and ``db`` say where its
    clips and its latency database are now. All of that is kept for whoever resumes it next.

    It trains with as many ``workers``, on the ``executor`` and at the ``address``, as it began, and where
    those began to ``train_on`` something, unless others are given.

    Raises:
        UserError: there is no such run, another process is writing it, its device or clips have changed, an
            amendment is no good, or nothing trained keeps the budget.
    """
    folder = Path(run)
    changes = Changes(minutes=minutes, trainings=trainings, data=data, db=db)
    with (
        told_if_interrupted(folder, "resume"),
        open_run(folder, watch, changes, **workforce) as opened,
    ):
        say_finished(opened.journal, watch)
        _search(opened, watch, on_progress)
    return status(run)


def _search(opened: OpenRun, watch: Watch, on_progress: OnProgress | None) -> None:
    """Search by the plan in the journal, from where it stands, and hand over the winner."""
    plan, equipment = opened.plan, opened.equipment
    recipe = replace(planned_recipe(plan), max_seconds=plan.seconds_per_training)
    winner = run_search(
        opened.journal,
        equipment.latency,
        equipment.fitness(recipe),
        equipment.executor,
        on_progress or ignore,
        exchange=opened.exchange,
    )
    _say_how_fast_predictions_were(equipment.latency, watch)
    if winner is None:
        raise UserError(_why_no_winner(opened.journal))
    trained = len(opened.journal.history().individuals)
    if plan.search.minutes is not None and trained < plan.search.trainings:
        watch.say(f"the time for the search is up, with {trained} of {plan.search.trainings} trained")
    watch.say(
        f"individual {winner.individual.number} wins: fitness {winner.individual.fitness.value:.4g}, "
        f"{winner.measurement.latency_ms:.3g} ms measured once more"
    )
    if not winner.measurement.decides(plan.budget.max_ms):
        watch.say(
            f"that it keeps {plan.budget.max_ms:g} ms is no promise: {winner.measurement.reason}; "
            f"{how_to_go_on(opened.folder)} measures again, best when the machine does nothing else"
        )
    hand_over(opened, winner, watch)


def _say_how_fast_predictions_were(latency: DeviceLatency, watch: Watch) -> None:
    if latency.judged:
        watch.say(
            f"predictions judged {latency.judged:,} genomes in "
            f"{1000 * latency.judging_seconds / latency.judged:.2g} ms each"
        )


def _what_fitness_is(dataset: Dataset, plan: SearchPlan) -> str:
    scores = "mean average precision, 1 at most" if dataset.multi_label else "top-1 + top-5, 2 at most"
    clips, most = len(dataset.validation), plan.validation_clips
    if most is None or most >= clips:
        return f"fitness is {scores}, on the {clips} clips to select on"
    return (
        f"fitness is {scores}, on {most} of the {clips} clips to select on, the same ones for all, chosen by "
        "the seed and of each class alike: all of them would cost more than a tenth of a training"
    )


def _why_no_winner(journal: Journal) -> str:
    """The sentence on a search that has ended without a winner, by what became of its networks."""
    run, max_ms = journal.run, journal.plan.budget.max_ms
    wanted = f"expected a trained network that keeps {max_ms:g} ms, but"
    history = journal.history()
    failures, reasons = list(history.failures.values()), history.failed_measurements
    if history.individuals:
        return (
            f"{wanted} of the {len(history.individuals)} that the run {run} has trained none does when it is "
            "measured again; raise --max-ms, or measure on a machine that does nothing else"
        )
    if failures:
        return (
            f"{wanted} all {len(failures)} trainings of the run {run} failed, the latest because of: "
            f"{failures[-1]}; mend that, and begin a new run"
        )
    if reasons and len(reasons) == history.verdicts["rejected_measured"]:
        return (
            f"{wanted} none of the {len(reasons)} that the run {run} has tried could be measured, the latest "
            f"because of: {reasons[-1]}; mend that (`tvnsearch doctor`), or search for another --backend"
        )
    undecided = [one.verdict.reason for one in history.measured if one.verdict.kind == "undecided"]
    if len(undecided) > len(history.measured) / 2:
        return (
            f"{wanted} {len(undecided)} of the {len(history.measured)} measurements of the run {run} decided "
            f"nothing, the latest because of: {undecided[-1]}; go on by "
            f"{how_to_go_on(run, options=' --minutes +60')} when the machine does nothing else"
        )
    if Tally(journal.plan, history).is_out_of_time(journal.elapsed_seconds):
        return (
            f"{wanted} the run {run} found none in its time; give it more by "
            f"{how_to_go_on(run, options=' --minutes +60')}, or raise --max-ms in a new run"
        )
    return (
        f"{wanted} the run {run} found none before nothing new could be drawn, and more time would not "
        "help; raise --max-ms, or search a larger --space, in a new run"
    )
