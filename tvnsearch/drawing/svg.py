"""Pictures as SVG text: plain shapes and text, no scripts, no fonts of their own, the same every time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tvnsearch.drawing.labels import Family
from tvnsearch.drawing.layout import draw_network
from tvnsearch.drawing.picture import (
    JOIN_RADIUS,
    NAME_SIZE,
    PARAMETER_SIZE,
    TEXT_LINE,
    Box,
    Frame,
    Item,
    Join,
    Mark,
    Picture,
    Point,
    Text,
    Tone,
    Wire,
)
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

COLOURS: dict[Family, tuple[str, str]] = {
    "spatial convolution": ("#cfe1f5", "#3573b1"),
    "depthwise convolution": ("#c3ecea", "#16837e"),
    "temporal convolution": ("#fdddb8", "#c46a10"),
    "3-D convolution": ("#dcd3f4", "#6a4bb8"),
    "inverted residual": ("#e9d9c6", "#8a5f35"),
    "pooling": ("#d6ebc6", "#528a2b"),
    "squeeze-excite": ("#fbf1a9", "#9a8200"),
    "context gate": ("#f9d0e3", "#b8407c"),
    "non-local": ("#f8cdc5", "#bf3f2c"),
    "temporal shift": ("#e4e7c4", "#77803a"),
    "linear": ("#d5dbe4", "#52627a"),
    "dropout": ("#f1f1f1", "#8b8b8b"),
}
"""The fill and the line of each family's boxes."""

INK, QUIET, LINE, PAPER, BLOCK = "#1f2933", "#5b6673", "#7b8794", "#ffffff", "#f8f9fb"
TONES: dict[Tone, dict[str, str]] = {
    "strong": {"fill": INK, "font-weight": "bold"},
    "plain": {"fill": INK},
    "muted": {"fill": QUIET},
}
FONTS = "Helvetica, Arial, sans-serif"
CORNER = 7.0
"""The radius of a wire's corners."""

ARROW_LENGTH, ARROW_HALF = 7.0, 3.5
MARK_RADIUS = 4.5


def network_svg(genome: Genome, name: str, classes: int = MOMENTS_IN_TIME_CLASSES) -> str:
    """The picture of a network as SVG, in ASCII."""
    return picture_svg(draw_network(genome, name, classes))


def picture_svg(picture: Picture) -> str:
    """A picture as SVG, in ASCII."""
    width, height = _number(math.ceil(picture.width)), _number(math.ceil(picture.height))
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": width,
            "height": height,
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
            "aria-label": picture.title,
            "font-family": FONTS,
        },
    )
    SubElement(root, "title").text = picture.title
    SubElement(root, "desc").text = picture.description
    SubElement(root, "rect", {"width": width, "height": height, "fill": PAPER})
    for item in picture.items:
        _append(root, item)
    ElementTree.indent(root, " ")
    text: bytes = ElementTree.tostring(root, encoding="us-ascii")
    return text.decode("ascii") + "\n"


def _append(root: Element, item: Item) -> None:
    match item:
        case Box():
            _append_box(root, item)
        case Frame(x, y, width, height, kind):
            fill, radius = (BLOCK, 10.0) if kind == "block" else ("#dfe5ec", 3.0)
            stroke = "#c3cad3" if kind == "block" else LINE
            _append_rect(root, (x, y, width, height), radius, fill=fill, stroke=stroke)
        case Wire(points, idle, has_arrow):
            _append_wire(root, points, idle, has_arrow)
        case Mark():
            _append_mark(root, item)
        case Join():
            _append_join(root, item)
        case Text(x, y, text, size, tone, anchor):
            anchored = {"text-anchor": anchor} if anchor != "start" else {}
            _append_text(root, text, x, y, size, {**TONES[tone], **anchored})


def _append_box(root: Element, box: Box) -> None:
    fill, stroke = COLOURS[box.family]
    rect = _append_rect(
        root,
        (box.x, box.y, box.width, box.height),
        min(5.0, box.height / 4),
        fill=PAPER if box.idle else fill,
        stroke=stroke,
    )
    if box.idle:
        rect.set("stroke-dasharray", "3 3")
    lines = len(box.name) + len(box.parameters)
    baseline = box.y + (box.height - lines * TEXT_LINE) / 2 + 0.75 * TEXT_LINE
    middle = {"text-anchor": "middle"}
    tones = [TONES["muted"]] * lines if box.idle else []
    tones = tones or [*[TONES["strong"]] * len(box.name), *[TONES["plain"]] * len(box.parameters)]
    for number, (text, tone) in enumerate(zip((*box.name, *box.parameters), tones, strict=True)):
        size = NAME_SIZE if number < len(box.name) else PARAMETER_SIZE
        at = box.x + box.width / 2, baseline + number * TEXT_LINE
        _append_text(root, text, *at, size, {**tone, **middle})


