"""What a network executes, counted and predicted."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

import tvnsearch
from tests.api.watches import Heard
from tests.genome.released import COUNTS
from tvnsearch.api.trained_model import load_model, load_network


def test_a_description_adds_up(tmp_path: Path) -> None:
    heard = Heard()
    described = tvnsearch.describe(
        "tvn-2", svg=tmp_path / "tvn-2.svg", db=tmp_path / "none.sqlite", watch=heard.watch
    )
    assert (described.params, described.macs) == COUNTS["tvn-2"]
    assert sum(layer.params for layer in described.layers) == described.params
    assert described.gflops == 2 * described.gmacs == 2 * described.macs / 1e9
    assert described.latency_ms is None
    assert "latency_ms" not in msgspec.to_builtins(described.layers[0])
    assert ElementTree.parse(tmp_path / "tvn-2.svg").getroot().get("width")
    assert heard.said[0] == f"picture: {tmp_path / 'tvn-2.svg'}"
    assert heard.said[1].startswith("no predicted latencies: expected a latency database at ")


def test_a_description_is_predicted_where_a_predictor_knows(profiled: Path) -> None:
    described = tvnsearch.describe("tvn-2", db=profiled)
    [predicted] = tvnsearch.predict(["tvn-2"], db=profiled)
    assert described.latency_ms == pytest.approx(predicted.latency_ms)
    assert [layer.latency_ms for layer in described.layers] == [
        layer.latency_ms for layer in predicted.layers
    ]


def test_a_trained_network_is_described_with_its_own_classes(net: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "none.sqlite"
    own = tvnsearch.describe(net, db=nowhere)
    assert (own.classes, own.layers[-1].out_shape.channels) == (3, 3)
    assert own.params == tvnsearch.describe(net, classes=3, db=nowhere).params
    assert own.params == sum(value.numel() for value in load_network(load_model(net)).parameters())
    assert tvnsearch.describe(net, classes=10, db=nowhere).classes == 10
