"""Wires, and how parts stand along them: one after the other, in lines, or side by side.

A part is entered at the left, ``inlet`` below its top, and left at the right, ``outlet`` below its top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from tvnsearch.drawing.picture import PARAMETER_SIZE, Item, Join, Point, Text, Wire

GAP = 16.0
LINE_GAP = 28.0
TURN = 10.0
"""How far behind the last part of a line the wire turns down to the next line."""

LANE_GAP = 10.0
FORK = 20.0
JOIN = 30.0
EMPTY_LANE_HEIGHT = 16.0


class Part(Protocol):
    """Something that can be placed in a line."""

    width: float
    height: float
    inlet: float
    outlet: float

    def place(self, x: float, y: float) -> Iterator[Item]:
        """What it consists of, its top left corner at ``x``, ``y``."""


class Lead(Struct, frozen=True):
    """The wire into a part; ``captions`` stand over and under it."""

    width: float = GAP
    captions: tuple[str, ...] = ()
    has_arrow: bool = False

    def place(self, end: Point) -> Iterator[Item]:
        """The captions; the wire depends on where it comes from."""
        x, y = end
        for caption, baseline in zip(self.captions, (y - 6.0, y + 14.0), strict=False):
            yield Text(x - self.width / 2, baseline, caption, PARAMETER_SIZE, "muted", "middle")


class _Line(Struct, frozen=True):
    steps: tuple[tuple[Lead, Part], ...]

    @property
    def width(self) -> float:
        return sum(lead.width + part.width for lead, part in self.steps)

    @property
    def axis(self) -> float:
        return max(part.inlet for _, part in self.steps)

    @property
    def height(self) -> float:
        return self.axis + max(part.height - part.inlet for _, part in self.steps)


class Flow:
    """Parts one after the other, in as many lines as a ``limit`` on the width asks for.

    ``tail`` is how far right the last part ends; from there on, the wire is the caller's.
    """

    def __init__(self, steps: Sequence[tuple[Lead, Part]], limit: float, idle: bool = False) -> None:
        self.idle = idle
        self._lines = _evened(steps, limit)
        *upper, last = self._lines or [_Line(())]
        self.tail = last.width
        self.width = max([last.width, *(line.width + TURN for line in upper)])
        self.height = EMPTY_LANE_HEIGHT
        self.inlet = self.outlet = EMPTY_LANE_HEIGHT / 2
        if self._lines:
            self.height = sum(line.height for line in self._lines) + LINE_GAP * len(upper)
            self.inlet = self._lines[0].axis
            _, end = last.steps[-1]
            self.outlet = self.height - last.height + last.axis - end.inlet + end.outlet

    def place(self, x: float, y: float) -> Iterator[Item]:
        """The parts with the wires between them."""
        tip: Point | None = None
        for line in self._lines:
            cursor, axis = x, y + line.axis
            for number, (lead, part) in enumerate(line.steps):
                cursor += lead.width
                if tip is not None:
                    way = _to_next_line(tip, x, y - LINE_GAP / 2, axis) if number == 0 else _aside(tip, axis)
                    yield Wire((*way, (cursor, axis)), self.idle, lead.has_arrow)
                yield from lead.place((cursor, axis))
                yield from part.place(cursor, axis - part.inlet)
                cursor += part.width
                tip = cursor, axis - part.inlet + part.outlet
            y += line.height + LINE_GAP


class Fork:
    """Lanes side by side from one wire into one wire; lanes that are not executed are ``idle``."""

    def __init__(self, how: Literal["sum", "concat"], lanes: Sequence[Flow]) -> None:
        self._how = how
        self._lanes = lanes
        self._tops = [0.0]
        for lane in lanes:
            self._tops.append(self._tops[-1] + lane.height + LANE_GAP)
        self.width = FORK + max(lane.width for lane in lanes) + JOIN
        self.height = self._tops[-1] - LANE_GAP
        self.inlet = self.outlet = (lanes[0].inlet + self._tops[-2] + lanes[-1].inlet) / 2

    def place(self, x: float, y: float) -> Iterator[Item]:
        """The lanes, the wires to and from them, and the join."""
        start, middle = (x, y + self.inlet), x + self.width - JOIN / 2
        bus, axis = x + FORK / 2, y + self.outlet
        ends = [y + top + lane.outlet for top, lane in zip(self._tops, self._lanes, strict=False)]
        for lane, top, end in zip(self._lanes, self._tops, ends, strict=False):
            entry = y + top + lane.inlet
            yield Wire((start, (bus, start[1]), (bus, entry), (x + FORK, entry)), lane.idle)
            yield from lane.place(x + FORK, y + top)
            turn = () if self._how == "concat" else ((middle, axis),)
            yield Wire(((x + FORK + lane.tail, end), (middle, end), *turn), lane.idle)
        yield Wire(((middle, axis), (x + self.width, axis)))
        first, last = min(*ends, axis), max(*ends, axis)
        bar = Join(middle, (first + last) / 2, "concat", last - first + EMPTY_LANE_HEIGHT)
        yield bar if self._how == "concat" else Join(middle, axis, "sum")


def _evened(steps: Sequence[tuple[Lead, Part]], limit: float) -> list[_Line]:
    """As few lines as the limit allows, then as narrow as that number of lines allows."""
    lines = _broken(steps, limit)
    while len(lines) > 1:
        narrower = _broken(steps, max(line.width for line in lines) - 1.0)
        if len(narrower) > len(lines) or narrower == lines:
            break
        lines = narrower
    return lines


def _broken(steps: Sequence[tuple[Lead, Part]], limit: float) -> list[_Line]:
    lines: list[_Line] = []
    width = 0.0
    for lead, part in steps:
        step_width = lead.width + part.width
        if lines and width + step_width <= limit:
            lines[-1] = _Line((*lines[-1].steps, (lead, part)))
            width += step_width
        else:
            lines.append(_Line(((lead, part),)))
            width = step_width
    return lines


def _to_next_line(tip: Point, left: float, gutter: float, axis: float) -> tuple[Point, ...]:
    x, y = tip
    return tip, (x + TURN, y), (x + TURN, gutter), (left, gutter), (left, axis)


def _aside(tip: Point, axis: float) -> tuple[Point, ...]:
    x, y = tip
    return tip, (x + TURN / 2, y), (x + TURN / 2, axis)
