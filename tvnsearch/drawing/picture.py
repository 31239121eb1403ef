"""What a picture is made of: boxes, wires and texts at their places, in pixels from the top left corner."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from tvnsearch.drawing.labels import Family
from tvnsearch.genome.layers import Activation

NAME_SIZE, PARAMETER_SIZE = 11.0, 10.0
TEXT_LINE = 13.0
"""From one line of text in a box to the next."""

JOIN_RADIUS = 7.0

Point: TypeAlias = tuple[float, float]
Anchor = Literal["start", "middle"]
Tone = Literal["strong", "plain", "muted"]


class Box(Struct, frozen=True):
    """A layer: its name over its parameters. What does nothing at its place is ``idle``."""

    x: float
    y: float
    width: float
    height: float
    family: Family
    name: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    idle: bool = False


class Frame(Struct, frozen=True):
    """The outline of a block, or one of the input's video frames."""

    x: float
    y: float
    width: float
    height: float
    kind: Literal["block", "input"] = "block"


class Wire(Struct, frozen=True):
    """A line through ``points``, all its segments horizontal or vertical."""

    points: tuple[Point, ...]
    idle: bool = False
    has_arrow: bool = False


class Mark(Struct, frozen=True):
    """An activation on a wire, around its middle."""

    x: float
    y: float
    activation: Activation


class Join(Struct, frozen=True):
    """Where branches meet: a sum in the middle of a circle, or a bar of ``height`` that concatenates."""

    x: float
    y: float
    how: Literal["sum", "concat"]
    height: float = 0.0


class Text(Struct, frozen=True):
    """One line of text, ``y`` its baseline."""

    x: float
    y: float
    text: str
    size: float
    tone: Tone = "plain"
    anchor: Anchor = "start"

    @property
    def left(self) -> float:
        """Where it begins, at the widest that it may come out."""
        return self.x - (self.width / 2 if self.anchor == "middle" else 0.0)

    @property
    def width(self) -> float:
        """The widest that it may come out."""
        return text_width(self.text, self.size, self.tone == "strong")


Item: TypeAlias = Box | Frame | Wire | Mark | Join | Text


class Picture(Struct, frozen=True):
    """A drawing of ``width`` x ``height``, later items over earlier ones."""

    title: str
    description: str
    width: float
    height: float
    items: tuple[Item, ...]


_NARROW = frozenset("iljtfrI .,:;'|!/()[]-")
_WIDE = frozenset("mwMW@%&#")


def text_width(text: str, size: float, is_strong: bool = False) -> float:
    """The width in pixels that a text takes in the widest of the usual sans-serif fonts, or a little less.

    Which font a viewer has is not known, so the estimate is for DejaVu Sans and Verdana.
    """
    ems = sum(_ems(character) for character in text)
    return ems * size * (1.1 if is_strong else 1.0)


def _ems(character: str) -> float:
    if character in _NARROW:
        return 0.45
    if character in _WIDE or ord(character) > 126:
        return 1.05
    return 0.8 if character.isupper() else 0.66
