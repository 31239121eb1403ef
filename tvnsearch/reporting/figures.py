"""The figures of a run's page, each from the page's data, as SVG text."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from tvnsearch.reporting.axes import (
    WIDTH,
    Scale,
    across,
    add_dot,
    add_path,
    add_upright,
    framed,
    linear,
    logarithmic,
    number,
    svg_text,
    upwards,
)
from tvnsearch.reporting.records import Course, Predictions, RunPage, TrainedPoint

MOST_PREDICTIONS = 2000
"""More dots than these hide each other; every n-th is drawn then."""


def fitness_over_time(page: RunPage) -> str:
    """Every training when it ended, and the best so far; a control run beside it (the paper's Figure 7)."""
    courses = [page.course, *([page.control] if page.control else [])]
    seen = [at for course in courses for at in course.fitness]
    in_minutes = max((at.hours for at in seen), default=0.0) < 2
    unit = 60 if in_minutes else 1
    x = across(linear([unit * at.hours for at in seen] or [0.0, 1.0], 0, 1, least=0.0))
    y = upwards(linear([at.fitness for at in seen] or [0.0, 1.0], 0, 1))
    best = page.course.fitness[-1].best if page.course.fitness else None
    described = f"The best of {len(page.course.fitness)} trainings reached "
    described += "none yet" if best is None else f"{best:.3f}"
    time = f"wall-clock time of the run, {'minutes' if in_minutes else 'hours'}"
    root = framed("Fitness over time", described, x, y, time, page.fitness_name)
    for course, kind in zip(courses, ("run", "control"), strict=False):
        for at in course.fitness:
            about = at.number if course is page.course else None
            place = x.place(unit * at.hours), y.place(at.fitness)
            add_dot(root, f"{kind} foretold" if at.is_foretold else kind, *place, about)
        add_path(root, f"best {kind}", _steps(course, x, y, unit))
    return svg_text(root)


def _steps(course: Course, x: Scale, y: Scale, unit: float) -> list[tuple[float, float]]:
    """The best so far as stairs: it stays until a better one has come."""
    stairs: list[tuple[float, float]] = []
    for at in course.fitness:
        if at.best is not None:
            place = x.place(unit * at.hours), y.place(at.best)
            if not stairs or stairs[-1][1] != place[1]:
                stairs += [(place[0], stairs[-1][1]), place] if stairs else [place]
    if stairs:
        stairs.append((x.place(unit * course.fitness[-1].hours), stairs[-1][1]))
    return stairs


def latency_scale(page: RunPage) -> Scale:
    """The scale of latencies in :func:`latency_against_fitness`, the budget on it."""
    return across(logarithmic([*(point.latency_ms for point in page.trained), page.max_ms], 0, 1))


def latency_against_fitness(page: RunPage) -> str:
    """Every individual, those that none beats joined, and the budget (the paper's Figure 2)."""
    x = latency_scale(page)
    y = upwards(linear([point.fitness for point in page.trained] or [0.0, 1.0], 0, 1))
    front = sorted((point for point in page.trained if point.on_front), key=lambda point: point.latency_ms)
    described = f"{len(page.trained)} networks, {len(front)} of them on the front; budget {page.max_ms:g} ms"
    root = framed(
        "Latency against fitness", described, x, y, "measured latency, ms (logarithmic)", page.fitness_name
    )
    add_upright(root, "budget", x.place(page.max_ms), f"budget {page.max_ms:g} ms")
    ends = {"y1": number(y.end), "y2": number(y.start)}
    SubElement(root, "line", {"id": "asked", "class": "asked", "x1": "0", "x2": "0", **ends})
    stairs: list[tuple[float, float]] = []
    for point in front:
        place = x.place(point.latency_ms), y.place(point.fitness)
        stairs += [(place[0], stairs[-1][1]), place] if stairs else [place]
    add_path(root, "front", stairs)
    for point in sorted(page.trained, key=lambda point: point.on_front):
        add_dot(root, _kind(point, page), x.place(point.latency_ms), y.place(point.fitness), point.number)
    return svg_text(root)


def _kind(point: TrainedPoint, page: RunPage) -> str:
    if page.promise is not None and point.number == page.promise.number:
        return "winner"
    return ("on-front" if point.on_front else "run") + (" foretold" if point.is_foretold else "")


def predicted_against_measured(predictions: Predictions) -> str:
    """What was predicted of each measured network with its bounds, against what was measured."""
    every = -(-len(predictions.met) // MOST_PREDICTIONS)
    met = predictions.met[::every]
    values = [ms for one in met for ms in (one.lower_ms, one.upper_ms, one.measured_ms)]
    shared = logarithmic(values, 0, 1)
    x, y = across(shared), upwards(shared)
    described = (
        f"Of {len(predictions.met)} networks {predictions.within_bounds:.1%} were measured within their "
        f"bounds; the median error is {predictions.median_error:.1%}"
    )
    root = framed("Predicted against measured latency", described, x, y, "measured, ms", "predicted, ms")
    add_path(root, "equal", [(x.start, y.start), (x.end, y.end)])
    bounds = (
        f"M{number(x.place(one.measured_ms))} {number(y.place(one.lower_ms))}V{number(y.place(one.upper_ms))}"
        for one in met
    )
    SubElement(root, "path", {"class": "bounds", "d": "".join(bounds)})
    for one in met:
        is_within = one.lower_ms <= one.measured_ms <= one.upper_ms
        kind = "run" if is_within else "outside"
        add_dot(root, kind, x.place(one.measured_ms), y.place(one.predicted_ms), one.number)
    return svg_text(root)


BAR_HEIGHT, BAR_STEP = 16, 24


def bars(title: str, rows: list[tuple[str, float, str]]) -> str:
    """Horizontal bars: what each is, how long it is, and what stands at its end."""
    room, names = 130.0, 230
    longest = max((value for _, value, _ in rows), default=0.0) or 1.0
    height = BAR_STEP * len(rows) + 4
    root = framed_bars(title, height)
    for position, (name, value, told) in enumerate(rows):
        y = BAR_STEP * position + 4
        label = SubElement(
            root, "text", {"x": str(names - 8), "y": str(y + 12), "text-anchor": "end", "class": "tick"}
        )
        label.text = name
        width = number(max(1.0, room * value / longest)) if value else "0"
        SubElement(
            root,
            "rect",
            {"class": "bar", "x": str(names), "y": str(y), "width": width, "height": str(BAR_HEIGHT)},
        )
        end = SubElement(
            root, "text", {"x": number(names + float(width) + 6), "y": str(y + 12), "class": "tick"}
        )
        end.text = told
    return svg_text(root)


def framed_bars(title: str, height: int) -> Element:
    """An empty figure of bars."""
    return Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "aria-label": title})
