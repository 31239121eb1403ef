"""The finals of a run: its best networks at full length, and the best of those handed over."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Unpack

from msgspec import Struct
from msgspec.structs import asdict

from tvnsearch.api.amending import Changes
from tvnsearch.api.handover import hand_over_finalist
from tvnsearch.api.interruption import told_if_interrupted
from tvnsearch.api.open_run import open_run
from tvnsearch.api.recipes import (
    RecipeLike,
    final_recipe,
    other_than_planned,
    read_recipe,
    written_recipe,
)
from tvnsearch.api.search_options import WorkforceOptions
from tvnsearch.api.status import RunReport, status
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.errors import UserError
from tvnsearch.search.outcome.finalists import run_finalists
from tvnsearch.search.records import Finalist
from tvnsearch.search.run_folder import finalist_weights_path
from tvnsearch.search.settings import require_positive


class FinalistReport(Struct, frozen=True):
    """A finalist: fitness in the search and after a whole training, its length, and a fresh measurement.

    ``reason`` says why that is not ``trusted``, and is empty where it is.
    """

    number: int
    search_fitness: float
    fitness: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    iterations: int
    latency_ms: float
    ci_low_ms: float | None
    ci_high_ms: float | None
    trusted: bool
    reason: str
    params: int
    macs: int
    weights: str


class FinalsReport(RunReport, frozen=True, kw_only=True):
    """How a run stands after its finals; the best finalist comes first."""

    finalists: tuple[FinalistReport, ...]


def finalists(
    run: str | Path,
    count: int = 3,
    *,
    recipe: RecipeLike | None = None,
    iterations: int | None = None,
    data: str | Path | None = None,
    db: str | Path | None = None,
    watch: Watch = SILENT,
    **workforce: Unpack[WorkforceOptions],
) -> FinalsReport:
    """Train the best ``count`` networks of ``run`` at full length, measured freshly, and hand over the best.

    They are trained by the run's recipe and for its ``iterations``, or by another ``recipe``, which brings
    its own iterations, unless those are given; only who was trained alike is compared. It trains with as many
    ``workers``, on the ``executor`` and at the ``address``, as the run began, and on what it began to
    ``train_on``, unless others are given. ``data`` and ``db`` say where its clips and its latency database
    are now.

    Raises:
        UserError: nothing keeps the budget, there is no such run or recipe, another process is writing it, or
            its device or clips have changed.
    """
    require_positive("count", count)
    if iterations is not None:
        require_positive("iterations", iterations)
    folder = Path(run)
    changes = Changes(data=data, db=db)
    wanted = None if recipe is None else read_recipe(recipe)
    with (
        told_if_interrupted(folder, "finalists", _as_given(count, recipe, iterations)),
        open_run(folder, watch, changes, **workforce) as opened,
    ):
        plan, equipment = opened.plan, opened.equipment
        whole = final_recipe(plan, wanted, iterations)
        other = other_than_planned(whole, plan)
        if other is not None:
            watch.say(
                f"finalists are trained for {whole.iterations:,} iterations, those of the plan are "
                f"{plan.training.iterations:,}; recipe: {written_recipe(whole)}"
            )
        shares: dict[int, float] = {}

        def show(number: int, share: float) -> None:
            shares[number] = share
            watch.progress("finalists", sum(shares.values()) / count, f"{len(shares)} of {count} begun")

        ranked = run_finalists(
            opened.journal,
            equipment.latency,
            equipment.fitness(whole),
            equipment.executor,
            count,
            watch.say,
            show,
            other,
            opened.exchange,
        )
        if not ranked:
            raise UserError(
                f"expected a network of the run {folder} that keeps {plan.budget.max_ms:g} ms when it is "
                "measured again and trained at full length, but none does; search on with "
                f"`tvnsearch resume {folder}`, or raise --max-ms in a new run"
            )
        winner = opened.journal.history().winner
        if winner is not None and winner.individual.number == ranked[0].individual.number:
            hand_over_finalist(opened, ranked[0], watch)
        else:
            watch.say("none of the finalists can be promised: the winner that was promised stays")
    reports = tuple(_report(folder, finalist) for finalist in ranked)
    return FinalsReport(**asdict(status(folder)), finalists=reports)


def _as_given(count: int, recipe: RecipeLike | None, iterations: int | None) -> str:
    """The options of the command that goes on with such finals, but for a recipe that is no name or file."""
    options: dict[str, Any] = {"--count": count, "--iterations": iterations}
    options["--recipe"] = recipe if isinstance(recipe, str | Path) else None
    return "".join(
        f" {name} {shlex.quote(str(value))}" for name, value in options.items() if value is not None
    )


def _report(run: Path, finalist: Finalist) -> FinalistReport:
    individual, fitness, measurement = finalist.individual, finalist.fitness, finalist.measurement
    return FinalistReport(
        number=individual.number,
        search_fitness=individual.fitness.value,
        fitness=fitness.value,
        top1=fitness.top1,
        top5=fitness.top5,
        mean_average_precision=fitness.mean_average_precision,
        iterations=fitness.iterations,
        latency_ms=measurement.latency_ms,
        ci_low_ms=measurement.ci_low_ms,
        ci_high_ms=measurement.ci_high_ms,
        trusted=measurement.trusted,
        reason=measurement.reason,
        params=individual.params,
        macs=individual.macs,
        weights=str(finalist_weights_path(run, individual.number, finalist.recipe)),
    )
