from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tvnsearch.genome.calls import Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import Activation, DepthwiseConv, SpatialConv
from tvnsearch.network import pack
from tvnsearch.network.deploy import fold_norms
from tvnsearch.network.modules import SpatialConvolution


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["none", "relu", "relu6", "swish", "hswish"]),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 8),
    st.integers(1, 3),
    st.sampled_from([1, 3, 16, 40]),
    st.sampled_from([1, 8, 33]),
    st.booleans(),
)
def test_a_packed_convolution_computes_the_same(
    activation: Activation,
    size: int,
    width: int,
    kernel: int,
    stride: int,
    channels: int,
    filters: int,
    depthwise: bool,
) -> None:
    layer = (
        DepthwiseConv(kernel, stride, activation)
        if depthwise
        else SpatialConv(filters, kernel, stride, activation)
    )
    call = layer_call(layer, Shape(2, size, width, channels))
    assert call is not None
    unit = fold_norms(SpatialConvolution(call).eval())
    features = torch.randn(2, size, width, channels).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = unit(features)
        found = pack(unit)(features)
        again = unit(features)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(found, again)
    assert found.permute(0, 2, 3, 1).is_contiguous()
