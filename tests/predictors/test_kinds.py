"""Which calls share rates: what a runtime executes with one kernel."""

from __future__ import annotations

import pytest

from predictors.call_table import CallTable
from predictors.kinds import KIND_NAMES, call_kinds
from tvnsearch.genome.calls import Shape, add_call, head_call
from tvnsearch.genome.layer_calls import Primitive, layer_call
from tvnsearch.genome.layers import (
    ChannelTimeLearning,
    ContextGate,
    DepthwiseConv,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
    TemporalPool,
)

MAP, IMAGE, PIXEL = Shape(4, 16, 16, 32), Shape(4, 64, 64, 3), Shape(4, 1, 1, 32)


@pytest.mark.parametrize(
    ("layer", "shape", "kind"),
    [
        (SpatialConv(16, kernel=3), MAP, "spatial_conv"),
        (SpatialConv(16, kernel=1), MAP, "spatial_conv:pointwise"),
        (SpatialConv(16, kernel=3), PIXEL, "spatial_conv:pointwise"),
        (SpatialConv(16, kernel=3), IMAGE, "spatial_conv:few_channels"),
        (SpatialConv(16, kernel=1), IMAGE, "spatial_conv:few_channels"),
        (DepthwiseConv(3), MAP, "depthwise_conv"),
        (TemporalConv(16, kernel=3), MAP, "temporal_conv"),
        (TemporalConv(16, kernel=3), PIXEL, "temporal_conv"),
        (SpatialPool(kernel=3, stride=2, mode="max"), MAP, "spatial_pool:max"),
        (SpatialPool(kernel=3, stride=2, mode="avg"), MAP, "spatial_pool:avg"),
        (SpatialPool(kernel=3, stride=2, mode="max"), IMAGE, "spatial_pool:few_channels"),
        (SpatialPool(kernel=1, stride=2, mode="max"), IMAGE, "spatial_pool:strided"),
        (TemporalPool(kernel=1, stride=2, mode="avg"), MAP, "temporal_pool:strided"),
        (TemporalPool(kernel=2, stride=2, mode="avg"), MAP, "temporal_pool:avg"),
        (NonLocal(bottleneck=8), MAP, "non_local"),
        (NonLocal(bottleneck=8), IMAGE, "non_local"),
        (ChannelTimeLearning(16), MAP, "channel_time_learning"),
        (ContextGate(), MAP, "context_gate:clip_sigmoid"),
        (SqueezeExcite(ratio=0.25, over="frame", gate="hsigmoid"), MAP, "squeeze_excite:frame_hsigmoid"),
    ],
)
def test_a_call_is_of_the_kind_of_the_kernel_that_runs_it(layer: Primitive, shape: Shape, kind: str) -> None:
    call = layer_call(layer, shape)
    assert call is not None
    assert KIND_NAMES[call_kinds(CallTable([call]))].tolist() == [kind]


def test_calls_without_a_layer_have_kinds_too() -> None:
    calls = [add_call(MAP), head_call(MAP, 10), head_call(MAP, 10, "per_frame")]
    assert KIND_NAMES[call_kinds(CallTable(calls))].tolist() == ["add", "head", "head:per_frame"]


def test_of_no_calls_there_are_no_kinds() -> None:
    assert call_kinds(CallTable([])).tolist() == []
