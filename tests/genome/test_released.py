"""The paper's networks against their release: its block descriptions, its rules, its counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.genome.released import COUNTS, NETWORKS, Step, steps
from tvnsearch.genome import Genome, trace
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.scaling import scaled
from tvnsearch.genome.zoo import load_zoo


def executed(genome: Genome) -> Iterator[Step]:
    """The calls of ``genome`` in the words of the reference, each activation by itself."""
    for call in trace(genome).calls[:-1]:
        frames, height, width, channels = call.out_shape
        assert height == width
        if call.type != "activation":
            yield Step(_kind(call), frames, height, channels, call.kernel, call.stride, call.hidden)
        if call.activation != "none" and call.type != "squeeze_excite":
            yield Step(call.activation, frames, height, channels)


def _kind(call: LayerCall) -> str:
    if call.type not in ("spatial_pool", "temporal_pool"):
        return call.type
    if call.kernel == 1:
        return "pixels_dropped"
    return f"{call.mode}_{'frame' if call.type == 'spatial_pool' else 'time'}"


@pytest.mark.parametrize("frames", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_do_what_their_release_says_on_any_number_of_frames(name: str, frames: int) -> None:
    assert list(executed(scaled(load_zoo(name), frames=frames))) == steps(name, frames)


@pytest.mark.parametrize(("name", "frames"), [("tvn-1-8f", 8), ("tvn-1-16f", 16)])
def test_tvn_1_on_more_frames_is_the_released_network_there(name: str, frames: int) -> None:
    assert list(executed(load_zoo(name))) == steps("tvn-1", frames)


@pytest.mark.parametrize("name", NETWORKS)
def test_released_networks_look_at_the_clips_that_their_release_says(name: str) -> None:
    genome, expected = load_zoo(name), NETWORKS[name]["input"]
    clip = (expected["frames"], expected["height"], expected["width"], 3)
    assert (trace(genome).in_shape, genome.input.frame_stride) == (clip, expected["frame_stride"])


@pytest.mark.parametrize("name", NETWORKS)
def test_released_networks_count_exactly(name: str) -> None:
    network = trace(load_zoo(name), classes=339)
    assert (network.params, network.macs) == COUNTS[name]
