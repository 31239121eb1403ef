from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tvnsearch.genome import square_input
from tvnsearch.genome.calls import Shape
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import Activation, DepthwiseConv, SpatialConv
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.network import build_network, deployed_on_processor, pack
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


@pytest.mark.parametrize("name", ["digits", "mobile"])
def test_a_whole_network_that_is_deployed_computes_the_same(name: str) -> None:
    """On batches of any size, after the first; what it was made of is left as it is."""
    torch.manual_seed(0)
    rng = random.Random(3)
    for _ in range(3):
        genome = sample_genome(load_space(name), rng)
        small = replace(genome, input=square_input(32, genome.input.frames))
        network = build_network(small, 7).eval()
        clips = torch.randn(3, *network.trace.in_shape)
        with torch.inference_mode():
            expected = network(clips)
            quick = deployed_on_processor(network)
            for few in (clips[:1], clips, clips[1:]):
                found = quick(few)
                wanted = expected if len(few) == 3 else network(few)
                torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
            assert torch.equal(network(clips), expected)
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in quick.modules())
