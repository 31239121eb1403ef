"""The peers' networks against their published counts, and against the same networks in plain torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tvnsearch.genome import trace
from tvnsearch.genome.genome import genome_from_json, genome_to_json, square_input
from tvnsearch.genome.zoo.peers import PEERS
from tvnsearch.genome.zoo.peers.r2plus1d import bottleneck_unit, r2plus1d

DOCUMENT = Path(__file__).parents[2] / "docs" / "networks.md"

NAMES = [
    "r2plus1d-18",
    "r2plus1d-34",
    "r2plus1d-50",
    "r2plus1d-101",
    "i3d",
    "s3d",
    "s3d-g",
    "x3d-xs",
    "x3d-s",
    "x3d-m",
    "movinet-a0",
    "movinet-a1",
    "mobilenetv3-small",
    "mobilenetv3-large",
    "mobilenetv3-large-1f",
    "mobilenetv3-large-2f",
    "tsm-mobilenetv2",
    "squeezetime",
]


def test_the_peers_are_complete() -> None:
    assert list(PEERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_counts_agree_with_the_published_ones(name: str) -> None:
    peer = PEERS[name]
    network = trace(peer.build(), peer.classes)
    assert network.params == pytest.approx(peer.published_params, rel=peer.params_tolerance)
    assert network.macs / 1e9 == pytest.approx(peer.published_gmacs, rel=peer.gmacs_tolerance)


def test_tolerances_are_tight() -> None:
    assert [name for name, peer in PEERS.items() if peer.params_tolerance > 0.01] == ["movinet-a1"]
    assert max(peer.params_tolerance for peer in PEERS.values()) <= 0.02
    assert max(peer.gmacs_tolerance for peer in PEERS.values()) <= 0.03


@pytest.mark.parametrize(
    "name",
    [
        *("r2plus1d-18", "i3d", "s3d", "mobilenetv3-small"),
        *("mobilenetv3-large", "mobilenetv3-large-1f", "mobilenetv3-large-2f"),
    ],
)
def test_exactly_published_parameters_are_met_exactly(name: str) -> None:
    peer = PEERS[name]
    assert trace(peer.build(), peer.classes).params == peer.published_params


def test_s3d_g_without_the_gate_in_its_stem_and_its_classifier_counts_as_published() -> None:
    """ActionClassification (Han): 9.098 M parameters."""
    stem_gate, classifier = 192 * 192 + 192, 1024 * 400 + 400
    assert trace(PEERS["s3d-g"].build(), 400).params - stem_gate - classifier == 9_098_000


@pytest.mark.parametrize("name", NAMES)
def test_genomes_survive_json(name: str) -> None:
    genome = PEERS[name].build()
    assert genome_from_json(genome_to_json(genome)) == genome


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_classes_only_changes_the_last_layer(name: str) -> None:
    genome = PEERS[name].build()
    features = trace(genome, 10).head.in_shape.channels
    assert trace(genome, 11).params - trace(genome, 10).params == features + 1


def test_the_bottleneck_of_depth_101_counts_as_published_at_depth_152() -> None:
    """VMZ model zoo: 118.0 M parameters, 329.1 GFLOPs on 32 frames of 128 pixels."""
    network = r2plus1d(square_input(128, frames=32), bottleneck_unit, (3, 8, 36, 3), widening=4)
    counts = trace(network, 400)
    assert counts.params == pytest.approx(118.0e6, rel=0.005)
    assert counts.macs / 1e9 == pytest.approx(329.1, rel=0.0005)


def parameters(modules: list[nn.Module]) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def conv(
    channels: int, filters: int, kernel: int | tuple[int, int, int] = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels, filters, kernel, groups=groups, bias=False, device="meta"),
        nn.BatchNorm3d(filters, device="meta"),
    )


def linear(channels: int, filters: int, bias: bool = True) -> nn.Linear:
    return nn.Linear(channels, filters, bias=bias, device="meta")


def squeeze_excite(channels: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(linear(channels, hidden), linear(hidden, channels))


def test_r2plus1d_18_has_the_parameters_of_a_plain_torch_network() -> None:
    modules: list[nn.Module] = [conv(3, 45, (1, 7, 7)), conv(45, 64, (3, 1, 1))]
    channels = 64
    for filters in (64, 128, 256, 512):
        if filters != channels:
            modules.append(conv(channels, filters))
        for inputs in (channels, filters):
            middle = (27 * inputs * filters) // (9 * inputs + 3 * filters)
            modules += [conv(inputs, middle, (1, 3, 3)), conv(middle, filters, (3, 1, 1))]
            modules += [conv(filters, middle, (1, 3, 3)), conv(middle, filters, (3, 1, 1))]
        channels = filters
    modules.append(linear(512, 400))
    assert trace(PEERS["r2plus1d-18"].build(), 400).params == parameters(modules)


def test_x3d_has_the_parameters_of_a_plain_torch_network_and_2096_more() -> None:
    modules: list[nn.Module] = [
        nn.Conv3d(3, 24, (1, 3, 3), bias=False, device="meta"),
        conv(24, 24, (5, 1, 1), groups=24),
    ]
    channels = 24
    for filters, units, hidden in ((24, 3, 8), (48, 5, 8), (96, 11, 16), (192, 7, 32)):
        width = filters * 9 // 4
        modules.append(conv(channels, filters))
        for number in range(units):
            modules += [conv(channels, width), conv(width, width, 3, groups=width), conv(width, filters)]
            if number % 2 == 0:
                modules.append(squeeze_excite(width, hidden))
            channels = filters
    modules += [conv(192, 432), linear(432, 2048, bias=False), linear(2048, 400)]
    stem_norm, head_bias = 2 * 24, 2048
    expected = parameters(modules) + stem_norm + head_bias
    assert {trace(PEERS[f"x3d-{size}"].build(), 400).params for size in ("xs", "s", "m")} == {expected}


MOVINETS = {
    "movinet-a0": (
        8,
        [
            (8, [(24, (1, 5, 5))]),
            (32, [(80, (3, 3, 3))] * 3),
            (56, [(184, (5, 3, 3)), (112, (3, 3, 3)), (184, (3, 3, 3))]),
            (56, [(184, (5, 3, 3))] + [(184, (3, 3, 3))] * 3),
            (104, [(384, (5, 3, 3)), (280, (1, 5, 5)), (280, (1, 5, 5)), (344, (1, 5, 5))]),
        ],
        480,
    ),
    "movinet-a1": (
        16,
        [
            (16, [(40, (1, 5, 5)), (40, (3, 3, 3))]),
            (40, [(96, (3, 3, 3)), (120, (3, 3, 3)), (96, (3, 3, 3)), (96, (3, 3, 3))]),
            (64, [(216, (5, 3, 3)), *((width, (3, 3, 3)) for width in (128, 216, 168, 216))]),
            (
                64,
                [
                    (216, (5, 3, 3)),
                    (216, (3, 3, 3)),
                    (216, (3, 3, 3)),
                    (128, (3, 3, 3)),
                    (128, (1, 5, 5)),
                    (216, (3, 3, 3)),
                ],
            ),
            (
                136,
                [
                    (456, (5, 3, 3)),
                    *((width, (1, 5, 5)) for width in (360, 360, 360, 456)),
                    (456, (3, 3, 3)),
                    (544, (1, 3, 3)),
                ],
            ),
        ],
        600,
    ),
}
"""Stem, stages and last width as the official code has them; each stage but the fourth strides."""

SQUEEZED = {
    24: 8,
    40: 16,
    80: 24,
    96: 24,
    112: 32,
    120: 32,
    128: 32,
    168: 40,
    184: 48,
    216: 56,
    280: 72,
    344: 88,
    360: 88,
    384: 96,
    456: 112,
    544: 136,
}
"""A quarter of each inner width to the nearest multiple of 8, a half upwards."""


@pytest.mark.parametrize("name", MOVINETS)
def test_movinets_have_the_parameters_of_a_plain_torch_network(name: str) -> None:
    stem, stages, last = MOVINETS[name]
    modules: list[nn.Module] = [conv(3, stem, (1, 3, 3))]
    channels = stem
    for stage, (filters, units) in enumerate(stages):
        for number, (width, kernel) in enumerate(units):
            modules += [conv(channels, width), conv(width, width, kernel, groups=width)]
            modules += [squeeze_excite(width, SQUEEZED[width]), conv(width, filters)]
            if channels != filters or (number == 0 and stage != 3):
                modules.append(conv(channels, filters))
            channels = filters
    modules += [conv(channels, last), linear(last, 2048), linear(2048, 600)]
    assert trace(PEERS[name].build(), 600).params == parameters(modules)


def test_mobilenetv3_small_has_the_parameters_of_a_plain_torch_network() -> None:
    rows = [
        (3, 16, 16, 8),
        (3, 72, 24, 0),
        (3, 88, 24, 0),
        (5, 96, 40, 24),
        (5, 240, 40, 64),
        (5, 240, 40, 64),
        (5, 120, 48, 32),
        (5, 144, 48, 40),
        (5, 288, 96, 72),
        (5, 576, 96, 144),
        (5, 576, 96, 144),
    ]
    modules: list[nn.Module] = [conv(3, 16, (1, 3, 3))]
    channels = 16
    for kernel, width, filters, hidden in rows:
        if width != channels:
            modules.append(conv(channels, width))
        modules += [conv(width, width, (1, kernel, kernel), groups=width), conv(width, filters)]
        if hidden:
            modules.append(squeeze_excite(width, hidden))
        channels = filters
    modules += [conv(96, 576), linear(576, 1024), linear(1024, 1000)]
    assert trace(PEERS["mobilenetv3-small"].build(), 1000).params == parameters(modules)


def test_tsm_mobilenetv2_costs_what_mobilenetv2_costs_frame_by_frame() -> None:
    """Parameters and, run on one frame, multiply-adds of the plain image network in torch."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32)]
    channels = 32
    for expansion, filters, units, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for number in range(units):
            width = expansion * channels
            if expansion > 1:
                layers += [nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)]
            step = stride if number == 0 else 1
            layers += [nn.Conv2d(width, width, 3, step, 1, groups=width, bias=False), nn.BatchNorm2d(width)]
            layers += [nn.Conv2d(width, filters, 1, bias=False), nn.BatchNorm2d(filters)]
            channels = filters
    layers += [nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280)]
    features = nn.Sequential(*layers).to("meta").eval()
    head = linear(1280, 400)

    macs = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs
        assert isinstance(module, nn.Conv2d)
        macs += module.weight[0].numel() * output.numel()

    for layer in features:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    features(torch.empty(1, 3, 224, 224, device="meta"))

    network = trace(PEERS["tsm-mobilenetv2"].build(), 400)
    assert network.params == parameters([features, head])
    assert network.macs == 8 * macs + 1280 * 400


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_counts_are_the_counts(name: str) -> None:
    peer = PEERS[name]
    network = trace(peer.build(), peer.classes)
    rows = [line.split(" | ") for line in DOCUMENT.read_text().splitlines() if f"`{name}` |" in line]
    assert len(rows) == 1
    params, gmacs = rows[0][4], rows[0][7]
    assert (params, gmacs) == (f"{network.params:,}", f"{network.macs / 1e9:.3f}")
