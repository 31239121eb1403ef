"""The released networks as their release describes them, walked by its building rules and not by ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.genome.brute_force import live_taps

FACTS = json.loads((Path(__file__).parent / "released_genomes.json").read_text())
"""The release's block descriptions and building rules, and what two other programs counted of them."""

NETWORKS: dict[str, dict[str, Any]] = {name.lower(): facts for name, facts in FACTS["networks"].items()}
COUNTS = {
    name.lower(): (counts["params"], counts["macs"]) for name, counts in FACTS["counts"]["exact"].items()
}
"""Parameters and MACs at 339 classes."""


class Step(NamedTuple):
    """One thing that is done, and what comes out: frames, pixels a side, channels."""

    kind: str
    frames: int
    pixels: int
    channels: int
    kernel: int = 1
    stride: int = 1
    hidden: int = 0


class _Features:
    """Features on their way through the network, by sizes alone."""

    def __init__(self, frames: int, pixels: int, channels: int) -> None:
        self.frames, self.pixels, self.channels = frames, pixels, channels

    def step(self, kind: str, kernel: int = 1, stride: int = 1, hidden: int = 0) -> Step:
        return Step(kind, self.frames, self.pixels, self.channels, kernel, stride, hidden)

    def pointwise(self, filters: int, activation: str = "") -> Iterator[Step]:
        self.channels = filters
        yield self.step("spatial_conv")
        if activation:
            yield self.step(activation)

    def spatial(self, layer: dict[str, Any], width: int) -> Iterator[Step]:
        kind, kernel, stride = layer["type"], layer["kernel"], layer["stride"]
        convolves = kind in ("std", "depth")
        if convolves:
            yield from self.pointwise(width, layer["activation"])
        kernel = len(live_taps(self.pixels, kernel, stride))
        self.pixels = -(-self.pixels // stride)
        name = {"std": "spatial_conv", "depth": "depthwise_conv"}.get(kind, kind.replace("pool", "_frame"))
        yield self.step(name, kernel, stride)
        if convolves:
            yield self.step(layer["activation"])

    def temporal(self, layer: dict[str, Any], width: int) -> Iterator[Step]:
        if layer["kernel"] == 1 or self.frames == 1:
            return
        # A stride beyond the clip keeps the first frame, as one of the clip's length does. Taps that only
        # ever meet padding do nothing.
        stride = min(layer["stride"], self.frames)
        kernel = len(live_taps(self.frames, layer["kernel"], stride))
        self.frames = -(-self.frames // stride)
        if layer["type"] == "1d":
            self.channels = width
            yield self.step("temporal_conv", kernel, stride)
            yield self.step(layer["activation"])
        else:
            yield self.step(layer["type"].replace("pool", "_time"), kernel, stride)


def steps(name: str, frames: int) -> list[Step]:
    """Everything that the released network ``name`` does to a clip of ``frames`` frames, up to its head."""
    network = NETWORKS[name]
    features = _Features(frames, network["input"]["height"], 3)
    done: list[Step] = []
    for block in network["blocks"]:
        for repeat in range(1, block["repeats"] + 1):
            done += _cell(features, block, repeat)
    return done


def _cell(features: _Features, block: dict[str, Any], repeat: int) -> Iterator[Step]:
    wide = block["filters"] * block["expand"]
    inverted = block["inverted_bottleneck"]
    inner = wide if inverted else block["filters"]
    spatial, temporal = dict(block["spatial"]), dict(block["temporal"])
    if repeat > 1:
        spatial["stride"] = temporal["stride"] = 1
    frames_before, channels_before = features.frames, features.channels
    if inverted:
        yield from features.pointwise(wide, "relu")
    yield from features.spatial(spatial, inner)
    if repeat % 2 == 1:
        yield from features.temporal(temporal, inner)
    if not inverted:
        yield from features.pointwise(wide)
    if block["se_ratio"]:
        yield features.step("squeeze_excite", hidden=max(int(wide * block["se_ratio"]), 8))
    if block["context_gate"]:
        yield features.step("context_gate")
    if inverted:
        yield from features.pointwise(block["filters"])
    if block["residual"] and features.frames == frames_before:
        if spatial["stride"] > 1:
            # A strided 1x1 convolution is the same as dropping pixels, then convolving.
            dropped = features.step("pixels_dropped", stride=spatial["stride"])
            yield dropped._replace(channels=channels_before)
        yield features.step("spatial_conv")
        yield features.step("add")
    yield features.step("relu")
