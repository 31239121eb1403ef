"""Outputs that cannot be written, of every command that writes: one sentence, and nothing is left behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.running import refused, run
from tests.data.videos import write_video
from tests.disks import fill, read_only, small_disk
from tvnsearch.api.trained_model import ModelCard, write_model
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.network.build import build_network
from tvnsearch.training.weights import save_weights

CLASSES = ("left", "right")

Words = tuple[object, ...]


def ended(*words: object) -> str:
    """The sentence that a command ends with, after what it said while it worked."""
    done = run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips and with a network that was trained on them."""
    folder = tmp_path_factory.mktemp("here")
    torch.manual_seed(0)
    genome = sample_genome(load_space("digits"), random.Random(0))
    save_weights(build_network(genome, len(CLASSES)), folder / "net" / "weights.safetensors")
    write_model(folder / "net", genome, ModelCard(CLASSES, False, data=str(folder / "clips")))
    for name in CLASSES:
        for number in range(4):
            write_video(folder / "clips" / name / f"{number}.mp4")
    (folder / "recipe.toml").write_text("iterations = 2\nbatch_size = 4\n")
    return folder


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def writing_commands(here: Path, out: Path) -> dict[str, Words]:
    """Each command that writes where its user says, told to write to ``out``."""
    train = ("train", here / "net", "--data", here / "clips", "--recipe", here / "recipe.toml")
    return {
        "sample": ("sample", "--space", "digits", "--out", out),
        "scale": ("scale", "tvn-m-2", "--width", 0.5, "--out", out),
        "show": ("show", "tvn-m-2", "--svg", out),
        "export": ("export", here / "net", "--out", out.with_suffix(".onnx")),
        "eval": ("eval", here / "net", "--confusion", out),
        "train": (*train, "--train-threads", 1, "--out", out),
        "data generate": ("data", "generate", "--out", out),
        "profile": ("profile", "--minutes", 1, "--db", out),
    }


COMMANDS = list(writing_commands(Path(), Path("out")))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_place_below_a_file_or_with_too_long_a_name_is_one_sentence(
    command: str, here: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for out in (tmp_path / "file" / "out", tmp_path / ("x" * 300)):
        assert "expected" in refused(*writing_commands(here, out)[command])
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_place_that_is_read_only_is_one_sentence(command: str, here: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with read_only(tmp_path / "disk") as disk:
        said = refused(*writing_commands(here, disk / "out")[command])
    assert "Read-only file system" in said or "read-only" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_sentence_and_no_part_is_left(command: str, here: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        fill(disk)
        said = ended(*writing_commands(here, disk / "out")[command])
        assert "No space left on device" in said or "the disk is full" in said
        written = [path for path in disk.rglob("*") if path.is_file() and path.stat().st_size]
        assert written == [disk / "filler"]


@pytest.mark.parametrize("command", ["data prepare", "train", "eval"])
def test_a_cache_that_cannot_be_written_is_one_sentence(
    command: str, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {
        **writing_commands(here, tmp_path / "out"),
        "data prepare": ("data", "prepare", here / "clips", "--space", "digits"),
    }[command]
    with small_disk(tmp_path / "disk", 64) as disk:
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk / "cache"))
        fill(disk)
        said = ended(*words)
        assert "decoded clips" in said or f"expected to write {disk / 'cache'}" in said
        assert "XDG_CACHE_HOME" in said
        assert not list(disk.rglob("*.part"))


def test_stdout_on_a_full_disk_is_one_sentence(here: Path) -> None:
    words = ["-c", "from cli.main import main; main()", "zoo", "list", "--json"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, *words], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("tvnsearch: expected to read and write what this command needs, but that failed")


def test_what_reads_stdout_may_stop_reading() -> None:
    words = ["-c", "from cli.main import main; main()", "zoo", "list", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, *words], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
