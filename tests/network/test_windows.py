"""What layers compute, against windows cut position by position, over sizes, kernels and strides.

The reference knows the layer as it is written: kernels are whole, however far they reach beyond the map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tests.genome.brute_force import live_taps, positions, windows
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import (
    Conv3d,
    DepthwiseConv,
    DepthwiseConv3d,
    PoolMode,
    SpatialConv,
    SpatialPool,
    TemporalConv,
    TemporalDepthwiseConv,
    TemporalPool,
)
from tvnsearch.network import pack
from tvnsearch.network.build import MODULES
from tvnsearch.network.deploy import fold_norms
from tvnsearch.network.layout import lay_out_weights
from tvnsearch.network.modules import ConvUnit

Array = NDArray[np.float64]

CHANNELS = 2


def kernels(size: int) -> list[int]:
    return sorted({*range(1, 9), size, size + 1, 2 * size - 1, 2 * size + 3, 64})


ALL_FRAMES = range(2, 65)
SOME_FRAMES = (2, 3, 5, 8, 13)


def along_time(sizes: Iterable[int]) -> Iterator[tuple[int, int, int]]:
    for size, stride in product(sizes, range(1, 9)):
        for kernel in kernels(size):
            yield size, kernel, stride


SOME_MAPS = ((1, 1), (2, 2), (3, 3), (8, 8), (1, 6), (3, 7))
ALL_MAPS = (
    *((side, side) for side in (1, 2, 3, 4, 5, 6, 7, 8, 13, 28)),
    (1, 6),
    (6, 1),
    (3, 7),
    (9, 5),
    (2, 11),
)


def over_space(maps: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], int, int]]:
    """Every kernel to 8, and beyond the map."""
    for size, stride in product(maps, range(1, 9)):
        for kernel in sorted({*range(1, 9), *size, 2 * max(size), 64}):
            yield size, kernel, stride


def computed(call: LayerCall, features: Array, weights: Array | None, packed: bool = False) -> Array:
    """What our module computes of (frames, height, width, channels), with the weights of live taps."""
    module = MODULES[call.type](call).eval()
    for unit in module.modules():
        if isinstance(unit, ConvUnit) and weights is not None:
            unit.conv.weight.data = torch.from_numpy(weights).float().reshape(unit.conv.weight.shape)
            unit.norm = nn.Identity()
            lay_out_weights(unit.conv)
    if packed:
        module = pack(fold_norms(module))
    frames = torch.from_numpy(features).float().permute(0, 3, 1, 2)
    with torch.inference_mode():
        result = module(frames.contiguous(memory_format=torch.channels_last))
    return result.permute(0, 2, 3, 1).double().numpy()


def reference_conv(
    features: Array, kernels: tuple[int, ...], strides: tuple[int, ...], weights: Array
) -> Array:
    """Each output as the sum over its windows; ``weights`` are (out, in or 1, taps...), zero where dead."""
    sizes = features.shape[:3]
    gathered = features
    for axis in (2, 1, 0):
        spans = windows(sizes[axis], kernels[axis], strides[axis])
        nothing = np.zeros_like(np.take(gathered, 0, axis=axis))
        taps = [
            np.stack(
                [
                    np.take(gathered, window[tap], axis=axis) if 0 <= window[tap] < sizes[axis] else nothing
                    for window in spans
                ],
                axis=axis,
            )
            for tap in range(kernels[axis])
        ]
        gathered = np.stack(taps, axis=-1)
    # (frames, rows, columns, channels, column taps, row taps, frame taps)
    if weights.shape[1] == 1 and features.shape[3] > 1:
        return np.einsum("thwczyx,cxyz->thwc", gathered, weights[:, 0])
    return np.einsum("thwczyx,fcxyz->thwf", gathered, weights)


def weights_of(
    call: LayerCall, written: tuple[int, ...], strides: tuple[int, ...], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Random weights of the live taps, and the same in the whole kernel, zero elsewhere."""
    sizes = call.in_shape[:3]
    taps = [live_taps(*axis) for axis in zip(sizes, written, strides, strict=True)]
    depthwise = "depthwise" in call.type
    shape = (call.out_shape.channels, 1 if depthwise else call.in_shape.channels)
    live = rng.normal(size=(*shape, *map(len, taps)))
    whole = np.zeros((*shape, *written))
    whole[(slice(None), slice(None), *np.ix_(*taps))] = live
    return live, whole


def assert_convolves(
    layer: SpatialConv | DepthwiseConv | TemporalConv | TemporalDepthwiseConv | Conv3d | DepthwiseConv3d,
    shape: Shape,
    written: tuple[int, ...],
    strides: tuple[int, ...],
    packed: bool = False,
) -> None:
    call = layer_call(layer, shape)
    assert call is not None
    rng = np.random.default_rng(sum(shape) + sum(written))
    live, whole = weights_of(call, written, strides, rng)
    # parameters are those of the live taps, and of the BatchNorm
    assert call.params == live.size + 2 * call.out_shape.channels
    features = rng.normal(size=shape)
    expected = reference_conv(features, written, strides, whole)
    assert expected.shape == call.out_shape
    found = computed(call, features, live, packed)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=f"{layer} on {shape}")