def _append_wire(root: Element, points: Sequence[Point], idle: bool, has_arrow: bool) -> None:
    corners = _corners(points)
    stroke = {"fill": "none", "stroke": LINE, "stroke-width": "1.3"}
    if idle:
        stroke["stroke-dasharray"] = "3 3"
    SubElement(root, "path", {"d": _rounded(corners), **stroke})
    if has_arrow:
        (from_x, from_y), (x, y) = corners[-2:]
        along_x, along_y = _sign(x - from_x), _sign(y - from_y)
        base = x - ARROW_LENGTH * along_x, y - ARROW_LENGTH * along_y
        sides = [
            (base[0] + side * ARROW_HALF * along_y, base[1] + side * ARROW_HALF * along_x) for side in (-1, 1)
        ]
        SubElement(root, "path", {"d": f"{_path([(x, y), *sides])} Z", "fill": LINE})


def _append_mark(root: Element, mark: Mark) -> None:
    is_filled = mark.activation in ("relu6", "hswish")
    style = {"fill": INK if is_filled else PAPER, "stroke": INK, "stroke-width": "1.2"}
    if mark.activation in ("swish", "hswish"):
        left, right = mark.x - MARK_RADIUS, mark.x + MARK_RADIUS
        triangle = [(left, mark.y - MARK_RADIUS), (right, mark.y), (left, mark.y + MARK_RADIUS)]
        SubElement(root, "path", {"d": f"{_path(triangle)} Z", "stroke-linejoin": "round", **style})
    else:
        _append_circle(root, mark.x, mark.y, MARK_RADIUS, style)


def _append_join(root: Element, join: Join) -> None:
    x, y = join.x, join.y
    if join.how == "concat":
        _append_rect(root, (x - 3.0, y - join.height / 2, 6.0, join.height), 3.0, fill=QUIET, stroke=QUIET)
        return
    _append_circle(root, x, y, JOIN_RADIUS, {"fill": PAPER, "stroke": QUIET, "stroke-width": "1.3"})
    arm = JOIN_RADIUS - 3.0
    plus = f"{_path([(x - arm, y), (x + arm, y)])} {_path([(x, y - arm), (x, y + arm)])}"
    SubElement(root, "path", {"d": plus, "stroke": QUIET, "stroke-width": "1.3"})


def _append_rect(
    root: Element, place: tuple[float, float, float, float], radius: float, fill: str, stroke: str
) -> Element:
    x, y, width, height = map(_number, place)
    return SubElement(
        root,
        "rect",
        {
            "x": x,
            "y": y,
            "width": width,
            "height": height,
            "rx": _number(radius),
            "fill": fill,
            "stroke": stroke,
        },
    )


def _append_circle(root: Element, x: float, y: float, radius: float, style: dict[str, str]) -> None:
    SubElement(root, "circle", {"cx": _number(x), "cy": _number(y), "r": _number(radius), **style})


def _append_text(root: Element, text: str, x: float, y: float, size: float, style: dict[str, str]) -> None:
    place = {"x": _number(x), "y": _number(y), "font-size": _number(size)}
    SubElement(root, "text", {**place, **style}).text = text


def _corners(points: Iterable[Point]) -> list[Point]:
    """The points at which a wire begins, turns and ends."""
    corners: list[Point] = []
    for point in points:
        if corners and corners[-1] == point:
            continue
        if len(corners) > 1 and (
            corners[-2][0] == corners[-1][0] == point[0] or corners[-2][1] == corners[-1][1] == point[1]
        ):
            corners.pop()
        corners.append(point)
    return corners


def _rounded(corners: Sequence[Point]) -> str:
    """A path through ``corners`` that rounds them."""
    lengths = [abs(x - from_x) + abs(y - from_y) for (from_x, from_y), (x, y) in pairwise(corners)]
    path = [f"M{_at(corners[0])}"]
    for number in range(1, len(corners) - 1):
        corner = corners[number]
        radius = min(CORNER, lengths[number - 1] / 2, lengths[number] / 2)
        into = _towards(corner, corners[number - 1], radius)
        out = _towards(corner, corners[number + 1], radius)
        path.append(f"L{_at(into)} Q{_at(corner)} {_at(out)}")
    path.append(f"L{_at(corners[-1])}")
    return " ".join(path)


def _towards(point: Point, other: Point, distance: float) -> Point:
    return (
        point[0] + distance * _sign(other[0] - point[0]),
        point[1] + distance * _sign(other[1] - point[1]),
    )


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _path(points: Iterable[Point]) -> str:
    return "M" + " L".join(map(_at, points))


def _at(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{round(value, 1) + 0.0:g}"
