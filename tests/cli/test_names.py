"""Names of files that are no UTF-8: what is printed is JSON all the same, and says which file it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.running import refused, run, run_json
from tests.data.videos import write_video
from tests.search.fakes import measurement
from tvnsearch.api import exported
from tvnsearch.api.trained_model import ModelCard, load_model, write_model
from tvnsearch.genome.genome import Block, Genome, genome_to_json, square_input
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.json_text import json_of
from tvnsearch.network.build import build_network
from tvnsearch.training.weights import save_weights

NAME = os.fsdecode(b"\xe9.mp4")


def command(*words: str) -> subprocess.CompletedProcess[bytes]:
    """A process of its own, whose output is bytes."""
    begin = [sys.executable, "-c", "from cli.main import main; main()"]
    return subprocess.run([*begin, *words], capture_output=True, check=False)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """The folder of a network with random weights."""
    genome = Genome(square_input(16, 4), (Block((SpatialConv(kernel=3, stride=2, filters=8),)),))
    save_weights(build_network(genome, 3), tmp_path / "weights.safetensors")
    write_model(tmp_path, genome, ModelCard(("left", "right", "up"), multi_label=False))
    return tmp_path


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Clips of two classes, one of whose names is Latin-1, and is of a broken file beside it too."""
    for name in ("left", "right"):
        for number in range(8):
            write_video(tmp_path / "clips" / name / f"{number}.mp4")
    (tmp_path / "clips" / "left" / NAME).write_bytes(b"")
    return tmp_path / "clips"


def test_a_broken_file_with_such_a_name_is_named(clips: Path) -> None:
    done = command("data", "inspect", str(clips), "--json")
    assert done.returncode == 0, done.stderr.decode()
    [path] = json.loads(done.stdout)["broken_files"]
    assert path.endswith("/left/\\xe9.mp4")
    shown = command("data", "inspect", str(clips))
    assert shown.returncode == 0, shown.stderr.decode()
    assert b"/left/\xe9.mp4: the file is empty" in shown.stdout


def test_a_video_with_such_a_name_is_classified(net: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", frames=24).rename(tmp_path / NAME)
    done = command("classify", str(net), str(video), "--json")
    assert done.returncode == 0, done.stderr.decode()
    [told] = json.loads(done.stdout)
    assert told["video"].endswith("/\\xe9.mp4")
    shown = command("classify", str(net), str(video))
    assert shown.returncode == 0, shown.stderr.decode()
    assert os.fsencode(NAME) in shown.stdout


def odd(name: str) -> str:
    """A name with a byte that is no UTF-8 in it, and what Python writes for that in text."""
    return os.fsdecode(b"\xe9") + name


def test_data_in_a_folder_with_such_a_name_are_looked_at(clips: Path, tmp_path: Path) -> None:
    root = clips.rename(tmp_path / odd("clips"))
    told = run_json("data", "inspect", root)
    assert told["data"].endswith("/\\xe9clips")
    assert sum(told["usable"].values()) == 16


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """A command that trains in places with such names; it lacks --data."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / odd("cache")))
    genome = Genome(square_input(16, 4), (Block((SpatialConv(kernel=3, stride=2, filters=8),)),))
    (tmp_path / odd("genome.json")).write_text(genome_to_json(genome))
    (tmp_path / odd("recipe.toml")).write_text("iterations = 2\nbatch_size = 4\n")
    out, recipe = tmp_path / odd("out"), tmp_path / odd("recipe.toml")
    return ("train", tmp_path / odd("genome.json"), "--recipe", recipe, "--out", out, "--train-threads", 1)


def test_a_network_is_trained_scored_and_exported_where_all_names_are_such(
    clips: Path, tmp_path: Path, training: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (clips / "left").rename(clips / odd("left"))
    trained = run_json(*training, "--data", clips)
    assert trained["model"].endswith("/\\xe9out")
    assert load_model(tmp_path / odd("out")).card.classes == ("\\xe9left", "right")
    net, matrix = tmp_path / odd("out"), tmp_path / odd("matrix.svg")
    scored = run_json("eval", net, "--confusion", matrix, "--train-threads", 1)
    assert [each["name"] for each in scored["classes"]] == ["\\xe9left", "right"]
    assert "\\xe9out, test clips" in matrix.read_text()
    elsewhere = clips.rename(tmp_path / odd("clips"))
    scored = run_json("eval", net, "--data", elsewhere, "--split", "all", "--train-threads", 1)
    assert scored["clips"] == 16
    monkeypatch.setattr(exported, "time_export", lambda path, device, limit_ms: measurement(1.5))
    assert run_json("export", net, "--out", tmp_path / odd("net.onnx"))["exported"]["latency_ms"] == 1.5
    assert (tmp_path / odd("net.onnx")).is_file()
    [seen] = run_json("classify", net, elsewhere / "right" / "0.mp4")
    assert {label["label"] for label in seen["labels"]} == {"\\xe9left", "right"}


def test_a_data_set_that_is_written_down_needs_a_name_that_is_text(
    clips: Path, tmp_path: Path, training: tuple[object, ...]
) -> None:
    root = clips.rename(tmp_path / odd("clips"))
    before = sorted(tmp_path.iterdir())
    for command in (training, ("evolve", "--max-ms", 50, "--run", tmp_path / "run")):
        said = refused(*command, "--data", root)
        assert "expected a name in UTF-8 for --data, as it is written down, but got " in said
        assert "\\xe9clips; give it another name, or make a link to it and give that" in said
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_written_may_have_such_a_name(tmp_path: Path) -> None:
    drawn = run_json("sample", "--count", 1, "--space", "digits", "--out", tmp_path / odd("genomes"))
    genome = tmp_path / odd("genomes") / Path(drawn[0]["file"]).name
    assert run_json("scale", genome, "--width", 0.5, "--out", tmp_path / odd("scaled.json"))
    assert run("show", genome, "--svg", tmp_path / odd("drawing.svg")).returncode == 0
    assert "\\xe9genomes" in (tmp_path / odd("drawing.svg")).read_text()
    assert run("status", tmp_path / odd("run")).returncode == 2


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"\udce9": float("nan"), "ms": [1.5, None]}, {"\\xe9": None, "ms": [1.5, None]}),
        ({"a": "é\udc80\ud83d", 1: float("inf")}, {"a": "é\\x80\ufffd", "1": None}),
        ({"a": "é", 3: (True,)}, {"a": "é", "3": [True]}),
    ],
)
def test_what_is_no_text_is_escaped_and_the_rest_is_as_ever(data: Any, told: Any) -> None:
    written = json_of(data)
    assert json.loads(written) == msgspec.json.decode(written) == told
