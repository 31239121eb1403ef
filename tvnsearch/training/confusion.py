"""The confusion matrix as a picture: SVG text, no scripts, no fonts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

MOST_NAMED_CLASSES = 80
"""With more classes than that the axes bear no names: each cell still tells its own."""

LARGEST_CELL, SMALLEST_CELL, PICTURE_SIDE = 26.0, 2.0, 900.0
MARGIN, LETTER_WIDTH = 16.0, 0.6
PAPER, INK, EMPTY = "#ffffff", "#1f2933", "#f3f5f8"
RIGHT, WRONG = (33, 102, 172), (178, 24, 43)
"""The full colours of the diagonal and of mistakes."""


def confusion_svg(matrix: Sequence[Sequence[int]], classes: Sequence[str], title: str) -> str:
    """A heat map of counts: a row for each true class, a column for each answer, shaded by the row's share.

    Right answers are blue, mistakes red. Hovering over a cell tells its classes and its count.
    """
    count = len(classes)
    cell = min(LARGEST_CELL, max(SMALLEST_CELL, PICTURE_SIDE / count))
    letters = 0.55 * min(cell, 20.0)
    named = count <= MOST_NAMED_CLASSES
    room = max(map(len, classes)) * letters * LETTER_WIDTH + MARGIN if named else 2 * MARGIN
    left, top = MARGIN + room, 3 * MARGIN + room
    width, height = left + count * cell + MARGIN, top + count * cell + MARGIN
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:.1f} {height:.1f}",
            "width": f"{width:.1f}",
            "height": f"{height:.1f}",
            "role": "img",
            "aria-label": title,
            "font-family": "Helvetica, Arial, sans-serif",
        },
    )
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": PAPER})
    _text(root, MARGIN, 1.5 * MARGIN, title, 14.0)
    _text(root, left, top - room - 0.3 * MARGIN, "answers (columns) to clips of each class (rows)", 11.0)
    SubElement(
        root,
        "rect",
        {
            "x": f"{left:.1f}",
            "y": f"{top:.1f}",
            "width": f"{count * cell:.1f}",
            "height": f"{count * cell:.1f}",
            "fill": EMPTY,
        },
    )
    for row, counts in enumerate(matrix):
        for column, number in enumerate(counts):
            if number:
                fill = _shade(RIGHT if row == column else WRONG, number / sum(counts))
                place = {"x": f"{left + column * cell:.1f}", "y": f"{top + row * cell:.1f}"}
                size = {"width": f"{cell:.2f}", "height": f"{cell:.2f}"}
                box = SubElement(root, "rect", {**place, **size, "fill": fill})
                told = f"{classes[row]} taken for {classes[column]}: {number} of {sum(counts)}"
                SubElement(box, "title").text = told
    if named:
        for number, name in enumerate(classes):
            middle = (number + 0.5) * cell + letters / 3
            _text(root, left - 4, top + middle, name, letters, anchor="end")
            _text(root, left + middle, top - 4, name, letters, turned=True)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _shade(colour: tuple[int, int, int], share: float) -> str:
    """From a light tint for a share near 0 to the full colour for 1."""
    strength = 0.2 + 0.8 * share
    return "#" + "".join(f"{round(255 - strength * (255 - part)):02x}" for part in colour)


def _text(
    parent: Element,
    x: float,
    y: float,
    text: str,
    size: float,
    anchor: str = "start",
    turned: bool = False,
) -> None:
    attributes = {
        "x": f"{x:.1f}",
        "y": f"{y:.1f}",
        "font-size": f"{size:.1f}",
        "fill": INK,
        "text-anchor": anchor,
    }
    if turned:
        attributes["transform"] = f"rotate(-90 {x:.1f} {y:.1f})"
    SubElement(parent, "text", attributes).text = text
