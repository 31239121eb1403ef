"""A search carried out from where its journal stands to the winner's files; any step can be interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.clips import prepare, requested_clips
from cli.compose import DeviceLatency, TrainedFitness, database_path
from cli.planning import open_workers
from cli.request import optional_path, request_of, requested_device
from cli.run_report import run_report
from cli.search_view import SearchView
from cli.winning import hand_over
from tvnsearch.errors import UserError
from tvnsearch.search.engine import run_search
from tvnsearch.search.executors import Workforce
from tvnsearch.search.journal import Journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.training.recipe import Recipe


def carry_out(run: Path, workforce: Workforce) -> dict[str, Any]:
    """Search by the plan in the journal of ``run``, from where it stands, and hand over the winner.

    ``workforce`` trains. Returns the run's report.

    Raises:
        UserError: nothing that was trained keeps the budget, the device changed since the run began, or
            another process is writing the run.
    """
    with Journal.open(run) as journal:
        _search(journal, workforce)
    return run_report(run)


def _search(journal: Journal, workforce: Workforce) -> None:
    run, plan = journal.run, journal.plan
    request = request_of(plan)
    cache, source = requested_clips(request)
    prepare(cache)
    db = database_path(optional_path(request.db))
    device = requested_device(request)
    with DeviceLatency.open(device, db, plan.classes, request.elsewhere_max_ms) as latency:
        if latency.digest != plan.device_digest:
            raise UserError(
                f"expected the device {plan.device_digest} that the run {run} was begun on, "
                f"but this is {latency.digest}; go on there, or begin a new run"
            )
        fitness = TrainedFitness(source, _recipe(plan), request.device)
        with open_workers(request, workforce) as executor:
            with SearchView(plan.budget.max_ms, plan.minutes) as view:
                winner = run_search(journal, latency, fitness, executor, view.show)
            if winner is None:
                raise UserError(
                    f"expected a trained network that keeps {request.max_ms:g} ms, but the run {run} found "
                    "none in its time; give it more --minutes, or raise --max-ms"
                )
            hand_over(run, winner, request, cache.dataset, fitness, executor)


def _recipe(plan: SearchPlan) -> Recipe:
    return Recipe(iterations=plan.iterations, max_seconds=plan.seconds_per_training)
