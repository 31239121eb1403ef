"""A network trained, scored and handed over as a user does it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.test_end_to_end import COMMAND, World
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, genome_to_json, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv

GENOME = Genome(
    square_input(16, 4, 3),
    (Block((SpatialConv(16, 3, 2, "relu"), TemporalConv(16, 3, 1, "relu"))), Block((SpatialConv(32, 3, 2),))),
)


class Folder:
    """Commands in this process, but for the workers that train and score."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, *arguments: object) -> str:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: object) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("training")
    generate(path / "clips", ClipsPerClass(6, 3, 3), digits=[0, 1])
    (path / "genome.json").write_text(genome_to_json(GENOME))
    (path / "recipe.toml").write_text("iterations = 12\nbatch_size = 8\n")
    (path / "searched").mkdir()
    (path / "searched" / "journal.sqlite").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(path / "cache"))
        patch.chdir(path)
        yield Folder(path)


TRAIN = ("train", "genome.json", "--data", "clips", "--recipe", "recipe.toml", "--train-threads", 1)


@pytest.fixture(scope="module")
def trained(folder: Folder) -> Any:
    return folder.json(*TRAIN, "--out", "net", "--head", "per_frame")


def test_a_training_reports_and_leaves_its_files(folder: Folder, trained: Any) -> None:
    assert (trained["iterations"], trained["failed"], trained["parts"]) == (12, None, 1)
    assert 0 <= trained["top1"] <= trained["top5"] <= 1
    assert trained["precision"] in ("float32", "bfloat16")
    assert (trained["split"], trained["best_iteration"], trained["set_back"]) == ("validation", None, None)
    assert {Path(path).name for path in trained["files"]} == {
        "clips.manifest",
        "genome.json",
        "metrics.jsonl",
        "model.json",
        "training.json",
        "training-result.json",
        "weights.safetensors",
    }
    assert json.loads((folder.path / "net" / "genome.json").read_text())["head"] == "per_frame"
    assert folder.json("train", "net", "--resume") == trained
    assert folder.json(*TRAIN, "--out", "net", "--head", "per_frame") == trained


def test_what_was_trained_is_scored(folder: Folder, trained: Any) -> None:
    told = folder.json(
        "eval", "net", "--split", "validation", "--confusion", "matrix.svg", "--train-threads", 1
    )
    assert (told["top1"], told["top5"], told["clips"]) == (trained["top1"], trained["top5"], 24)
    assert told["top1_plus_top5"] == told["top1"] + told["top5"]
    assert told["intervals"]["top1"][0] <= told["top1"] <= told["intervals"]["top1"][1]
    assert sum(map(sum, told["confusion"])) == sum(each["clips"] for each in told["classes"]) == 24
    assert ElementTree.parse(folder.path / "matrix.svg").getroot().get("width")


def test_what_was_trained_teaches_another(folder: Folder, trained: Any) -> None:
    taught = folder.json(*TRAIN, "--out", "taught", "--teacher", "net")
    assert (taught["iterations"], taught["failed"]) == (12, None)
    told = json.loads((folder.path / "taught" / "training.json").read_text())
    assert told["teacher"] == str(folder.path / "net")


def test_several_models_have_a_mean(folder: Folder, trained: Any) -> None:
    told = folder.json("eval", "net", "net", "--data", "clips", "--views", "2x3", "--train-threads", 1)
    assert told["mean"]["clips"] == 48
    assert told["mean"]["top1"] == told["models"][0]["top1"]
    shown = folder("eval", "net", "net", "--train-threads", 1)
    assert "mean of 2: top-1" in shown
    assert "0-left" in shown


def test_all_clips_of_some_classes_are_scored(folder: Folder, trained: Any) -> None:
    generate(folder.path / "new", ClipsPerClass(1, 1, 1), digits=[1])
    told = folder.json("eval", "net", "--data", "new", "--split", "all", "--train-threads", 1)
    assert (told["clips"], told["split"]) == (12, "all")
    assert [each["clips"] for each in told["classes"]] == 4 * [0] + 4 * [3]


