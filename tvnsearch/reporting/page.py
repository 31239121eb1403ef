"""The page of a run as HTML: its data and figures put into the template, everything escaped."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import to_builtins

from tvnsearch.devices.measurement import written_interval
from tvnsearch.json_text import json_of
from tvnsearch.reporting.figures import (
    bars,
    fitness_over_time,
    latency_against_fitness,
    latency_scale,
    predicted_against_measured,
)
from tvnsearch.reporting.records import FitnessAt, LayerRow, RunPage, TrainedPoint

MOST_ROWS = 50
"""So many of the fittest stand in the table beside the figure; `tvnsearch pick` knows the others."""


def page_html(page: RunPage) -> str:
    """One HTML file that needs nothing else."""
    known = {point.number: point for point in page.trained}
    picked_at_budget = [pick for pick in page.picks if pick.from_ms <= page.max_ms]
    html: str = _template().render(
        page=page,
        known=known,
        picked=picked_at_budget[-1] if picked_at_budget else None,
        fittest=sorted(page.trained, key=lambda point: (-point.fitness, point.number))[:MOST_ROWS],
        improvements=_improvements(page),
        figures=_figures(page),
        script_data=script_data(page),
    )
    return html


def _improvements(page: RunPage) -> list[tuple[str, FitnessAt]]:
    """The trainings that came to more than all before them, each with the name of its run."""
    return [
        (course.name, at)
        for course in filter(None, [page.course, page.control])
        for before, at in pairwise([None, *course.fitness])
        if at is not None and at.best != (None if before is None else before.best)
    ]


def script_data(page: RunPage) -> dict[str, Any]:
    """What the page's script needs, as compact as 10,000 individuals ask for."""
    scale = latency_scale(page)
    return {
        "scale": {"low": scale.low, "high": scale.high, "start": scale.start, "end": scale.end},
        "maxMs": page.max_ms,
        "trained": [_row(point) for point in page.trained],
        "genomes": {
            str(point.number): to_builtins(point.genome) for point in page.trained if point.genome is not None
        },
        "picks": [[pick.from_ms, pick.number, int(pick.promised)] for pick in page.picks],
    }


def _row(point: TrainedPoint) -> list[Any]:
    interval = [None if ms is None else round(ms, 4) for ms in (point.ci_low_ms, point.ci_high_ms)]
    figures = [round(point.fitness, 4), round(point.latency_ms, 4), *interval, point.params]
    return [point.number, point.genome_id, *figures, int(point.is_foretold)]


def _figures(page: RunPage) -> dict[str, Markup]:
    """Figures are made from numbers and escaped text by an XML writer: they stand in the page as they are."""
    drawn = {
        "course": fitness_over_time(page),
        "front": latency_against_fitness(page),
        "fates": bars(
            "What became of the genomes",
            [(fate.what, float(fate.count), f"{fate.count:,}") for fate in page.fates],
        ),
    }
    if page.predictions is not None:
        drawn["predictions"] = predicted_against_measured(page.predictions)
    if page.winner is not None:
        drawn["winner"] = page.winner.svg[page.winner.svg.index("<svg") :]
        if page.winner.timed_in:
            drawn["layers"] = bars(
                "Milliseconds a layer",
                [
                    (
                        f"{row.place} {row.layer}".strip(),
                        row.latency_ms or 0.0,
                        f"{row.latency_ms or 0.0:.3f} ms",
                    )
                    for row in page.winner.layers
                ],
            )
    return {name: Markup(svg) for name, svg in drawn.items()}


def _bar_of(row: LayerRow) -> tuple[str, float, str]:
    latency_ms = row.latency_ms or 0.0
    return f"{row.place} {row.layer}".strip(), latency_ms, f"{latency_ms:.3f} ms"


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("tvnsearch.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["interval"] = lambda of: written_interval(of.ci_low_ms, of.ci_high_ms)
    environment.filters["json"] = json_of
    environment.filters["source"] = lambda name: Markup(_source(environment, name))
    return environment.get_template("page.html.jinja")


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    source: str = environment.loader.get_source(environment, name)[0]
    return source
