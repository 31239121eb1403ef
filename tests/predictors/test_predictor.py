from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors import LatencyPredictor
from tests.predictors.synthetic_device import CLASSES, FINGERPRINT, random_genomes
from tvnsearch.errors import UserError
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.genome.trace import trace


@given(seed=st.integers(0, 2**32), space=st.sampled_from(["paper", "digits"]), classes=st.integers(1, 1000))
@settings(deadline=None, max_examples=40)
def test_estimates_are_positive_and_inside_their_bounds(
    predictor: LatencyPredictor, seed: int, space: str, classes: int
) -> None:
    genome = sample_genome(load_space(space), random.Random(seed))
    [estimate] = predictor.estimate([genome], classes)
    assert 0 < estimate.lower_ms <= estimate.latency_ms <= estimate.upper_ms < float("inf")


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_layers_add_up_to_the_estimate(predictor: LatencyPredictor, seed: int) -> None:
    genome = sample_genome(load_space("digits"), random.Random(seed))
    layers = predictor.layers(genome, CLASSES)
    [estimate] = predictor.estimate([genome], CLASSES)
    assert [layer.name for layer in layers] == [name for name, _ in trace(genome, CLASSES).named_calls()]
    assert all(layer.latency_ms > 0 for layer in layers)
    assert sum(layer.latency_ms for layer in layers) == pytest.approx(estimate.latency_ms)


def test_what_is_remembered_is_what_is_predicted_anew(predictor: LatencyPredictor) -> None:
    rng, space = random.Random(0), load_space("digits")
    parents = random_genomes(20, seed=11)
    children = [mutate(rng.choice(parents), space, rng) for _ in range(60)]
    fresh = LatencyPredictor(predictor.record)
    remembering = LatencyPredictor(predictor.record)
    remembering.estimate(parents, CLASSES)
    one_by_one = [remembering.estimate([child], CLASSES)[0] for child in children]
    assert fresh.estimate(children, CLASSES) == one_by_one == remembering.estimate(children, CLASSES)


