from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors import call_table
from predictors.call_table import TYPES, CallTable
from predictors.features import FEATURE_NAMES, WORK_NAMES, call_features, call_work, in_context, table_of
from tests.predictors.synthetic_device import random_genomes
from tvnsearch.genome import Block, Genome, InputSpec
from tvnsearch.genome.calls import LayerCall, Shape, layer_call
from tvnsearch.genome.layers import DepthwiseConv, SpatialConv, SpatialPool, TemporalConv, TemporalPool
from tvnsearch.genome.trace import trace
from tvnsearch.network.modules import pooling
from tvnsearch.network.packing import Axis, cut_to_map
from tvnsearch.network.padding import same_padding

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
    height = draw(st.integers(2, 24))
    shape = Shape(draw(st.integers(2, 20)), height, height, draw(st.integers(1, 40)))
    call = layer_call(kind(**parameters), shape)
    return call if call is not None else draw(sliding_calls())


def axis(call: LayerCall) -> int:
    return call.in_shape.frames if call.type.startswith("temporal") else call.in_shape.height


def deployed_axis(call: LayerCall) -> Axis:
    """One axis of the kernel that is run; pools are never cut."""
    plain = Axis(call.kernel, call.stride, *same_padding(axis(call), call.kernel, call.stride))
    return plain if call.type.endswith("pool") else cut_to_map(plain, axis(call))


@given(sliding_calls())
def test_explicit_padding_is_what_the_network_copies(call: LayerCall) -> None:
    deployed = deployed_axis(call)
    table = CallTable([call])
    assert table.kernel[0] == deployed.taps
    assert bool(table.pads_explicitly[0]) == (deployed.before != deployed.after)
    if deployed.before != deployed.after:
        growth = (axis(call) + deployed.before + deployed.after) / axis(call)
        factor = growth if call.type.startswith("temporal") else growth**2
        assert table.explicit_padding_bytes[0] == pytest.approx(4 * call.in_shape.values * factor)


@given(sliding_calls())
def test_real_taps_are_those_on_the_map(call: LayerCall) -> None:
    size, deployed = axis(call), deployed_axis(call)
    if deployed.before != deployed.after:
        return
    outputs = range(-(-size // call.stride))
    taps = [o * call.stride - deployed.before + k for o in outputs for k in range(deployed.taps)]
    share = sum(0 <= tap < size for tap in taps) / len(taps)
    expected = share if call.type.startswith("temporal") else share**2
    assert CallTable([call]).real_tap_share[0] == pytest.approx(expected)


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


def test_pools_are_split_in_passes_where_the_network_splits_them() -> None:
    """The predictor may not load torch, so it holds the network's rule a second time."""
    assert call_table.SEPARABLE_POOL_KERNEL == pooling.SEPARABLE_POOL_KERNEL


def test_calls_run_again_in_later_repeats_of_their_block() -> None:
    block = Block((SpatialConv(8, 3, 2, "relu"),), repeats=3)
    contexts = in_context(trace(Genome(InputSpec(32, 2), (block, block))))
    # the first repeat reads 3 channels, the second block's all read 8; only first repeats are strided
    assert [context.runs_again for context in contexts] == [False, False, True, False, False, True, False]
    assert [context.previous for context in contexts] == [None, *(context.call for context in contexts[:-1])]
