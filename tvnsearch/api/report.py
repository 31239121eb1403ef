"""The page of a run: what it came to and how, in one HTML file that opens offline. Imports nothing heavy."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from tvnsearch.api.files import check_text_place, write_text
from tvnsearch.api.report_search import course_of, fates_of, predictions_of, trained_points
from tvnsearch.api.report_winner import lineage_of, promise_of, winner_part
from tvnsearch.api.status import status
from tvnsearch.files import as_text
from tvnsearch.json_text import json_of
from tvnsearch.reporting.records import RunPage, Setting
from tvnsearch.search.budget import counted_limits, written_limit
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.outcome.picks import picks_by_budget
from tvnsearch.search.outcome.rebudget import best_known
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.settings import GROUPS

PACKAGES = ("tvnsearch", "torch", "numpy", "lightgbm", "onnxruntime", "openvino", "ray")


def report(run: str | Path, *, out: str | Path | None = None, control: str | Path | None = None) -> RunPage:
    """Write the page of a run, also while it runs: by default ``report.html`` in its folder.

    Beside it the fitness of the run ``control`` is drawn, as of a random search with the same plan. What the
    page shows is given back as data.

    Raises:
        UserError: there is no such run, it cannot be read, or the page not be written.
    """
    from tvnsearch.reporting.page import page_html

    place = Path(run) / "report.html" if out is None else out
    page = run_page(Path(run), None if control is None else Path(control))
    check_text_place(place)
    write_text(place, page_html(page))
    return page


def run_page(run: Path, control: Path | None = None) -> RunPage:
    """What the page of a run shows, as data.

    Raises:
        UserError: there is no such run, or it cannot be read.
    """
    told = status(run)
    with Journal.read(run) as journal:
        plan, history = journal.plan, journal.history()
        predictions = predictions_of(journal.events(), plan.device.level)
    individuals = best_known(history)
    picks = picks_by_budget(individuals)
    lineage = []
    if told.winner is not None:
        lineage = lineage_of(told.winner.number, {one.number: one for one in individuals})
    looked_at = {pick.number for pick in picks} | {ancestor.number for ancestor in lineage}
    has_several_labels = any(one.fitness.mean_average_precision is not None for one in individuals)
    return RunPage(
        run=as_text(run),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        hours=told.hours,
        max_ms=told.max_ms,
        limits=_limits(plan),
        fitness_name=f"fitness ({'mAP' if has_several_labels else 'top-1 + top-5'})",
        promise=promise_of(told, plan),
        winner=winner_part(told, plan),
        trained=trained_points(individuals, looked_at),
        picks=picks,
        course=course_of(run),
        control=None if control is None else course_of(control),
        predictions=predictions,
        fates=fates_of(told, plan),
        lineage=lineage,
        settings=[*_settings(plan), *_versions()],
        classes=list(plan.class_names),
    )


def _limits(plan: SearchPlan) -> list[str]:
    others = plan.budget.others_max_ms.items()
    return [
        written_limit("--max-ms", plan.budget.max_ms),
        *[written_limit(f"--max-ms {device}=", max_ms) for device, max_ms in others],
        *[written_limit(limit.option, limit.maximum) for limit in counted_limits(plan.budget)],
    ]


def _settings(plan: SearchPlan) -> list[Setting]:
    """What the plan holds, and beside it what was asked for where that was scaled to the time."""
    settings = []
    asked = to_builtins(plan.asked)
    planned = to_builtins(plan)
    for group in GROUPS:
        for name, was_asked in asked[group].items():
            value = planned.get(group, asked[group])[name]
            scaled = "" if value == was_asked else f" (asked: {_written(was_asked)})"
            settings.append(Setting(group, name, _written(value) + scaled))
    settings += [Setting("space", name, _written(value)) for name, value in planned["space"].items()]
    others = planned.keys() - {"asked", "space", "class_names", *GROUPS}
    return [
        *settings,
        *[Setting("plan", name, _written(planned[name])) for name in planned if name in others],
    ]


def _written(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json_of(value)


def _versions() -> list[Setting]:
    """Those that write the page."""
    found = [Setting("versions", "Python", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append(Setting("versions", package, version(package)))
        except PackageNotFoundError:
            continue
    return found
