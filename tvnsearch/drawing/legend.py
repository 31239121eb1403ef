"""What the colours and signs of a picture mean, for those that occur in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias, get_args

from msgspec.structs import replace

from tvnsearch.drawing.labels import Family
from tvnsearch.drawing.picture import Box, Item, Join, Mark, Text, Wire, text_width
from tvnsearch.genome.layers import Activation

SIZE = 11.0
LINE = 20.0
SPACE = 22.0
SAMPLE, SAMPLE_SPACE = 16.0, 6.0

ACTIVATION_NAMES: dict[Activation, str] = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "swish": "swish",
    "hswish": "hard swish",
}
NOTES = (
    "In boxes: kernel /stride.",
    "Between blocks: frames x height x width x channels.",
)
REPEATS_NOTE = "x N: N repeats, of which only the first one strides."

Sample: TypeAlias = Box | Mark | Join


def place_legend(
    drawn: Sequence[Item], has_repeats: bool, x: float, y: float, width: float
) -> list[Text | Sample]:
    """The legend of what was ``drawn``, from ``x`` on, its first line around ``y``, in lines of ``width``."""
    items: list[Text | Sample] = []
    entries = list(_entries(drawn))
    column = SAMPLE + SAMPLE_SPACE + max(text_width(meaning, SIZE) for _, meaning in entries) + SPACE
    columns = int(width // column)
    for number, (sample, meaning) in enumerate(entries):
        left, middle = x + number % columns * column, y + number // columns * LINE
        items.append(replace(sample, x=left + sample.x, y=middle + sample.y))
        items.append(_text(left + SAMPLE + SAMPLE_SPACE, middle, meaning))
    y += -(-len(entries) // columns) * LINE
    left = x
    for note in (*NOTES, REPEATS_NOTE) if has_repeats else NOTES:
        if left > x and left + text_width(note, SIZE) > x + width:
            left, y = x, y + LINE
        items.append(_text(left, y, note))
        left += text_width(note, SIZE) + SPACE
    return items


def _entries(drawn: Sequence[Item]) -> Iterator[tuple[Sample, str]]:
    """A sample at the origin for each kind of thing that was drawn, and its meaning."""
    boxes = [item for item in drawn if isinstance(item, Box)]
    for family in get_args(Family):
        if any(box.family == family and not box.idle for box in boxes):
            yield _swatch(family), family
    activations = {item.activation for item in drawn if isinstance(item, Mark)}
    for activation, meaning in ACTIVATION_NAMES.items():
        if activation in activations:
            yield Mark(SAMPLE / 2, 0.0, activation), meaning
    joins = {item.how for item in drawn if isinstance(item, Join)}
    if "sum" in joins:
        yield Join(SAMPLE / 2, 0.0, "sum"), "sum"
    if "concat" in joins:
        yield Join(SAMPLE / 2, 0.0, "concat", SAMPLE), "concatenation"
    if any(isinstance(item, Box | Wire) and item.idle for item in drawn):
        yield _swatch("dropout", idle=True), "does nothing here"


def _swatch(family: Family, idle: bool = False) -> Box:
    return Box(0.0, -6.0, SAMPLE, 12.0, family, idle=idle)


def _text(x: float, middle: float, text: str) -> Text:
    return Text(x, middle + 0.35 * SIZE, text, SIZE, "muted")
