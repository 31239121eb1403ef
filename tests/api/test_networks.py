"""Networks drawn, scaled, described and looked up."""

from __future__ import annotations

import random
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

import tvnsearch
from tests.api.watches import Heard
from tests.genome.released import COUNTS
from tvnsearch.api import sample as sample_module
from tvnsearch.errors import UserError
from tvnsearch.genome import load_genome, trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.scaling import compound_scaled, scaled
from tvnsearch.genome.space import load_space
from tvnsearch.genome.zoo import load_zoo, zoo


def test_a_sample_is_what_the_seed_draws(tmp_path: Path) -> None:
    rng = random.Random(4)
    expected = [sample_genome(load_space("digits"), rng) for _ in range(3)]
    drawn = tvnsearch.sample(3, space="digits", seed=4, classes=10)
    assert [one.genome for one in drawn] == expected
    assert [one.params for one in drawn] == [trace(genome, 10).params for genome in expected]
    assert {one.file for one in drawn} == {None}
    written = tvnsearch.sample(3, space="digits", seed=4, classes=10, out=tmp_path / "g")
    assert [load_genome(Path(one.file or "")) for one in written] == expected


def test_a_sample_is_small_enough_or_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(one.params for one in tvnsearch.sample(5, space="digits", max_params=50_000)) <= 50_000
    monkeypatch.setattr(sample_module, "MOST_DRAWS_FOR_ONE", 20)
    with pytest.raises(UserError, match="at most 10 parameters in the space 'digits'"):
        tvnsearch.sample(1, space="digits", max_params=10)


def test_a_scaled_network_is_the_genomes(tmp_path: Path) -> None:
    genome = load_zoo("tvn-1")
    larger = tvnsearch.scale("tvn-1", frames=8, width=2, out=tmp_path / "larger.json")
    assert larger == scaled(genome, frames=8, width=2) == load_genome(tmp_path / "larger.json")
    assert tvnsearch.scale(genome, compound=1) == compound_scaled(genome, 1)
    with pytest.raises(UserError, match="--compound alone"):
        tvnsearch.scale(genome, width=2, compound=1)
    with pytest.raises(UserError, match="choose another place"):
        tvnsearch.scale(genome, out=tmp_path / "nowhere" / "larger.json")


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


def test_the_zoo_has_figures() -> None:
    assert [figures.name for figures in tvnsearch.zoo_figures()] == list(zoo())
    [released] = tvnsearch.zoo_figures(["tvn-1"])
    assert (released.params, released.macs) == COUNTS["tvn-1"]
    assert (released.genome, released.source, released.kind) == (load_zoo("tvn-1"), None, "released")
    [peer] = tvnsearch.zoo_figures(["x3d-s"], classes=10)
    assert peer.params == trace(load_zoo("x3d-s"), 10).params
    assert peer.published is not None
    assert peer.published.classes == 400
    assert peer.source
    with pytest.raises(UserError, match="got 'resnet'"):
        tvnsearch.zoo_figures(["resnet"])
