"""The peers' networks against the same networks in plain torch, by their logits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import pytest
import torch
from _pytest.mark.structures import ParameterSet
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn import functional

from tests.genome.brute_force import live_taps
from tests.network.plain_peers import PLAIN
from tests.network.plain_peers.squeezetime import plain_squeezetime
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.genome import Genome, InputSpec, square_input
from tvnsearch.genome.kinds import CONVOLUTIONS, OVER_TIME
from tvnsearch.genome.zoo.peers import PEERS
from tvnsearch.network import build_network
from tvnsearch.network.build import TinyVideoNetwork

CLASSES = 7

INPUTS = ((5, 71), (6, 80), (4, 30))
"""Frames and pixels: odd before most strides, even before most, and so few that networks end on one pixel.

The first two end on 3 x 3 pixels, of which pools that reach beyond the whole map once missed a part.
"""

STRIDE_OVER_TIME = ("r2plus1d-18", "r2plus1d-34", "r2plus1d-50", "r2plus1d-101", "i3d", "s3d", "s3d-g")
INPUTS_TO_STRIDE = ((9, 37), (10, 48), (12, 30))
"""So many frames that none is left alone: our temporal layers are not executed on a single one."""

INPUTS_TO_PACK = ((16, 71), (16, 80), (16, 30))
"""As many frames as SqueezeTime packs; maps of 1 and 3 pixels cut the kernels of channel-time learning."""

ONE_NETWORK = ("x3d-s", "x3d-m", "mobilenetv3-large-1f", "mobilenetv3-large-2f")
"""The same networks as ``x3d-xs`` and ``mobilenetv3-large``, on other inputs."""

LARGE = ("r2plus1d-34", "r2plus1d-101")


def cases() -> list[ParameterSet]:
    found = []
    for name in PEERS:
        if name not in ONE_NETWORK:
            inputs = INPUTS_TO_STRIDE if name in STRIDE_OVER_TIME else INPUTS
            for frames, pixels in INPUTS_TO_PACK if name == "squeezetime" else inputs:
                marks = [pytest.mark.slow] if name in LARGE and pixels > 30 else []
                found.append(pytest.param(name, frames, pixels, marks=marks))
    return found


@pytest.fixture(autouse=True)
def in_doubles() -> Iterator[None]:
    """What is computed in doubles differs by its definition, not by rounding, however deep the network."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def randomise(network: nn.Module) -> None:
    """Leave nothing at an identity, and activations at about one scale."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            assert module.running_mean is not None and module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            nn.init.normal_(module.bias, std=0.2)


def settle(network: TinyVideoNetwork, clips: Tensor) -> None:
    """Give each BatchNorm the statistics of what it sees in ``clips``.

    Where activations grow from layer to layer, channel-time learning's gates become so steep that rounding
    grows tenfold in each.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(clips)
    network.eval()


def copy_weights(ours: TinyVideoNetwork, plain: nn.Module) -> None:
    """Give each tensor of ``plain`` the one at the same place of ``ours``, in the order of execution.

    Kernels of ours lack the taps that only ever meet padding; those are zero in the plain one.
    """
    values = {name: value for name, value in ours.state_dict().items() if "num_batches_tracked" not in name}
    places = {name: value for name, value in plain.state_dict().items() if "num_batches_tracked" not in name}
    convolutions = convolutions_of(ours.trace.calls)
    copied = {}
    for (name, place), value in zip(places.items(), values.values(), strict=True):
        if name.endswith("weight") and place.dim() > 2:
            taps = (slice(None), slice(None), *taps_of(next(convolutions), place))
            whole = torch.zeros(place.shape)
            whole[taps] = value.reshape(whole[taps].shape)
            copied[name] = whole
        else:
            assert value.numel() == place.numel(), name
            copied[name] = value.reshape(place.shape)
    plain.load_state_dict(copied, strict=False, assign=True)


def convolutions_of(calls: Iterable[LayerCall]) -> Iterator[LayerCall]:
    """The call that each convolution is part of: channel-time learning has seven on one map."""
    for call in calls:
        if call.type in CONVOLUTIONS:
            yield call
        elif call.type == "channel_time_learning":
            yield from [call] * 7


