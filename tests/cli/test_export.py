"""A trained network that cannot be loaded, or not be exported to where it shall be."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.cli.running import refused, run, run_json
from tests.search.fakes import measurement
from tvnsearch.api import exported
from tvnsearch.api.trained_model import ModelCard, write_model
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.network.build import build_network
from tvnsearch.training.weights import save_weights

CLASSES = ("0-down", "0-left", "0-right", "0-up")


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """The folder of a trained network."""
    torch.manual_seed(0)
    genome = sample_genome(load_space("digits"), random.Random(0))
    save_weights(build_network(genome, len(CLASSES)), tmp_path / "net" / "weights.safetensors")
    write_model(tmp_path / "net", genome, ModelCard(CLASSES, False, data=str(tmp_path / "clips")))
    return tmp_path / "net"


def _other_classes(path: Path) -> None:
    tensors = load_file(path)
    save_file(
        {name: value[:3].contiguous() if value.dim() else value for name, value in tensors.items()}, path
    )


def _older_names(path: Path) -> None:
    save_file({f"old.{name}": value for name, value in load_file(path).items()}, path)


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def _missing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [_other_classes, _older_names, _damaged, _missing])
def test_weights_that_are_not_of_the_network_are_one_line(
    net: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(net / "weights.safetensors")
    for command in (("export", net, "--out", tmp_path / "model.onnx"), ("classify", net, "clip.mp4")):
        said = refused(*command)
        assert str(net / "weights.safetensors") in said
        assert "train again" in said or "train first" in said
    assert not (tmp_path / "model.onnx").exists()


def test_weights_that_are_not_of_the_network_are_a_sentence_of_the_worker_that_scores(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generate(tmp_path / "clips", ClipsPerClass(1, 1, 1), digits=[0])
    _other_classes(net / "weights.safetensors")
    scored = run("eval", net, "--train-threads", 1)
    assert scored.returncode == 2
    assert f"expected the weights of this network in {net}" in scored.stderr.splitlines()[-1]
    assert "Traceback" not in scored.stderr


@pytest.mark.parametrize("file", ["model.json", "genome.json"])
def test_a_damaged_file_beside_the_weights_is_one_line(net: Path, tmp_path: Path, file: str) -> None:
    (net / file).write_bytes((net / file).read_bytes()[:20])
    assert str(net / file) in refused("export", net, "--out", tmp_path / "model.onnx")


def test_a_place_where_no_file_can_be_is_one_line(net: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "model.onnx", net, "."):
        said = refused("export", net, "--out", out)
        assert f"expected to write {out}" in said or f"{out} is a folder" in said


def test_another_suffix_than_the_formats_is_one_line_and_nothing_is_written(
    net: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    for name in ("model.tflite", "model.onnx.pt", "model"):
        said = refused("export", net, "--out", tmp_path / name)
        assert "ends in .onnx, as --format onnx writes such a file" in said
        assert f"but got {tmp_path / name}; say --out {(tmp_path / name).with_suffix('.onnx')}" in said
    assert sorted(tmp_path.iterdir()) == before


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(net: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    assert f"expected to write {pipe}, but that failed (it is no file" in refused(
        "export", net, "--out", pipe
    )
    assert pipe.is_fifo()


def test_an_exporter_that_fails_is_one_line_and_leaves_the_former_file(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported, "time_export", lambda path, device, limit_ms: measurement(1.5))
    out = tmp_path / "deep" / "model.onnx"
    assert run_json("export", net, "--out", out)["max_relative_error"] < 1e-3
    former = out.read_bytes()

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("no legs\nto stand on")

    monkeypatch.setattr("tvnsearch.export.formats.onnx.onnx_model", fail)
    assert "AssertionError: no legs)" in refused("export", net, "--out", out)
    assert out.read_bytes() == former
    assert list(out.parent.iterdir()) == [out]


def test_the_counts_of_a_trained_network_are_those_of_its_own_classes(net: Path) -> None:
    own, wide = run("scale", net, "--width", 1), run("scale", net, "--width", 1, "--classes", 339)
    expected = run("scale", net, "--width", 1, "--classes", len(CLASSES))
    assert own.stderr == expected.stderr != wide.stderr


def test_an_export_says_what_the_file_takes(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported, "time_export", lambda path, device, limit_ms: measurement(1.5))
    said = run("export", net, "--out", tmp_path / "some.onnx").stderr
    assert "some.onnx takes 1.50 ms (95 % interval 1.47 to 1.53 ms) in ONNX Runtime on the CPU" in said
    assert run_json("export", net, "--out", tmp_path / "some.onnx")["exported"]["latency_ms"] == 1.5
