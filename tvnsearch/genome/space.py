"""The search space: what a random genome may look like (paper, section A.3)."""

from __future__ import annotations

import random
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import MOST_FRAMES, MOST_PIXELS, WIDEST, Head, Residual
from tvnsearch.genome.layers import (
    DRAWN_LAYERS,
    LONGEST_WINDOW,
    MOST_EXPANSION,
    MOST_FILTERS,
    Activation,
    Attention,
    PoolMode,
)

if TYPE_CHECKING:
    LayerType: TypeAlias = str
else:
    LayerType = Literal[tuple(DRAWN_LAYERS)]

PAPER_LAYER_TYPES = (
    "spatial_conv",
    "depthwise_conv",
    "temporal_conv",
    "spatial_pool",
    "temporal_pool",
    "non_local",
    "context_gate",
    "squeeze_excite",
)

_HIGHEST = {
    "resolution": MOST_PIXELS,
    "frames": MOST_FRAMES,
    "frame_stride": MOST_FRAMES,
    "blocks": 64,
    "repeats": 64,
    "layers": 64,
    "kernel": LONGEST_WINDOW,
    "stride": LONGEST_WINDOW,
    "filters": MOST_FILTERS,
    "bottleneck": MOST_FILTERS,
    "squeeze_ratio": 1.0,
    "expansion": MOST_EXPANSION,
    "packed_frames": MOST_FRAMES,
}
"""What a genome can hold at all, by range."""


class IntRange(Struct, frozen=True, forbid_unknown_fields=True):
    """Whole numbers from ``min`` to ``max`` in steps, drawn uniformly or uniformly in their logarithm."""

    min: int
    max: int
    step: int = 1
    scale: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        if self.step < 1 or self.min < 1 or self.max < self.min:
            raise ValueError(
                f"expected 1 <= min <= max and step >= 1, got {self.min}..{self.max}/{self.step}"
            )

    def draw(self, rng: random.Random) -> int:
        """One value."""
        last_step = (self.max - self.min) // self.step
        if self.scale == "linear":
            return self.min + self.step * int(rng.random() * (last_step + 1))
        value = self.min * ((self.max + self.step) / self.min) ** rng.random()
        return self.min + self.step * min(int((value - self.min) / self.step), last_step)

    def draw_other(self, value: int, rng: random.Random) -> int:
        """One value that is not ``value``, unless there is no other."""
        if self.fixed:
            return self.min
        while (other := self.draw(rng)) == value:
            pass
        return other

    @property
    def fixed(self) -> bool:
        """Whether there is but one value."""
        return self.max - self.min < self.step

    def __contains__(self, value: int) -> bool:
        return self.min <= value <= self.max and (value - self.min) % self.step == 0


class FloatRange(Struct, frozen=True, forbid_unknown_fields=True):
    """Real numbers from ``min`` to ``max``, drawn uniformly."""

    min: float
    max: float

    def __post_init__(self) -> None:
        if not 0 < self.min <= self.max:
            raise ValueError(f"expected 0 < min <= max, got {self.min}..{self.max}")

    def draw(self, rng: random.Random) -> float:
        """One value."""
        return rng.uniform(self.min, self.max)

    def draw_other(self, value: float, rng: random.Random) -> float:
        """One value that is not ``value``, unless there is no other."""
        while (other := self.draw(rng)) == value and not self.fixed:
            pass
        return other

    @property
    def fixed(self) -> bool:
        """Whether there is but one value."""
        return self.min == self.max

    def __contains__(self, value: float) -> bool:
        return self.min <= value <= self.max


class FrameShape(Struct, frozen=True, forbid_unknown_fields=True):
    """The shape of frames: 16 to 9, say, or a camera's pixels."""

    width: Annotated[int, Meta(ge=1, le=MOST_PIXELS)]
    height: Annotated[int, Meta(ge=1, le=MOST_PIXELS)]

    def __post_init__(self) -> None:
        if max(self.width, self.height) > WIDEST * min(self.width, self.height):
            shape = f"{self.width} to {self.height}"
            raise ValueError(f"expected frames of at most {WIDEST:g} to 1, as videos are kept, got {shape}")

    def with_short_side(self, pixels: int) -> tuple[int, int]:
        """Height and width of frames of this shape whose short side is ``pixels``."""
        long = round(pixels * max(self.width, self.height) / min(self.width, self.height))
        return (pixels, long) if self.width >= self.height else (long, pixels)


