"""A search that is only planned, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict

from cli.output import out
from tvnsearch.api.times import written_place, written_time

if TYPE_CHECKING:
    from tvnsearch.api.dry_run import PlanReport


def print_plan(report: PlanReport) -> None:
    """What would be trained, for how long, and what the budget leaves of the space."""
    for line in plan_lines(report):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def plan_lines(report: PlanReport) -> list[str]:
    """The plan in four lines, and one more where networks are started from."""
    each = report.seconds_per_training
    length = f"{report.iterations:,} iterations" if each is None else f"{each:.0f} seconds"
    tournament = "" if report.strategy not in ("tournament", "ageing") else f", {report.tournament} compete"
    switched_on = [name.replace("_", "-") for name, on in asdict(report.accelerations).items() if on]
    faster = f", accelerated by {', '.join(switched_on)}" if switched_on else ""
    winner = report.winner_minutes
    left = report.space_left
    share = left.within_predictions / left.within_counts if left.within_counts else 0.0
    names = ", ".join(report.start_from)
    return [
        f"train   {report.trainings:,} networks for {length} each, {report.workers} at once",
        f"search  strategy {report.strategy}, a pool of {report.population}{tournament}{faster}",
        *([f"start   {names}"] if names else []),
        f"time    about {written_time(3600 * report.hours)} {written_place(report.device, report.train_on)}"
        + ("" if winner is None else f", {written_time(60 * winner)} of them for the winner alone"),
        f"budget  {100 * left.within_counts / left.genomes:.1f} % of {left.genomes:,} random genomes are "
        f"within the counted limits, and the predictor lets {100 * share:.1f} % of those through",
    ]
