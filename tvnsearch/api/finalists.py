"""The finals of a run: its best networks at full length, and the best of those handed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from cli.output import ProgressBar, say
from tvnsearch.api.handover import hand_over_finalist
from tvnsearch.api.open_run import open_bench
from tvnsearch.api.status import run_report
from tvnsearch.errors import UserError
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.outcome.finalists import run_finalists
from tvnsearch.search.records import Finalist
from tvnsearch.search.run_folder import finalist_weights_path
from tvnsearch.search.settings import Workforce


class FinalistReport(Struct, frozen=True):
    """A finalist: fitness in the search and after a whole training, and its fresh measurement."""

    number: int
    search_fitness: float
    fitness: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    latency_ms: float
    ci_low_ms: float
    ci_high_ms: float
    params: int
    macs: int
    weights: str


def hold_finals(run: Path, count: int, workforce: Workforce) -> dict[str, Any]:
    """Train the best ``count`` networks of ``run`` at full length, measure them again, hand over the best.

    Returns the run's report with its ``finalists``, the best first.

    Raises:
        UserError: nothing keeps the budget, the device changed, or another process is writing the run.
    """
    with Journal.open(run) as journal, open_bench(journal, workforce, seconds_per_training=None) as bench:
        shares: dict[int, float] = {}
        with ProgressBar("finalists") as bar:

            def show(number: int, share: float) -> None:
                shares[number] = share
                bar.update(sum(shares.values()) / count, f"{len(shares)} of {count} begun")

            finalists = run_finalists(journal, bench.latency, bench.fitness, bench.executor, count, say, show)
        if not finalists:
            raise UserError(
                f"expected a network of the run {run} that keeps {journal.plan.budget.max_ms:g} ms when it "
                "is measured again and trained at full length, but none does; search on with "
                f"`tvnsearch resume {run}`, or raise --max-ms in a new run"
            )
        hand_over_finalist(run, finalists[0], bench.dataset, bench.fitness, bench.executor)
    return run_report(run) | {"finalists": [to_builtins(_report(run, one)) for one in finalists]}


def _report(run: Path, finalist: Finalist) -> FinalistReport:
    individual, fitness, measurement = finalist.individual, finalist.fitness, finalist.measurement
    return FinalistReport(
        number=individual.number,
        search_fitness=individual.fitness.value,
        fitness=fitness.value,
        top1=fitness.top1,
        top5=fitness.top5,
        mean_average_precision=fitness.mean_average_precision,
        latency_ms=measurement.latency_ms,
        ci_low_ms=measurement.ci_low_ms,
        ci_high_ms=measurement.ci_high_ms,
        params=individual.params,
        macs=individual.macs,
        weights=str(finalist_weights_path(run, individual.number)),
    )