def test_the_calls_beside_it_change_no_prediction(
    predictor: LatencyPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    genomes = random_genomes(20, seed=13)
    together = LatencyPredictor(predictor.record).estimate(genomes, CLASSES)
    monkeypatch.setattr("predictors.predictor.BATCH_CALLS", 7)
    assert LatencyPredictor(predictor.record).estimate(genomes, CLASSES) == together


def test_a_full_memory_changes_nothing(predictor: LatencyPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    genomes = random_genomes(20, seed=12)
    expected = predictor.estimate(genomes, CLASSES)
    monkeypatch.setattr("predictors.memo.MEMO_CALLS", 30)
    monkeypatch.setattr("predictors.memo.MEMO_BLOCKS", 3)
    forgetful = LatencyPredictor(predictor.record)
    assert [forgetful.estimate([genome], CLASSES)[0] for genome in genomes] == expected
    assert forgetful.estimate(genomes, CLASSES) == expected


def test_no_genomes_no_estimates(predictor: LatencyPredictor) -> None:
    assert predictor.estimate([], CLASSES) == []


def test_a_higher_level_gives_wider_bounds(predictor: LatencyPredictor) -> None:
    genomes = random_genomes(10, seed=13)
    sure = LatencyPredictor(predictor.record, level=0.99).estimate(genomes, CLASSES)
    unsure = LatencyPredictor(predictor.record, level=0.5).estimate(genomes, CLASSES)
    assert all(wide.lower_ms < narrow.lower_ms for wide, narrow in zip(sure, unsure, strict=True))
    assert all(wide.upper_ms > narrow.upper_ms for wide, narrow in zip(sure, unsure, strict=True))
    assert [wide.latency_ms for wide in sure] == [narrow.latency_ms for narrow in unsure]


def test_a_loaded_predictor_is_the_same_to_the_last_bit(predictor: LatencyPredictor, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "predictor.json"
    predictor.save(path)
    loaded = LatencyPredictor.load(path)
    genomes = [*random_genomes(40, seed=14), *random_genomes(10, seed=14, space="paper")]
    assert loaded.record == predictor.record
    assert loaded.estimate(genomes, CLASSES) == predictor.estimate(genomes, CLASSES)
    assert list(path.parent.iterdir()) == [path]
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_the_file_holds_what_it_rests_on(predictor: LatencyPredictor, tmp_path: Path) -> None:
    predictor.save(tmp_path / "predictor.json")
    found = json.loads((tmp_path / "predictor.json").read_text())
    assert found["fingerprint"] == FINGERPRINT
    assert found["heldout"]["networks"] == 150
    assert {"tvnsearch", "lightgbm", "numpy"} <= found["versions"].keys()
    assert found["model"].startswith("tree")
    assert np.isfinite(list(found["heldout"].values())).all()


def damage(found: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        found = found[part]
    found[last] = value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model", "tree\nnum_class=garbage", "damaged or edited"),
        ("columns", ["macs"], "other features"),
        ("format", 1, "other features"),
        ("heldout", {}, "missing required field"),
        ("seed", "three", r"\$\.seed"),
        ("calibration.log_errors", [], "damaged or edited"),
        ("prior.rates_ms.pooled", [1.0], "damaged or edited"),
    ],
)
def test_a_changed_file_is_refused(
    predictor: LatencyPredictor, tmp_path: Path, name: str, value: Any, message: str
) -> None:
    path = tmp_path / "predictor.json"
    predictor.save(path)
    found = json.loads(path.read_text())
    damage(found, name, value)
    path.write_text(json.dumps(found))
    with pytest.raises(UserError, match=message) as error:
        LatencyPredictor.load(path)
    assert str(path) in str(error.value)
    assert "tvnsearch fit" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2", b"\xff\xfe", b"null"])
def test_a_file_that_is_no_predictor_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "predictor.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="but it is not one"):
        LatencyPredictor.load(path)


def test_a_file_cut_short_is_refused(predictor: LatencyPredictor, tmp_path: Path) -> None:
    path = tmp_path / "predictor.json"
    predictor.save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="but it is not one"):
        LatencyPredictor.load(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is none; run `tvnsearch profile`"):
        LatencyPredictor.load(tmp_path / "none.json")
    with pytest.raises(UserError, match="cannot be read"):
        LatencyPredictor.load(tmp_path)


def test_another_device_is_refused(predictor: LatencyPredictor) -> None:
    predictor.require_device(FINGERPRINT)
    with pytest.raises(UserError, match="threads: 1 there, 4 here"):
        predictor.require_device(FINGERPRINT | {"threads": "4"})


def test_measurements_that_disagree_move_predictions_and_are_said_once(predictor: LatencyPredictor) -> None:
    watched = LatencyPredictor(predictor.record)
    genomes = random_genomes(60, seed=9)
    before = watched.estimate(genomes, CLASSES)
    said = [
        watched.observe(genome, 2.5 * estimate.latency_ms, CLASSES)
        for genome, estimate in zip(genomes, before, strict=True)
    ]
    after = watched.estimate(genomes, CLASSES)
    assert sum(sentence is not None for sentence in said) == 1
    for now, then, genome in zip(after, before, genomes, strict=True):
        assert 2.2 * then.latency_ms < now.latency_ms < 2.5 * then.latency_ms <= now.upper_ms
        total_ms = sum(layer.latency_ms for layer in watched.layers(genome, CLASSES))
        assert total_ms == pytest.approx(now.latency_ms)
    assert predictor.estimate(genomes, CLASSES) == before


def test_a_file_of_an_older_release_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    file = tmp_path / "predictor.json"
    file.write_text(
        '{"format": 5, "columns": ["type"], "fingerprint": {}, "versions": {"tvnsearch": "0.0.9"}}'
    )
    with pytest.raises(UserError, match=r"but tvnsearch 0\.0\.9 fitted it with other features; run .*fit"):
        LatencyPredictor.load(file)
