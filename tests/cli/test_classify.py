"""`tvnsearch classify` as a user runs it: files, and a stream on stdin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.running import refused, run, run_json
from tests.data.videos import picture, write_video
from tvnsearch.api.trained_model import ModelCard
from tvnsearch.genome.genome import Block, Genome, genome_to_json, square_input
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.network.build import build_network
from tvnsearch.training.weights import save_weights

CLASSES = ("left", "right", "up")
SECONDS, RATE = 6, 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a winner whose weights are random; it looks at 14 ticks of 1/30 s."""
    folder = tmp_path_factory.mktemp("run")
    genome = Genome(square_input(16, 8, 2), (Block((SpatialConv(kernel=3, stride=2, filters=8),)),))
    (folder / "winner").mkdir()
    (folder / "winner" / "genome.json").write_text(genome_to_json(genome))
    (folder / "winner" / "model.json").write_bytes(msgspec.json.encode(ModelCard(CLASSES, multi_label=False)))
    save_weights(build_network(genome, len(CLASSES)), folder / "winner" / "weights.safetensors")
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shades = [picture(64, 48, 20 + 3 * number) for number in range(SECONDS * RATE)]
    return write_video(tmp_path_factory.mktemp("video") / "a clip.ts", pictures=shades)


@pytest.fixture(scope="module")
def told(trained: Path, video: Path) -> Any:
    return run_json("classify", trained, video)


def test_a_file_is_labelled_window_by_window_and_as_a_whole(told: Any, video: Path) -> None:
    [whole] = told
    assert whole["video"] == str(video)
    windows = whole["windows"]
    assert [window["end_s"] for window in windows] == pytest.approx(
        [6 / RATE + second for second in range(6)] + [(SECONDS * RATE - 1) / RATE], abs=0.01
    )
    assert all(window["end_s"] - window["start_s"] == pytest.approx(6 / RATE, abs=0.01) for window in windows)
    assert {window["dropped"] for window in windows} == {0}
    for label in CLASSES:
        each = [
            named["probability"]
            for window in windows
            for named in window["labels"]
            if named["label"] == label
        ]
        [mean] = [named["probability"] for named in whole["labels"] if named["label"] == label]
        assert mean == pytest.approx(sum(each) / len(windows), abs=1e-5)


def test_people_read_a_line_a_window(trained: Path, video: Path) -> None:
    done = CliRunner().invoke(app, ["classify", str(trained), str(video), "--every", "2"])
    assert done.exit_code == 0
    lines = [line.split(":")[0] for line in done.output.splitlines() if " s: " in line]
    assert lines == ["0.00 to 0.50 s", "2.00 to 2.50 s", "4.00 to 4.50 s", "5.42 to 5.92 s"]


def test_a_stream_on_stdin_gives_the_same_line_by_line(trained: Path, video: Path, told: Any) -> None:
    command = [sys.executable, "-c", "from cli.main import main; main()", "classify", trained, "-", "--json"]
    done = subprocess.run(command, input=video.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    moments = [json.loads(line) for line in done.stdout.decode().splitlines()]
    for moment, window in zip(moments, told[0]["windows"], strict=True):
        assert moment.keys() == window.keys()
        assert (moment["start_s"], moment["end_s"], moment["dropped"]) == (
            window["start_s"],
            window["end_s"],
            0,
        )
        assert [label["label"] for label in moment["labels"]] == [
            label["label"] for label in window["labels"]
        ]
    assert f"{len(moments)} windows, no frames dropped" in done.stderr.decode()


def test_a_broken_video_stops_no_other(trained: Path, video: Path, told: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"")
    sentence = f"expected a video in {broken}, but it cannot be decoded (the file is empty); give another one"
    done = run("classify", trained, broken, video, "--json")
    assert done.returncode == 1, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["video"], first["broken"], first["labels"]) == (str(broken), sentence, [])
    assert second["broken"] is None
    assert second["labels"] == told[0]["labels"]
    shown = run("classify", trained, broken, video)
    assert shown.returncode == 1
    assert sentence in shown.stdout
    assert "0.00 to 0.50 s: " in shown.stdout
    assert run("classify", trained, video).returncode == 0


def test_mistakes_are_told(trained: Path, video: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ([video, "-"], "one stream alone"),
        ([video, "rtsp://camera/live"], "one stream alone"),
        ([tmp_path], "expected videos in the folder"),
        (["7"], "expected a video in 7, but it cannot be decoded (there is no camera at /dev/video7)"),
    ):
        assert words in refused("classify", trained, *arguments)
