"""The parts of a network's picture, each with its size before it has a place."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from tvnsearch.drawing.flow import JOIN, Flow
from tvnsearch.drawing.labels import Label
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
    Text,
    Wire,
    text_width,
)
from tvnsearch.genome.genome import InputSpec, Residual
from tvnsearch.genome.layers import Activation

CAPTION_SIZE = 11.0
NAME_CHARACTERS = 10
BOX_PADDING_X, BOX_PADDING_Y = 5.0, 8.0
BOX_LINES = 4
MARK = 12.0
"""The width of an activation's mark."""

PADDING_X, PADDING_Y = 14.0, 12.0
ARC_HEIGHT = 30.0
CAPTION_HEIGHT = 17.0
FRAME, FRAME_STEP, MAX_FRAMES = 48.0, 6.0, 4


class LayerBox:
    """A layer, with the mark of its activation behind it."""

    def __init__(self, label: Label, idle: bool = False) -> None:
        self._label = label
        self._idle = idle
        self._activation: Activation = "none" if idle else label.activation
        self._name = tuple(wrap(label.name, NAME_CHARACTERS))
        inner = f"{label.inner} inside" if label.inner != "none" else ""
        self._parameters = tuple(
            line
            for line in (
                f"{label.kernel} {label.stride}".strip(),
                *(" ".join(amount) for amount in label.amounts),
                inner,
            )
            if line
        )
        widths = [text_width(line, NAME_SIZE, is_strong=True) for line in self._name]
        widths += [text_width(line, PARAMETER_SIZE) for line in self._parameters]
        lines = max(len(self._name) + len(self._parameters), BOX_LINES)
        self._box_width = max(widths) + 2 * BOX_PADDING_X
        self.width = self._box_width + (MARK if self._activation != "none" else 0.0)
        self.height = lines * TEXT_LINE + 2 * BOX_PADDING_Y
        self.inlet = self.outlet = self.height / 2

    def place(self, x: float, y: float) -> Iterator[Item]:
        """The box and the mark."""
        width, label = self._box_width, self._label
        yield Box(x, y, width, self.height, label.family, self._name, self._parameters, self._idle)
        if self._activation != "none":
            yield Mark(x + width + MARK / 2, y + self.outlet, self._activation)


class ActivationMark:
    """An activation by itself."""

    width = height = MARK
    inlet = outlet = MARK / 2

    def __init__(self, activation: Activation) -> None:
        self._activation = activation

    def place(self, x: float, y: float) -> Iterator[Item]:
        """The mark."""
        yield Mark(x + MARK / 2, y + MARK / 2, self._activation)


class Outline:
    """A block: its layers in a frame, its name over it, its residual inside, its repeats below."""

    def __init__(
        self,
        title: str,
        body: Flow,
        residual: Residual = "none",
        idle_residual: bool = False,
        activation: Activation = "none",
        repeats: int = 1,
    ) -> None:
        self._title = title
        self._body = body
        self._residual = residual
        self._idle_residual = idle_residual
        self._activation = activation
        self._repeats = repeats
        self._joins = JOIN if residual != "none" else 0.0
        self._top = CAPTION_HEIGHT + PADDING_Y + (ARC_HEIGHT if residual != "none" else 0.0)
        marks = MARK if activation != "none" else 0.0
        self._inner_width = max(body.width, text_width(residual, PARAMETER_SIZE))
        self.width = self._inner_width + self._joins + marks + 2 * PADDING_X
        self.width = max(self.width, text_width(title, CAPTION_SIZE))
        self._bottom = self._top + body.height + PADDING_Y
        self.height = self._bottom + (CAPTION_HEIGHT if repeats > 1 else 0.0)
        self.inlet = self._top + body.inlet
        self.outlet = self._top + body.outlet

    def place(self, x: float, y: float) -> Iterator[Item]:
        """The frame and everything in it."""
        body, left, right = self._body, x + PADDING_X, x + self.width
        entry, leave = y + self.inlet, y + self.outlet
        yield Text(x, y + CAPTION_SIZE, self._title, CAPTION_SIZE, "muted")
        yield Frame(x, y + CAPTION_HEIGHT, self.width, self._bottom - CAPTION_HEIGHT)
        yield Wire(((x, entry), (left, entry)))
        yield from body.place(left, y + self._top)
        yield Wire(((left + body.tail, leave), (right, leave)))
        if self._residual != "none":
            middle = left + self._inner_width + self._joins / 2
            arc, start = y + self._top - PADDING_Y, left - PADDING_X / 2
            points = (start, entry), (start, arc), (middle, arc), (middle, leave - JOIN_RADIUS)
            yield Wire(points, self._idle_residual, has_arrow=True)
            caption = (start + middle) / 2, arc - 5.0
            yield Text(*caption, self._residual, PARAMETER_SIZE, "muted", "middle")
            yield Join(middle, leave, "sum")
        if self._activation != "none":
            yield Mark(right - PADDING_X - MARK / 2, leave, self._activation)
        if self._repeats > 1:
            baseline = y + self._bottom + CAPTION_SIZE + 2.0
            caption_text = f"x {self._repeats}"
            yield Text(x + self.width / 2, baseline, caption_text, CAPTION_SIZE, "strong", "middle")


class Clip:
    """The input: a stack of video frames over a few words."""

    def __init__(self, spec: InputSpec) -> None:
        self._count = min(spec.frames, MAX_FRAMES)
        frames = "1 frame" if spec.frames == 1 else f"{spec.frames} frames"
        strides = [f"stride {spec.frame_stride}"] if spec.frames > 1 else []
        self._captions = [frames, f"{spec.width}x{spec.height}", *strides]
        stack = FRAME + FRAME_STEP * (self._count - 1)
        self._stack = stack
        self.width = max([stack, *(text_width(text, PARAMETER_SIZE) for text in self._captions)])
        self.height = stack + TEXT_LINE * len(self._captions) + 4.0
        self.inlet = self.outlet = stack / 2

    def place(self, x: float, y: float) -> Iterator[Item]:
        """The stack, last frame behind, and the words under it."""
        left, right = x + (self.width - self._stack) / 2, x + self.width
        yield Wire(((left, y + self.outlet), (right, y + self.outlet)))
        for number in reversed(range(self._count)):
            step = FRAME_STEP * number
            yield Frame(left + step, y + self._stack - FRAME - step, FRAME, FRAME, "input")
        for number, caption in enumerate(self._captions, 1):
            baseline = y + self._stack + TEXT_LINE * number
            yield Text(x + self.width / 2, baseline, caption, PARAMETER_SIZE, "plain", "middle")