def assert_convolves_over_time(frames: Iterable[int], packed: bool) -> None:
    for size, kernel, stride in along_time(frames):
        shape = Shape(size, 1, 1, CHANNELS)
        if kernel > 1:  # else it is written out as one over space before it is a call
            layers = TemporalConv(3, kernel, stride), TemporalDepthwiseConv(kernel, stride)
            for layer in layers:
                assert_convolves(layer, shape, (kernel, 1, 1), (stride, 1, 1), packed)


def assert_convolves_over_space(maps: Iterable[tuple[int, int]], packed: bool) -> None:
    for (height, width), kernel, stride in over_space(maps):
        shape = Shape(1, height, width, CHANNELS)
        if kernel > 1 or stride == 1:  # else it is written out as a pool and a convolution
            layers = SpatialConv(3, kernel, stride), DepthwiseConv(kernel, stride)
            for layer in layers:
                assert_convolves(layer, shape, (1, kernel, kernel), (1, stride, stride), packed)


@pytest.mark.parametrize("packed", [False, True])
def test_convolutions(packed: bool) -> None:
    assert_convolves_over_time(SOME_FRAMES, packed)
    assert_convolves_over_space(SOME_MAPS, packed)


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_convolutions_of_all_sizes(packed: bool) -> None:
    assert_convolves_over_time(ALL_FRAMES, packed)
    assert_convolves_over_space(ALL_MAPS, packed)


def test_convolutions_over_space_and_time() -> None:
    for frames, side, kernel, stride in product((2, 5), (2, 5), (3, 16), (1, 2)):
        for kernel_frames, stride_frames in ((2, 1), (3, 2), (9, 1), (16, 5)):
            shape = Shape(frames, side, side + 1, CHANNELS)
            kernel_sizes = (kernel_frames, kernel, kernel)
            strides = (stride_frames, stride, stride)
            geometry = (kernel, kernel_frames, stride, stride_frames)
            assert_convolves(Conv3d(3, *geometry), shape, kernel_sizes, strides)
            assert_convolves(DepthwiseConv3d(*geometry), shape, kernel_sizes, strides)


def reference_pool(features: Array, mode: str, kernels: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """The mean or the maximum of each window's positions on the map."""
    spans = [
        [sorted(positions(size, window)) for window in windows(size, kernel, stride)]
        for size, kernel, stride in zip(features.shape[:3], kernels, strides, strict=True)
    ]
    reduce = np.mean if mode == "avg" else np.max
    out = np.empty((*map(len, spans), features.shape[3]))
    for place in product(*(range(len(span)) for span in spans)):
        seen = features[np.ix_(*(span[index] for span, index in zip(spans, place, strict=True)))]
        out[place] = reduce(seen, axis=(0, 1, 2))
    return out


def assert_pools(
    layer: SpatialPool | TemporalPool, shape: Shape, kernels: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    features = np.random.default_rng(sum(shape)).normal(size=shape)
    expected = reference_pool(features, layer.mode, kernels, strides)
    call = layer_call(layer, shape)
    found = features if call is None else computed(call, features, None)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=f"{layer} on {shape}")


def assert_pools_everywhere(mode: PoolMode, frames: Iterable[int], maps: Iterable[tuple[int, int]]) -> None:
    for size, kernel, stride in along_time(frames):
        layer = TemporalPool(mode, kernel, stride)
        assert_pools(layer, Shape(size, 1, 1, 1), (kernel, 1, 1), (stride, 1, 1))
    for (height, width), kernel, stride in over_space(maps):
        square = SpatialPool(mode, kernel, stride)
        assert_pools(square, Shape(1, height, width, 1), (1, kernel, kernel), (1, stride, stride))


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_pools(mode: PoolMode) -> None:
    assert_pools_everywhere(mode, SOME_FRAMES, SOME_MAPS)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_pools_of_all_sizes(mode: PoolMode) -> None:
    assert_pools_everywhere(mode, ALL_FRAMES, ALL_MAPS)


@pytest.mark.parametrize("side", [1, 2, 5, 7, 8, 28, 50])
@pytest.mark.parametrize("kernel", [64, 4096])
def test_a_global_pool_is_the_mean_of_the_whole_map(side: int, kernel: int) -> None:
    features = np.random.default_rng(side).normal(size=(3, side, side, 4))
    call = layer_call(SpatialPool("avg", kernel, kernel), Shape(*features.shape))
    found = features if call is None else computed(call, features, None)
    np.testing.assert_allclose(found[:, 0, 0], features.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("frames", [2, 8, 16, 50, 200])
def test_a_global_pool_over_time_is_the_mean_of_all_frames(frames: int) -> None:
    features = np.random.default_rng(frames).normal(size=(frames, 2, 3, 4))
    call = layer_call(TemporalPool("avg", 1024, 1024), Shape(*features.shape))
    assert call is not None
    np.testing.assert_allclose(computed(call, features, None)[0], features.mean(axis=0), rtol=1e-5, atol=1e-6)
