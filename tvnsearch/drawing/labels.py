"""What a layer is called, in words and in pictures, and the family that gives it its colour."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.genome import MOST_FRAMES, MOST_PIXELS
from tvnsearch.genome.kinds import OVER_BOTH, OVER_SPACE, OVER_TIME
from tvnsearch.genome.layers import Activation, Layer, SpatialPool, TemporalPool

Family = Literal[
    "spatial convolution",
    "depthwise convolution",
    "temporal convolution",
    "3-D convolution",
    "inverted residual",
    "pooling",
    "squeeze-excite",
    "context gate",
    "non-local",
    "temporal shift",
    "linear",
    "dropout",
]

NAMES: dict[str, tuple[Family, str]] = {
    "spatial_conv": ("spatial convolution", "conv"),
    "depthwise_conv": ("depthwise convolution", "depthwise"),
    "temporal_conv": ("temporal convolution", "temporal conv"),
    "temporal_depthwise_conv": ("temporal convolution", "temporal depthwise"),
    "conv3d": ("3-D convolution", "3-D conv"),
    "depthwise_conv3d": ("3-D convolution", "3-D depthwise"),
    "inverted_residual": ("inverted residual", "inverted residual"),
    "temporal_inverted_residual": ("inverted residual", "temporal inverted residual"),
    "spatial_pool": ("pooling", "{mode} pool"),
    "temporal_pool": ("pooling", "temporal {mode} pool"),
    "squeeze_excite": ("squeeze-excite", "squeeze-excite"),
    "context_gate": ("context gate", "context gate"),
    "non_local": ("non-local", "non-local"),
    "temporal_shift": ("temporal shift", "temporal shift"),
    "frame_packing": ("temporal shift", "frame packing"),
    "channel_time_learning": ("spatial convolution", "channel-time"),
    "dense": ("linear", "dense"),
}
"""Family and name of each type of layer that is a box in a picture."""

_OVER_SPACE = OVER_SPACE | {"inverted_residual"}
_OVER_TIME = OVER_TIME | {"temporal_inverted_residual"}

_AMOUNTS = (
    ("expansion", "x{:g}"),
    ("filters", "{}"),
    ("bottleneck", "{}"),
    ("ratio", "{:.3g}"),
    ("share", "{:.3g}"),
    ("frames", "{}"),
)
"""What else a layer may have, and how it is written."""


class Label(Struct, frozen=True):
    """A layer's name and its parameters as text; ``amounts`` are pairs of what is meant and how much.

    ``inner`` is the activation between an inverted residual's convolutions, ``activation`` that at the end.
    """

    family: Family
    name: str
    kernel: str = ""
    stride: str = ""
    amounts: tuple[tuple[str, str], ...] = ()
    inner: Activation = "none"
    activation: Activation = "none"


def label_of(layer: Layer) -> Label:
    """The label of a layer whose type is in :data:`NAMES`."""
    kind = str(layer.__struct_config__.tag)
    family, name = NAMES[kind]
    if isinstance(layer, SpatialPool | TemporalPool) and _is_global(layer):
        return Label(family, f"global {name.format(mode=layer.mode)}")
    activation: Activation = getattr(layer, "activation", "none")
    is_inside = family == "inverted residual"
    strides = sizes(kind, getattr(layer, "stride", 1), getattr(layer, "stride_frames", 1))
    return Label(
        family,
        name.format(mode=getattr(layer, "mode", "")),
        kernel=times(sizes(kind, getattr(layer, "kernel", 1), getattr(layer, "kernel_frames", 1))),
        stride="" if set(strides) <= {1} else f"/{strides[0] if kind in _OVER_SPACE else times(strides)}",
        amounts=tuple(
            (field, form.format(getattr(layer, field))) for field, form in _AMOUNTS if hasattr(layer, field)
        ),
        inner=activation if is_inside else "none",
        activation="none" if is_inside else activation,
    )


def _is_global(layer: SpatialPool | TemporalPool) -> bool:
    """Whether it pools all of any map."""
    longest = MOST_PIXELS if isinstance(layer, SpatialPool) else MOST_FRAMES
    return min(layer.kernel, layer.stride) >= longest


def call_name(call: LayerCall) -> str:
    """What a layer call is called: its layer's name, or its type where it is no layer's."""
    if call.type == "activation":
        return call.activation
    return NAMES[call.type][1].format(mode=call.mode) if call.type in NAMES else call.type


def sizes(kind: str, size: int, frames: int, width: int | None = None) -> tuple[int, ...]:
    """A kernel or a stride along the axes that layers of type ``kind`` work on: frames, height, width.

    It is square where no ``width`` is given.
    """
    width = size if width is None else width
    if kind in OVER_BOTH:
        return frames, size, width
    if kind in _OVER_SPACE:
        return size, width
    return (size,) if kind in _OVER_TIME else ()


def times(numbers: tuple[int, ...]) -> str:
    """Numbers as in ``3x5x5``."""
    return "x".join(map(str, numbers))