class SearchSpace(Struct, frozen=True, forbid_unknown_fields=True):
    """The ranges that genomes are drawn from; the defaults are the paper's (section A.3).

    ``input`` is the shape of the frames, and ``resolution`` draws their short side. ``frame_stride`` depends
    on the frames: it never makes a clip span more than ``max_span_frames`` (10 s at 25 frames a second).
    ``head`` is that of every genome. Frames, filters and bottlenecks are
    drawn uniformly in their logarithm, so that small networks are not one in a thousand.
    """

    input: FrameShape = FrameShape(1, 1)
    resolution: IntRange = IntRange(32, 320, 32)
    frames: IntRange = IntRange(1, 128, scale="log")
    frame_stride: IntRange = IntRange(1, 25)
    max_span_frames: int = 250
    blocks: IntRange = IntRange(1, 8)
    repeats: IntRange = IntRange(1, 8)
    layers: IntRange = IntRange(1, 8)
    layer_types: tuple[LayerType, ...] = PAPER_LAYER_TYPES
    kernel: IntRange = IntRange(1, 8)
    stride: IntRange = IntRange(1, 8)
    filters: IntRange = IntRange(32, 2048, 4, "log")
    bottleneck: IntRange = IntRange(4, 1024, scale="log")
    squeeze_ratio: FloatRange = FloatRange(0.001, 1.0)
    expansion: FloatRange = FloatRange(1.0, 8.0)
    packed_frames: IntRange = IntRange(2, 16)
    non_local_forms: tuple[Attention, ...] = ("dot_product",)
    pool_modes: tuple[PoolMode, ...] = ("avg", "max")
    activations: tuple[Activation, ...] = ("none", "relu")
    residuals: tuple[Residual, ...] = ("none", "identity", "projection")
    head: Head = "mean"

    def __post_init__(self) -> None:
        for name in ("layer_types", "non_local_forms", "pool_modes", "activations", "residuals"):
            if not getattr(self, name):
                raise ValueError(f"expected at least one of {name}, got none")
        if "dot_product" not in self.non_local_forms:
            raise ValueError("expected dot_product in non_local_forms: only that form fits maps of any size")
        for name, highest in _HIGHEST.items():
            if (range_max := getattr(self, name).max) > highest:
                raise ValueError(f"expected {name}.max of at most {highest}, got {range_max}")
        if self.longest_side > MOST_PIXELS:
            raise ValueError(f"expected frames of at most {MOST_PIXELS} pixels a side, got longer ones")
        if self.expansion.min < 1:
            raise ValueError(f"expected expansion.min of at least 1, got {self.expansion.min}")

    @property
    def longest_side(self) -> int:
        """The longest side of a frame that may be drawn, in pixels."""
        return max(self.input.with_short_side(self.resolution.max))

    def frame_strides(self, frames: int) -> IntRange:
        """The frame strides that ``frames`` frames may have."""
        if frames == 1:
            return self.frame_stride
        longest = max(self.frame_stride.min, (self.max_span_frames - 1) // (frames - 1))
        return msgspec.structs.replace(self.frame_stride, max=min(self.frame_stride.max, longest))


PRESETS = ("paper", "mobile", "released", "digits")


def load_space(name: str) -> SearchSpace:
    """A preset by its name (``paper``, ``mobile``, ``released``, ``digits``) or a user's own TOML file.

    Keys that a file does not give keep the paper's ranges.

    Raises:
        UserError: no such preset or file, or the file is not a search space; the sentence names the key. Or
            the longest clips of the space span more than it allows.
    """
    if name in PRESETS:
        text = resources.files("tvnsearch.genome").joinpath("spaces", f"{name}.toml").read_bytes()
        return msgspec.toml.decode(text, type=SearchSpace)
    path = Path(name)
    if not path.is_file():
        presets = ", ".join(PRESETS)
        raise UserError(f"expected a search space ({presets}) or a TOML file, got '{name}', which is neither")
    try:
        space = msgspec.toml.decode(path.read_bytes(), type=SearchSpace)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not a search space: {error}; see docs/search-space.md for the keys"
        ) from None
    _require_span(space, path)
    return space


def _require_span(space: SearchSpace, path: Path) -> None:
    """Refuse a space whose longest clips cannot keep its ``max_span_frames``, whatever stride is drawn.

    Only where a file is read: the run of a space that was accepted once can still be read.

    Raises:
        UserError: its smallest stride makes the most frames span more.
    """
    most = space.frames.max - (space.frames.max - space.frames.min) % space.frames.step
    spanned = (most - 1) * space.frame_stride.min + 1
    if spanned > space.max_span_frames:
        raise UserError(
            f"expected clips that span at most max_span_frames = {space.max_span_frames} frames, but in "
            f"{path} {most} frames, each {space.frame_stride.min} after the one before (frame_stride.min), "
            f"span {spanned}; raise max_span_frames, or lower frame_stride.min or frames.max"
        )
