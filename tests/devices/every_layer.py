"""Small genomes that hold every kind of layer with the strides, kernels and activations that there are.

On maps of odd sizes, so that padding is uneven; whatever writes or runs networks is held to these.
"""

from __future__ import annotations

from typing import get_args

from tvnsearch.genome import Block, Genome
from tvnsearch.genome.genome import InputSpec
from tvnsearch.genome.layers import (
    Activate,
    Activation,
    Branches,
    ChannelTimeLearning,
    ContextGate,
    Conv3d,
    Dense,
    DepthwiseConv,
    DepthwiseConv3d,
    FramePacking,
    InvertedResidual,
    Layer,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalInvertedResidual,
    TemporalPool,
    TemporalShift,
)

ODD = InputSpec(13, 11, 5)
STEM = SpatialConv(12, 3, 1, "relu")
ACTIVATIONS = get_args(Activation)


def _genome(*layers: Layer, residual: str = "none", head: str = "mean") -> Genome:
    return Genome(ODD, (Block((STEM, *layers), 1, residual),), head)  # type: ignore[arg-type]


def _chains() -> dict[str, Genome]:
    known: dict[str, Genome] = {}
    for stride in (1, 2, 3, 5):
        for kernel in (1, 2, 3, 4, 7):
            known[f"space-{kernel}-by-{stride}"] = _genome(
                SpatialConv(10, kernel, stride, "relu"),
                DepthwiseConv(kernel, 1),
                DepthwiseConv(kernel, stride),
            )
    for stride in (1, 2, 3, 5):
        known[f"time-by-{stride}"] = _genome(
            TemporalConv(8, 3, 1, "relu"), TemporalDepthwiseConv(4), TemporalConv(6, 4, stride)
        )
        known[f"pools-by-{stride}"] = _genome(
            SpatialPool("avg", 3, 1),
            TemporalPool("avg", 3, 1),
            SpatialPool("max", 2, stride),
            TemporalPool("max", 4, stride),
        )
        known[f"large-average-by-{stride}"] = _genome(
            SpatialPool("avg", 6, stride), TemporalPool("avg", 2, stride)
        )
        known[f"pick-by-{stride}"] = _genome(SpatialPool("max", 1, stride), TemporalPool("avg", 1, stride))
        known[f"volume-by-{stride}"] = _genome(
            Conv3d(8, 3, 3, stride, 1, "relu"), DepthwiseConv3d(3, 2, 1, stride), SpatialConv(6, 3)
        )
    for activation in ACTIVATIONS:
        known[f"ends-with-{activation}"] = _genome(
            SpatialConv(9, 3, 1, activation), TemporalConv(7, 2, 1, activation), Dense(5, activation)
        )
        known[f"alone-{activation}"] = _genome(SpatialConv(9, 1), Activate(activation), TemporalConv(7, 2))
    return known


EVERY_LAYER: dict[str, Genome] = {
    **_chains(),
    "gates": _genome(
        ContextGate(), TemporalConv(8, 3), ContextGate(), SqueezeExcite(0.5, "swish", "hsigmoid")
    ),
    "gates-a-frame": _genome(
        SqueezeExcite(0.5, over="frame"), TemporalConv(8, 3), SqueezeExcite(1.0, over="frame")
    ),
    "attention": _genome(NonLocal(6), SpatialConv(8, 3, 2), NonLocal(4, "embedded_gaussian")),
    "shifts": _genome(TemporalShift(0.25), TemporalConv(8, 3), TemporalShift(0.5)),
    "packing": _genome(FramePacking(2), SpatialConv(8, 3)),
    "channel-time": _genome(ChannelTimeLearning(8, "relu"), ChannelTimeLearning(6)),
    "inverted": _genome(
        InvertedResidual(12, 2.0, 3),
        TemporalInvertedResidual(12, 2.0, 3),
        InvertedResidual(8, 1.0, 5, 2, "hswish"),
    ),
    "sum-of-branches": _genome(Branches("sum", ((TemporalConv(12, 3),), (SpatialConv(12, 3),)))),
    "branches-side-by-side": _genome(
        Branches("concat", ((Conv3d(4, 3, 3),), (TemporalConv(5, 3),), (SpatialConv(6, 3),), ()))
    ),
    "residual": _genome(SpatialConv(12, 3, 1, "relu"), TemporalConv(12, 3), residual="projection"),
    "head-a-frame": _genome(TemporalConv(8, 3), head="per_frame"),
    "head-a-frame-of-space": _genome(SpatialConv(8, 3), head="per_frame"),
    "one-frame": Genome(
        InputSpec(9, 9, 1), (Block((STEM, TemporalConv(8, 3), NonLocal(4), SqueezeExcite(0.5))),)
    ),
}
