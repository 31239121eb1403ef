from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.network import pack
from tvnsearch.network.deploy import fold_norms
from tvnsearch.network.modules import SpatialConvolution
from tvnsearch.network.packing import Axis, cut_to_map
from tvnsearch.network.padding import same_padding


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 9), st.integers(1, 8))
def test_a_kernel_that_is_cut_computes_the_same(size: int, kernel: int, stride: int) -> None:
    padding = same_padding(size, kernel, stride)
    signal, weight = torch.randn(1, 1, size), torch.randn(1, 1, kernel)
    expected = functional.conv1d(functional.pad(signal, padding), weight, stride=stride)
    cut = cut_to_map(Axis(kernel, stride, *padding), size)
    kept = weight[:, :, cut.first : cut.first + cut.taps]
    found = functional.conv1d(functional.pad(signal, (cut.before, cut.after)), kept, stride=cut.stride)
    torch.testing.assert_close(found, expected)
    assert cut.taps <= min(kernel, 2 * size - 1)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["none", "relu", "relu6", "swish", "hswish"]),
    st.integers(1, 5),
    st.integers(1, 8),
    st.integers(1, 3),
    st.sampled_from([1, 3, 16, 40]),
    st.sampled_from([1, 8, 33]),
    st.booleans(),
)
def test_a_packed_convolution_computes_the_same(
    activation: str, size: int, kernel: int, stride: int, channels: int, filters: int, depthwise: bool
) -> None:
    out = -(-size // stride)
    filters = channels if depthwise else filters
    call = LayerCall(
        type="depthwise_conv" if depthwise else "spatial_conv",
        in_shape=Shape(2, size, size, channels),
        out_shape=Shape(2, out, out, filters),
        kernel=kernel,
        stride=stride,
        activation=activation,
        params=0,
        macs=0,
    )
    unit = fold_norms(SpatialConvolution(call).eval())
    features = torch.randn(2, size, size, channels).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = unit(features)
        found = pack(unit)(features)
        again = unit(features)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(found, again)
    assert found.permute(0, 2, 3, 1).is_contiguous()


def test_a_single_pixel_needs_one_tap() -> None:
    for kernel in range(1, 9):
        assert cut_to_map(Axis(kernel, 3, *same_padding(1, kernel, 3)), 1)[:4] == (1, 1, 0, 0)


@pytest.mark.parametrize("size", [2, 3])
def test_a_large_kernel_is_cut_to_what_meets_the_map(size: int) -> None:
    assert cut_to_map(Axis(8, 1, *same_padding(size, 8, 1)), size).taps == 2 * size - 1
