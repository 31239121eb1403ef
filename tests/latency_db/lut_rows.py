"""Hypothesis strategies for lookup tables: rows of real layer calls with any figures."""

from __future__ import annotations

from hypothesis import strategies as st

from latency_db.lut.blocks import inverted_residual_call
from latency_db.lut.table import LookupTable, row_of
from tvnsearch.genome.calls import Shape, activation_call, add_call, head_call
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import (
    Conv3d,
    DepthwiseConv,
    NonLocal,
    SpatialConv,
    SpatialPool,
    SqueezeExcite,
    TemporalConv,
)

CHANNELS = st.sampled_from([3, 8, 16, 24])
ACTIVATIONS = st.sampled_from(["none", "relu", "relu6", "hswish"])
KERNELS = st.sampled_from([1, 2, 3, 5])
STRIDES = st.sampled_from([1, 2])
SHAPES = st.builds(Shape, st.sampled_from([1, 2, 8]), st.integers(1, 33), st.integers(1, 33), CHANNELS)
LAYERS = st.one_of(
    st.builds(SpatialConv, CHANNELS, KERNELS, STRIDES, ACTIVATIONS),
    st.builds(DepthwiseConv, KERNELS, STRIDES, ACTIVATIONS),
    st.builds(TemporalConv, CHANNELS, KERNELS, STRIDES, ACTIVATIONS),
    st.builds(Conv3d, CHANNELS, KERNELS, KERNELS, STRIDES, STRIDES, ACTIVATIONS),
    st.builds(SpatialPool, st.sampled_from(["avg", "max"]), KERNELS, STRIDES),
    st.builds(SqueezeExcite, st.just(0.25)),
    st.builds(NonLocal, st.integers(1, 8)),
)


@st.composite
def blocks(draw):
    shape = draw(SHAPES)
    hidden = shape.channels * draw(st.integers(1, 6)) + draw(st.sampled_from([0, 0, 0, 1]))
    kernel = draw(st.sampled_from([3, 5, 7]))
    stride = draw(STRIDES)
    shortcut = stride == 1 and draw(st.booleans())
    filters = shape.channels if shortcut else draw(CHANNELS)
    return inverted_residual_call(shape, filters, hidden, kernel, stride, draw(ACTIVATIONS), shortcut)


CALLS = st.one_of(
    st.builds(layer_call, LAYERS, SHAPES).filter(bool),
    blocks().filter(bool),
    st.builds(head_call, SHAPES, st.integers(1, 1000)),
    st.builds(add_call, SHAPES),
    st.builds(activation_call, st.sampled_from(["relu", "hswish"]), SHAPES),
)
LATENCIES_MS = st.floats(1e-6, 1e6)


@st.composite
def rows(draw, calls=CALLS):
    latency_ms = draw(LATENCIES_MS)
    if draw(st.booleans()):
        figures = {"origin": "predicted", "count": 0, "mean_ms": latency_ms}
    else:
        figures = {
            "origin": "measured",
            "count": draw(st.integers(1, 10**6)),
            "mean_ms": draw(LATENCIES_MS),
            "variance_ms2": draw(st.none() | st.floats(0, 1e6)),
        }
    interval = {"low_ms": draw(LATENCIES_MS), "high_ms": draw(LATENCIES_MS)} if draw(st.booleans()) else {}
    return row_of(draw(calls), latency_ms=latency_ms, **figures, **interval)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
TABLES = st.builds(
    LookupTable,
    WORDS,
    st.dictionaries(WORDS, WORDS, max_size=3),
    st.lists(rows(), min_size=1, max_size=40, unique_by=lambda row: row.call).map(tuple),
)