def test_what_was_trained_classifies_exports_and_is_a_genome(folder: Folder, trained: Any) -> None:
    clip = next((folder.path / "clips" / "test" / "1-up").iterdir())
    [labelled] = folder.json("classify", "net", clip)
    assert len(labelled["labels"]) == 5
    assert folder.json("export", "net", "--out", "net.onnx")["max_relative_error"] < 1e-3
    assert folder.json("show", "net", "--classes", 8)["layers"][-1]["macs"] == 4 * 32 * 8


def test_what_was_trained_is_tuned_and_its_best_weights_are_kept(folder: Folder, trained: Any) -> None:
    generate(folder.path / "three", ClipsPerClass(4, 2, 2), digits=[2])
    words = ("train", "net", "--data", "three", "--recipe", "recipe.toml", "--train-threads", 1)
    tuned = folder.json(*words, "--weights", "net", "--validate-every", 4, "--keep-best", "--out", "tuned")
    assert 0.5 < tuned["inherited_share"] < 1
    assert tuned["best_iteration"] in (4, 8, 12)
    shown = folder(*words, "--weights", "net", "--validate-every", 4, "--keep-best", "--out", "tuned")
    assert f"best    after iteration {tuned['best_iteration']}: chosen on these clips" in shown
    last = folder(*words, "--with-validation", "--out", "last")
    assert "on the test clips\n" in last
    assert "tvnsearch eval last" not in last


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "genome.json"), "expected --data"),
        ((*TRAIN, "--with-validation", "--keep-best"), "expected --with-validation alone"),
        ((*TRAIN, "--weights", "none"), "expected weights in .*none, but there is"),
        (("train", "genome.json", "--resume"), "expected the folder of a training"),
        ((*TRAIN, "--head", "mean", "--out", "net"), "another --out"),
        ((*TRAIN, "--out", "searched"), "another --out"),
        ((*TRAIN, "--out", "new", "--teacher", "clips"), "expected a trained network"),
        ((*TRAIN[:4], "--recipe", "slow"), "expected a recipe"),
        (("eval", "net", "--views", "3x2"), "10x3"),
        (("eval", "clips"), "expected a trained network"),
        (("eval", "net", "--data", "other"), "the 8 classes .* they show others: 2-"),
    ],
)
def test_mistakes_are_told(folder: Folder, trained: Any, arguments: Any, expected: str) -> None:
    if "other" in arguments and not (folder.path / "other").exists():
        generate(folder.path / "other", ClipsPerClass(1, 1, 1), digits=[2])
    with pytest.raises(UserError, match=expected):
        folder(*arguments)


@pytest.fixture
def world(tmp_path: Path) -> World:
    generate(tmp_path / "clips", ClipsPerClass(6, 3, 3), digits=[0, 1])
    (tmp_path / "genome.json").write_text(genome_to_json(GENOME))
    return World(tmp_path)


@pytest.mark.slow
def test_a_training_is_interrupted_and_gone_on_with(world: World) -> None:
    """By Ctrl-C, after its first checkpoint; the second half ends where an uninterrupted one does."""
    (world.folder / "recipe.toml").write_text("iterations = 8000\nbatch_size = 8\n")
    process = world.start(*TRAIN, "--out", "net")
    while not (world.folder / "net" / "checkpoint.json").exists():
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert world.json("train", "net", "--resume", "--train-threads", 1)["iterations"] == 8000
    world.json(*TRAIN, "--out", "whole")
    weights = [(world.folder / name / "weights.safetensors").read_bytes() for name in ("net", "whole")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_torchrun_starts_one_training_of_two_processes(world: World) -> None:
    (world.folder / "recipe.toml").write_text("iterations = 20\nbatch_size = 8\n")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [*map(str, TRAIN), "--out", "net", "--validate-every", "10", "--keep-best"]
    together = subprocess.run(
        [*launcher, "--no-python", *COMMAND, *words, "--json"],
        cwd=world.folder,
        env=world.environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert together.returncode == 0, together.stderr
    told = json.loads(together.stdout)
    assert (told["iterations"], told["best_iteration"] in (10, 20)) == (20, True)
    lines = (world.folder / "net" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [*range(1, 11), *range(10, 21), 20]
    assert world.json("eval", "net", "--train-threads", 1)["clips"] == 24
