"""The search space: what a random genome may look like, and how one is drawn (paper, section A.3)."""

from __future__ import annotations

import math
import random
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Block, Genome, InputSpec, Residual
from tvnsearch.genome.layers import (
    Activation,
    ContextGate,
    DepthwiseConv,
    Layer,
    NonLocal,
    PoolMode,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalPool,
)

LayerType = Literal[
    "spatial_conv",
    "depthwise_conv",
    "temporal_conv",
    "spatial_pool",
    "temporal_pool",
    "non_local",
    "context_gate",
    "squeeze_excite",
]


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
        if self.scale == "linear":
            return rng.randrange(self.min, self.max + 1, self.step)
        value = math.exp(rng.uniform(math.log(self.min), math.log(self.max + self.step)))
        steps = int((value - self.min) // self.step)
        return self.min + self.step * max(0, min(steps, (self.max - self.min) // self.step))

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
        """One value, to three digits: finer differences change no hidden width worth having."""
        return min(max(round(rng.uniform(self.min, self.max), 3), self.min), self.max)

    def __contains__(self, value: float) -> bool:
        return self.min <= value <= self.max


class SearchSpace(Struct, frozen=True, forbid_unknown_fields=True):
    """The ranges that genomes are drawn from; the defaults are the paper's.

    ``frame_stride`` depends on the frames: it never makes a clip span more than ``max_span_frames`` (10 s at
    25 frames a second). Frames, filters and bottlenecks are drawn uniformly in their logarithm, so that small
    networks are not one in a thousand.
    """

    resolution: IntRange = IntRange(32, 320, 32)
    frames: IntRange = IntRange(1, 128, scale="log")
    frame_stride: IntRange = IntRange(1, 25)
    max_span_frames: int = 250
    blocks: IntRange = IntRange(1, 8)
    repeats: IntRange = IntRange(1, 8)
    layers: IntRange = IntRange(1, 8)
    layer_types: tuple[LayerType, ...] = (
        "spatial_conv",
        "depthwise_conv",
        "temporal_conv",
        "spatial_pool",
        "temporal_pool",
        "non_local",
        "context_gate",
        "squeeze_excite",
    )
    kernel: IntRange = IntRange(1, 8)
    stride: IntRange = IntRange(1, 8)
    filters: IntRange = IntRange(32, 2048, 4, "log")
    bottleneck: IntRange = IntRange(4, 1024, scale="log")
    squeeze_ratio: FloatRange = FloatRange(0.001, 1.0)
    pool_modes: tuple[PoolMode, ...] = ("avg", "max")
    activations: tuple[Activation, ...] = ("none", "relu")
    residuals: tuple[Residual, ...] = ("none", "identity", "projection")

    def __post_init__(self) -> None:
        for name in ("layer_types", "pool_modes", "activations", "residuals"):
            if not getattr(self, name):
                raise ValueError(f"expected at least one of {name}, got none")

    def frame_strides(self, frames: int) -> IntRange:
        """The frame strides that ``frames`` frames may have."""
        if frames == 1:
            return self.frame_stride
        longest = max(self.frame_stride.min, (self.max_span_frames - 1) // (frames - 1))
        return msgspec.structs.replace(self.frame_stride, max=min(self.frame_stride.max, longest))


_PRESETS = ("paper", "digits")


def load_space(name: str) -> SearchSpace:
    """A preset by its name (``paper``, ``digits``) or a user's own TOML file.

    Keys that a file does not give keep the paper's ranges.

    Raises:
        UserError: no such preset or file, or the file is not a search space; the sentence names the key.
    """
    if name in _PRESETS:
        text = resources.files("tvnsearch.genome").joinpath("spaces", f"{name}.toml").read_bytes()
        return msgspec.toml.decode(text, type=SearchSpace)
    path = Path(name)
    if not path.is_file():
        presets = ", ".join(_PRESETS)
        raise UserError(f"expected a search space ({presets}) or a TOML file, got '{name}', which is neither")
    try:
        return msgspec.toml.decode(path.read_bytes(), type=SearchSpace)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not a search space: {error}; see docs/search-space.md for the keys"
        ) from None


def sample_genome(space: SearchSpace, rng: random.Random) -> Genome:
    """A random genome: input first, then each block's layers."""
    blocks = tuple(sample_block(space, rng) for _ in range(space.blocks.draw(rng)))
    return Genome(input=_sample_input(space, rng), blocks=blocks)


def sample_block(space: SearchSpace, rng: random.Random) -> Block:
    """A random block."""
    return Block(
        layers=tuple(sample_layer(space, rng) for _ in range(space.layers.draw(rng))),
        repeats=space.repeats.draw(rng),
        residual=rng.choice(space.residuals),
        activation=rng.choice(space.activations),
    )


def sample_layer(space: SearchSpace, rng: random.Random) -> Layer:
    """A random layer, its type first."""
    kind = rng.choice(space.layer_types)
    fields = {name: draw_parameter(name, space, rng) for name in LAYERS[kind].__struct_fields__}
    return msgspec.convert({"type": kind, **fields}, Layer)  # type: ignore[no-any-return]


LAYERS: dict[LayerType, type[Struct]] = {
    "spatial_conv": SpatialConv,
    "depthwise_conv": DepthwiseConv,
    "temporal_conv": TemporalConv,
    "spatial_pool": SpatialPool,
    "temporal_pool": TemporalPool,
    "non_local": NonLocal,
    "context_gate": ContextGate,
    "squeeze_excite": SqueezeExcite,
}


def draw_parameter(name: str, space: SearchSpace, rng: random.Random) -> int | float | str:
    """A random value for a layer's field of that name."""
    match name:
        case "activation":
            return rng.choice(space.activations)
        case "mode":
            return rng.choice(space.pool_modes)
        case "ratio":
            return space.squeeze_ratio.draw(rng)
        case _:
            chosen: IntRange = getattr(space, name)
            return chosen.draw(rng)


def _sample_input(space: SearchSpace, rng: random.Random) -> InputSpec:
    frames = space.frames.draw(rng)
    return InputSpec(
        resolution=space.resolution.draw(rng),
        frames=frames,
        frame_stride=space.frame_strides(frames).draw(rng),
    )
