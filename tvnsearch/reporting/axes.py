"""The frame of a figure: its size, its scales, their ticks and labels, in SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from msgspec import Struct

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 14, 44
"""The margins around what is plotted, in the units of the figure: pixels where it is shown at full size."""

MOST_TICKS = 6


class Scale(Struct, frozen=True):
    """From values to places: linear, or logarithmic where values span decades."""

    low: float
    high: float
    is_log: bool
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a value is; what lies beyond the scale is at its end."""
        value = min(max(value, self.low), self.high)
        if self.is_log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values on it."""
        if self.is_log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if len(decades) <= 3 else (1, 3) if len(decades) <= 4 else (1,)
            ticks = [step * 10.0**decade for decade in decades for step in steps]
        else:
            step = _round_step((self.high - self.low) / MOST_TICKS)
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            ticks = [step * number for number in range(first, last + 1)]
        return [tick for tick in ticks if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]


def linear(values: Iterable[float], start: float, end: float, least: float | None = None) -> Scale:
    """A scale of round ends that all values are on; it begins at ``least`` where that is given."""
    low, high = _ends(values)
    low = low if least is None else least
    if low == high:
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / MOST_TICKS)
    return Scale(step * math.floor(low / step), step * math.ceil(high / step), False, start, end)


def logarithmic(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale of decades that all positive values are on, with some room around them."""
    low, high = _ends(value for value in values if value > 0)
    return Scale(low / 1.15, high * 1.15, True, start, end)


def across(make: Scale) -> Scale:
    """The same scale from the left of a figure to its right."""
    return Scale(make.low, make.high, make.is_log, LEFT, WIDTH - RIGHT)


def upwards(make: Scale) -> Scale:
    """The same scale from the bottom of a figure to its top."""
    return Scale(make.low, make.high, make.is_log, HEIGHT - BOTTOM, TOP)


def framed(title: str, description: str, x: Scale, y: Scale, x_label: str, y_label: str) -> Element:
    """A figure with its axes, to be drawn into; screen readers are told its title and description."""
    root = Element(
        "svg",
        {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": f"{title}. {description}"},
    )
    for tick in x.ticks():
        at = number(x.place(tick))
        _line(root, "grid", at, str(TOP), at, str(HEIGHT - BOTTOM))
        _text(root, "tick", at, str(HEIGHT - BOTTOM + 17), tick_label(tick), "middle")
    for tick in y.ticks():
        at = number(y.place(tick))
        _line(root, "grid", str(LEFT), at, str(WIDTH - RIGHT), at)
        _text(root, "tick", str(LEFT - 7), number(y.place(tick) + 4), tick_label(tick), "end")
    _line(root, "axis", str(LEFT), str(HEIGHT - BOTTOM), str(WIDTH - RIGHT), str(HEIGHT - BOTTOM))
    _line(root, "axis", str(LEFT), str(TOP), str(LEFT), str(HEIGHT - BOTTOM))
    _text(root, "label", number((LEFT + WIDTH - RIGHT) / 2), str(HEIGHT - 8), x_label, "middle")
    middle = number((TOP + HEIGHT - BOTTOM) / 2)
    label = _text(root, "label", "0", "0", y_label, "middle")
    label.set("transform", f"translate(14 {middle}) rotate(-90)")
    return root


def add_path(root: Element, kind: str, points: Sequence[tuple[float, float]]) -> None:
    """A line through places; ``kind`` is the class of its style."""
    if points:
        drawn = " ".join(f"{number(x)} {number(y)}" for x, y in points)
        SubElement(root, "path", {"class": kind, "d": f"M{drawn}"})


def add_dot(root: Element, kind: str, x: float, y: float, individual: int | None = None) -> None:
    """A dot; ``individual`` is the number of what is shown where it is pointed at."""
    about = {} if individual is None else {"data-n": str(individual)}
    SubElement(root, "circle", {"class": kind, "cx": number(x), "cy": number(y), "r": "3.5", **about})


def add_upright(root: Element, kind: str, x: float, name: str) -> Element:
    """A line across the whole height at ``x``, with its name beside it; both in one group."""
    group = SubElement(root, "g", {"class": kind})
    _line(group, "", number(x), str(TOP), number(x), str(HEIGHT - BOTTOM))
    is_right = x > WIDTH - RIGHT - 110
    _text(group, "", number(x + (-5 if is_right else 5)), str(TOP + 12), name, "end" if is_right else "start")
    return group


def svg_text(root: Element) -> str:
    """A figure as text that stands in HTML as it is."""
    text: bytes = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False)
    return text.decode("ascii")


def tick_label(value: float) -> str:
    """A round value for people."""
    return "0" if abs(value) < 1e-12 else f"{value:,.10g}" if abs(value) >= 1 else f"{value:.4g}"


def number(value: float) -> str:
    """A place, to a tenth of a pixel."""
    return f"{round(value, 1) + 0.0:g}"


def _ends(values: Iterable[float]) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)]
    return (min(known), max(known)) if known else (0.1, 1.0)


def _round_step(least: float) -> float:
    decade = 10.0 ** math.floor(math.log10(least))
    return next(step * decade for step in (1, 2, 2.5, 5, 10) if step * decade >= least * (1 - 1e-9))


def _line(root: Element, kind: str, x1: str, y1: str, x2: str, y2: str) -> None:
    styled = {"class": kind} if kind else {}
    SubElement(root, "line", {**styled, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _text(root: Element, kind: str, x: str, y: str, text: str, anchor: str) -> Element:
    styled = {"class": kind} if kind else {}
    element = SubElement(root, "text", {**styled, "x": x, "y": y, "text-anchor": anchor})
    element.text = text
    return element
