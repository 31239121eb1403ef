"""Layer calls: what is executed at one place of a network, with its parameters, MACs and bytes moved.

Those of layers are made in :mod:`tvnsearch.genome.layer_calls`; what joins and ends a network is here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from typing import NamedTuple

from msgspec import Struct

from tvnsearch.genome.genome import Head

BYTES_PER_VALUE = 4


class Shape(NamedTuple):
    """The size of one clip's features."""

    frames: int
    height: int
    width: int
    channels: int

    @property
    def positions(self) -> int:
        """Pixels over all frames."""
        return self.frames * self.height * self.width

    @property
    def values(self) -> int:
        """Numbers held, all channels counted."""
        return prod(self)


make_shape: Callable[[tuple[int, int, int, int]], Shape] = partial(tuple.__new__, Shape)
"""The shape of these sizes: a walk makes many, and this is four times as fast as calling the class."""


class LayerCall(Struct, frozen=True, gc=False, array_like=True, cache_hash=True):
    """One layer at its place in a network: the row of a latency table.

    ``type`` is a layer's tag, or ``add``, ``concat``, ``activation``, ``head``: a name in
    :data:`~tvnsearch.genome.kinds.KINDS`. In temporal layers ``kernel`` and ``stride`` are frames; in others
    they are pixels, ``kernel`` over rows and ``kernel_width`` over columns, with ``kernel_frames`` and
    ``stride_frames`` beside them, which also say how many frames are packed into one. Kernels are without
    the taps that only ever meet padding (:func:`~tvnsearch.genome.windows.live_kernel`). ``hidden`` is the
    inner width of a non-local block or a squeeze, or the channels that a shift moves each way; ``mode`` the
    kind of pooling, of gate, of attention or of head. ``macs`` counts convolutions and linear layers;
    ``bytes_moved`` counts each float32 read and written once per pass over it, weights included, copies for
    padding not.
    """

    type: str
    in_shape: Shape
    out_shape: Shape
    kernel: int = 1
    kernel_width: int = 1
    stride: int = 1
    kernel_frames: int = 1
    stride_frames: int = 1
    hidden: int = 0
    mode: str = ""
    activation: str = "none"
    params: int = 0
    macs: int = 0
    bytes_moved: int = 0


def moved(in_values: int, out_values: int, params: int = 0) -> int:
    """Bytes of values read and written, and of parameters read."""
    return (in_values + out_values + params) * BYTES_PER_VALUE


@lru_cache(maxsize=16384)
def head_call(shape: Shape, classes: int, head: Head = "mean") -> LayerCall:
    """The head: average pooling, dropout, one linear layer; on a single frame both kinds are the same."""
    frames, _, _, channels = shape
    weights = channels * classes
    params = weights + classes
    per_frame = head == "per_frame" and frames > 1
    frame_logits = frames * classes if per_frame else 0
    return LayerCall(
        "head",
        shape,
        make_shape((1, 1, 1, classes)),
        mode="per_frame" if per_frame else "",
        params=params,
        macs=weights * (frames if per_frame else 1),
        bytes_moved=moved(shape.values + frame_logits, frame_logits + classes, params),
    )


def activation_call(function: str, shape: Shape) -> LayerCall:
    """An activation that no call before it can end with."""
    values = shape.values
    return LayerCall("activation", shape, shape, activation=function, bytes_moved=moved(values, values))


def add_call(shape: Shape) -> LayerCall:
    """The sum of two branches."""
    values = shape.values
    return LayerCall("add", shape, shape, bytes_moved=moved(2 * values, values))


def concat_call(shape: Shape) -> LayerCall:
    """Branches side by side in the channels of ``shape``."""
    values = shape.values
    return LayerCall("concat", shape, shape, bytes_moved=moved(values, values))