def taps_of(call: LayerCall, kernel: Tensor) -> tuple[slice, ...]:
    """Which taps of a plain kernel ever meet the map of ``call``, along each of its axes."""
    over_time = call.type in OVER_TIME
    strides = (call.stride, 1, 1) if over_time else (call.stride_frames, call.stride, call.stride)
    axes = list(zip(call.in_shape[:3], strides, strict=True))[5 - kernel.dim() :]
    slices = []
    for (size, stride), written in zip(axes, kernel.shape[2:], strict=True):
        taps = live_taps(size, written, min(stride, size))
        slices.append(slice(taps[0], taps[-1] + 1))
    return tuple(slices)


def clips_of(spec: InputSpec, batch: int) -> Tensor:
    """Noise over patches that are larger than a pixel and than a frame, so that clips differ."""
    size = (spec.frames, spec.height, spec.width)
    patches = functional.interpolate(torch.randn(batch, 3, 3, 4, 4), size=size, mode="trilinear")
    return (2 * patches + torch.randn(batch, 3, *size)).movedim(1, -1)


def plain_of(name: str, pixels: int) -> nn.Module:
    return plain_squeezetime(CLASSES, pixels) if name == "squeezetime" else PLAIN[name](CLASSES)


def assert_equal_logits(name: str, genome: Genome, batch: int) -> None:
    torch.manual_seed(0)
    ours = build_network(genome, CLASSES).eval()
    randomise(ours)
    if name == "squeezetime":
        settle(ours, clips_of(genome.input, batch=4))
    with torch.device("meta"):
        plain = plain_of(name, genome.input.height).eval()
    copy_weights(ours, plain)
    clips = clips_of(genome.input, batch)
    with torch.inference_mode():
        logits = ours(clips)
        expected = plain(clips.movedim(-1, 1))
    scale = float(expected.abs().max())
    assert math.isfinite(scale)
    if batch > 1:
        assert float((expected[0] - expected[1]).abs().max()) > 1e-3 * scale
    assert float((logits - expected).abs().max()) < 1e-8 * scale


def test_every_peer_has_a_plain_network() -> None:
    assert list(PLAIN) == list(PEERS)


@pytest.mark.parametrize("name", ONE_NETWORK)
def test_peers_on_several_inputs_are_one_network(name: str) -> None:
    one = "x3d-xs" if name.startswith("x3d") else "mobilenetv3-large"
    assert PEERS[name].build().blocks == PEERS[one].build().blocks


@pytest.mark.parametrize(("name", "frames", "resolution"), cases())
def test_a_peer_computes_what_its_plain_network_computes(name: str, frames: int, resolution: int) -> None:
    genome = PEERS[name].build()
    assert_equal_logits(name, replace(genome, input=square_input(resolution, frames)), batch=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_computes_the_same_on_its_own_input(name: str) -> None:
    assert_equal_logits(name, PEERS[name].build(), batch=1)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "classes", "published", "ours_alone"),
    [
        ("r2plus1d-18", 400, 31_505_325, 0),  # torchvision
        ("i3d", 400, 12_697_264, 0),  # action-recognition-pytorch
        ("s3d", 400, 8_320_048, 0),  # torchvision
        (
            "s3d-g",
            400,
            9_098_000 + 410_000,
            37_056,
        ),  # ActionClassification, and a classifier; a gate in the stem
        ("x3d-m", 400, 3_794_322, 48 + 2048),  # PyTorchVideo; BatchNorm in the stem, a bias in the head
        ("mobilenetv3-small", 1000, 2_542_856, 0),  # torchvision
        ("mobilenetv3-large", 1000, 5_483_032, 0),  # torchvision
        ("tsm-mobilenetv2", 1000, 3_504_872, 0),  # torchvision's MobileNetV2: shifts have none
        # the official code, with biases before three BatchNorms: 16 units' two, three downsamplings'
        ("squeezetime", 400, 29_706_688, -(16 * 2 * 16 + 256 + 512 + 1024)),
    ],
)
def test_plain_networks_have_the_published_parameters(
    name: str, classes: int, published: int, ours_alone: int
) -> None:
    with torch.device("meta"):
        network = PLAIN[name](classes)
    assert parameters(network) == published + ours_alone


def test_the_plain_backbone_of_movinet_a0_has_the_values_of_the_release() -> None:
    """Keras counts 911,583, BatchNorm's running statistics and the 15 scales that we leave out among them."""
    with torch.device("meta"):
        network = PLAIN["movinet-a0"](600)
    assert isinstance(network, nn.Sequential)
    values = sum(value.numel() for name, value in network[:-1].state_dict().items() if "num_" not in name)
    assert values + 15 == 911_583
