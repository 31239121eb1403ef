"""A search carried out from where its journal stands to the winner's files; any step can be interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.search_view import SearchView
from tvnsearch.api.handover import hand_over
from tvnsearch.api.open_run import open_bench
from tvnsearch.api.status import run_report
from tvnsearch.errors import UserError
from tvnsearch.search.engine import run_search
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.settings import Workforce


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
    plan = journal.plan
    with open_bench(journal, workforce, plan.seconds_per_training) as bench:
        with SearchView(plan.budget.max_ms, plan.search.minutes) as view:
            winner = run_search(journal, bench.latency, bench.fitness, bench.executor, view.show)
        if winner is None:
            raise UserError(_why_no_winner(journal))
        hand_over(journal, winner, bench.request, bench.dataset, bench.fitness, bench.executor)


def _why_no_winner(journal: Journal) -> str:
    """The sentence on a search that has ended without a winner, by what became of its networks."""
    run, max_ms = journal.run, journal.plan.budget.max_ms
    wanted = f"expected a trained network that keeps {max_ms:g} ms, but"
    trained, failures = len(journal.individuals()), list(journal.failures().values())
    if trained:
        return (
            f"{wanted} of the {trained} that the run {run} has trained none does when it is measured again; "
            "raise --max-ms, or measure on a machine that does nothing else"
        )
    if failures:
        return (
            f"{wanted} all {len(failures)} trainings of the run {run} failed, the latest because of: "
            f"{failures[-1]}; mend that, and begin a new run"
        )
    reasons = journal.failed_measurements()
    if reasons and len(reasons) == journal.verdict_counts()["rejected_measured"]:
        return (
            f"{wanted} none of the {len(reasons)} that the run {run} has tried could be measured, the latest "
            f"because of: {reasons[-1]}; mend that (`tvnsearch doctor`), or search for another --backend"
        )
    return f"{wanted} the run {run} found none in its time; give it more --minutes, or raise --max-ms"
