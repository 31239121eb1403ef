from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.call_table import TYPES, CallTable
from predictors.features import FEATURE_NAMES, WORK_NAMES, call_features, call_work, in_context, table_of
from tests.genome.brute_force import windows
from tests.predictors.synthetic_device import random_genomes
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import DepthwiseConv, SpatialConv, SpatialPool, TemporalConv, TemporalPool
from tvnsearch.genome.trace import trace

SPATIAL = [SpatialConv, DepthwiseConv, SpatialPool]
LAYERS = [*SPATIAL, TemporalConv, TemporalPool]


@st.composite
def sliding_calls(draw: st.DrawFn) -> LayerCall:
    kind = draw(st.sampled_from(LAYERS))
    parameters = {"kernel": draw(st.integers(1, 9)), "stride": draw(st.integers(1, 8))}
    if kind in (SpatialConv, TemporalConv):
        parameters["filters"] = draw(st.integers(1, 40))
    if kind in (SpatialPool, TemporalPool):
        parameters["mode"] = draw(st.sampled_from(["avg", "max"]))
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    shape = Shape(draw(st.integers(2, 20)), height, width, draw(st.integers(1, 40)))
    call = layer_call(kind(**parameters), shape)
    return call if call is not None else draw(sliding_calls())


def axes(call: LayerCall) -> list[tuple[int, list[range]]]:
    """The length of the map and all windows on it, along each axis that the kernel runs along."""
    _, height, width, _ = call.in_shape
    if call.type.startswith("temporal"):
        sizes = [(call.in_shape.frames, call.kernel)]
    else:
        sizes = [(height, call.kernel), (width, call.kernel_width)]
    return [(size, windows(size, kernel, min(call.stride, size))) for size, kernel in sizes]


@given(sliding_calls())
def test_explicit_padding_is_what_the_network_copies(call: LayerCall) -> None:
    copied = 4.0 * call.in_shape.values
    pads = False
    for size, spans in axes(call):
        before, after = -spans[0].start, max(spans[-1].stop - size, 0)
        # zeros behind that start no further window are free
        further = (size + 2 * before - len(spans[0])) // (call.stride if len(spans) > 1 else size) + 1
        is_symmetric = further == len(spans)
        pads |= not is_symmetric
        copied *= (size + before + (before if is_symmetric else after)) / size
    table = CallTable([call])
    assert bool(table.pads_explicitly[0]) == pads
    assert table.explicit_padding_bytes[0] == pytest.approx(copied if pads else 0)


@given(sliding_calls())
def test_real_taps_are_those_on_the_map(call: LayerCall) -> None:
    table = CallTable([call])
    if table.pads_explicitly[0]:
        return
    expected = 1.0
    for size, spans in axes(call):
        taps = [tap for window in spans for tap in window]
        expected *= sum(0 <= tap < size for tap in taps) / len(taps)
    assert table.real_tap_share[0] == pytest.approx(expected)


def test_every_call_of_random_genomes_has_finite_rows() -> None:
    for space in ("paper", "digits"):
        for genome in random_genomes(40, seed=3, space=space):
            calls = in_context(trace(genome))
            table = table_of(calls)
            features, work = call_features(calls, table), call_work(table.distinct)
            assert features.shape == (len(calls), len(FEATURE_NAMES))
            assert work.shape == (len({context.call for context in calls}), len(WORK_NAMES))
            assert np.isfinite(features).all()
            assert np.isfinite(work).all()
            assert (work >= 0).all()


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    calls = [context for genome in random_genomes(10, seed=4) for context in in_context(trace(genome))]
    together = call_features(calls, table_of(calls))
    assert all(
        (call_features([context], table_of([context]))[0] == row).all()
        for context, row in zip(calls, together, strict=True)
    )


def test_a_row_tells_of_the_call_before_it() -> None:
    contexts = [context for genome in random_genomes(5, seed=6) for context in in_context(trace(genome))]
    rows = call_features(contexts, table_of(contexts))
    columns = [FEATURE_NAMES.index(f"previous_{name}") for name in ("type", "kernel", "log2_macs")]
    for context, row in zip(contexts, rows, strict=True):
        before = context.previous
        told = (
            (len(TYPES), 0, 0) if before is None else (TYPES.index(before.type), before.kernel, before.macs)
        )
        assert row[columns] == pytest.approx([*told[:2], np.log2(1 + told[2])])


def test_no_rows_for_no_calls() -> None:
    assert call_features([], table_of([])).shape == (0, len(FEATURE_NAMES))
    assert call_work(CallTable([])).shape == (0, len(WORK_NAMES))


def test_importing_predictors_loads_nothing_heavy() -> None:
    heavy = ("lightgbm", "sklearn", "scipy", "torch", "pandas")
    check = f"import sys, predictors; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_calls_run_again_in_later_repeats_of_their_block() -> None:
    block = Block((SpatialConv(8, 3, 2, "relu"),), repeats=3)
    contexts = in_context(trace(Genome(square_input(32, 2), (block, block))))
    # the first repeat reads 3 channels, the second block's all read 8; only first repeats are strided
    assert [context.runs_again for context in contexts] == [False, False, True, False, False, True, False]
    assert [context.previous for context in contexts] == [None, *(context.call for context in contexts[:-1])]
