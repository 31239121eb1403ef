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

from cli.output import json_of
from tests.data.videos import write_video
from tvnsearch.api.trained_model import ModelCard, write_model
from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv
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
