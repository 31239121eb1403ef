"""One network trained on its own and scored; what torchrun does is tested by the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from msgspec.structs import replace

import tvnsearch
from tests.api.watches import Heard
from tests.data.videos import write_video
from tvnsearch.api.train import Trained
from tvnsearch.api.trained_model import load_model
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, genome_id, load_genome, square_input
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.training.recipe import Recipe

GENOME = Genome(square_input(16, 4, 3), (Block((SpatialConv(16, 3, 2, "relu"),)),))
RECIPE = Recipe(iterations=12, batch_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("training")
    generate(path / "clips", ClipsPerClass(6, 3, 3), digits=[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(path / "cache"))
        yield path


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def trained(folder: Path, heard: Heard) -> Trained:
    trained = tvnsearch.train(
        GENOME,
        folder / "clips",
        recipe=RECIPE,
        head="per_frame",
        seed=7,
        split_seed=5,
        out=folder / "net",
        threads=1,
        watch=heard.watch,
    )
    assert trained is not None
    return trained


def test_a_training_leaves_what_it_reports(folder: Path, trained: Trained, heard: Heard) -> None:
    assert (trained.model, trained.network) == (str(folder / "net"), genome_id(GENOME))
    assert trained.data == f"folders:{folder / 'clips'}"
    assert trained.result.iterations == 12
    assert load_genome(folder / "net" / "genome.json").head == "per_frame"
    order = json.loads((folder / "net" / "training.json").read_text())
    assert (order["recipe"]["seed"], order["split_seed"]) == (7, 5)
    assert load_model(folder / "net").card.split_seed == 5
    assert {Path(file).name for file in trained.files} >= {"model.json", "weights.safetensors"}
    assert heard.said[0].startswith(f"folder: {folder / 'net'}; after an interruption: ")
    assert any(line.startswith("training: ") and "12 iterations of 8 clips" in line for line in heard.said)
    assert heard.shares("train")[-1] == 1.0


def test_going_on_with_what_has_ended_gives_the_same(folder: Path, trained: Trained) -> None:
    assert tvnsearch.resume_training(folder / "net") == trained


def test_a_damaged_checkpoint_is_said_and_the_training_begins_afresh(folder: Path, trained: Trained) -> None:
    heard = Heard()
    shutil.copytree(folder / "net", folder / "damaged")
    (folder / "damaged" / "training-result.json").unlink()
    (folder / "damaged" / "checkpoint.json").write_bytes(b'{"training": "')
    again = tvnsearch.resume_training(folder / "damaged", threads=1, watch=heard.watch)
    assert again is not None
    assert (again.result.iterations, again.result.fitness) == (12, trained.result.fitness)
    assert any(line.endswith("the training begins afresh") for line in heard.said)


def test_a_short_training_decodes_clips_when_it_reads_them_and_comes_to_the_same(
    folder: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``trained`` all clips were decoded."""
    heard, short = Heard(), Recipe(iterations=4, batch_size=8)
    stored = tvnsearch.train(GENOME, folder / "clips", recipe=short, out=tmp_path / "stored", threads=1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    read = tvnsearch.train(
        GENOME, folder / "clips", recipe=short, out=tmp_path / "read", threads=1, watch=heard.watch
    )
    assert stored is not None
    assert read is not None
    assert (read.result.loss, read.result.fitness) == (stored.result.loss, stored.result.fitness)
    assert any("decoded when they are read, because each clip is hardly read" in line for line in heard.said)


@pytest.mark.parametrize(("with_validation", "stored"), [(False, True), (True, False)])
def test_the_validation_clips_that_are_learnt_from_count_among_those_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_validation: bool, stored: bool
) -> None:
    """Of 24 clips each of 8 to learn from is read three times, each of 16 one and a half times."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = ["path,label,split"]
    for number in range(24):
        write_video(tmp_path / f"{number}.mp4", frames=4, width=32, height=32)
        rows.append(f"{number}.mp4,{number % 2},{('train', 'val', 'test')[number % 3]}")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    heard = Heard()
    tvnsearch.train(
        GENOME,
        tmp_path / "clips.csv",
        recipe=Recipe(iterations=3, batch_size=8),
        with_validation=with_validation,
        out=tmp_path / "out",
        threads=1,
        watch=heard.watch,
    )
    (decoded,) = (line for line in heard.said if line.startswith("decoded clips: "))
    assert ("24 as raw frames" in decoded) == stored
    assert ("each clip is hardly read more than once" in decoded) != stored


def test_the_score_is_that_of_the_training(folder: Path, trained: Trained) -> None:
    picture = folder / "matrix.svg"
    heard = Heard()
    evaluated = tvnsearch.evaluate(
        [folder / "net"], split="validation", confusion=picture, threads=1, watch=heard.watch
    )
    [model] = evaluated.models
    assert (model.model, model.data) == (str(folder / "net"), trained.data)
    assert model.report.scores == evaluated.mean
    assert (evaluated.mean.top1, evaluated.mean.top5) == (trained.result.top1, trained.result.top5)
    assert model.report.confusion is not None
    assert sum(map(sum, model.report.confusion)) == 4 * 3
    assert ElementTree.parse(picture).getroot().get("aria-label") == f"{folder / 'net'}, validation clips"
    assert heard.shares("score")[-1] == 1.0
    assert heard.said[-1] == f"picture: {picture}"


def test_a_training_and_its_score_keep_their_own_clips(
    folder: Path, trained: Trained, tmp_path: Path
) -> None:
    """What is added or deleted later, a class among it, moves no clip from one split to another."""
    before = tvnsearch.evaluate([folder / "net"], split="test", threads=1).mean
    shutil.copytree(folder / "clips", tmp_path / "clips")
    own = tmp_path / "clips"
    (own / "train" / "0-up").rename(own / "train" / "renamed")
    for split in ("train", "val", "test"):
        write_video(own / split / "another" / f"{split}.mp4")
    heard = Heard()
    (folder / "clips").rename(folder / "away")
    try:
        own.rename(folder / "clips")
        after = tvnsearch.evaluate([folder / "net"], split="test", threads=1, watch=heard.watch).mean
        assert after == before
        assert any("came (" in line for line in heard.said)
        (folder / "net" / "training-result.json").unlink()
        again = tvnsearch.resume_training(folder / "net", threads=1, watch=heard.watch)
        assert again is not None
        assert again.result.fitness == trained.result.fitness
        assert any("files went" in line for line in heard.said)
    finally:
        shutil.rmtree(folder / "clips")
        (folder / "away").rename(folder / "clips")


def test_a_folder_in_which_another_order_never_trained_is_begun_anew(
    folder: Path, trained: Trained, tmp_path: Path
) -> None:
    shutil.copy(folder / "net" / "training.json", tmp_path / "training.json")
    (tmp_path / "clips.manifest").write_bytes(b"of other clips")
    short = replace(RECIPE, iterations=2)
    begun = tvnsearch.train(GENOME, folder / "clips", recipe=short, out=tmp_path, threads=1)
    assert begun is not None
    assert begun.result.iterations == 2


def test_mistakes_are_sentences(folder: Path, trained: Trained, tmp_path: Path) -> None:
    clips, net = folder / "clips", folder / "net"
    for words, wrong in (
        ("another --out", lambda: tvnsearch.train(GENOME, clips, recipe=RECIPE, out=net)),
        ("mean or per_frame", lambda: tvnsearch.train(GENOME, clips, head="last", out=tmp_path / "new")),
        ("expected a recipe", lambda: tvnsearch.train(GENOME, clips, recipe="slow", out=tmp_path / "new")),
        ("expected the folder of a training", lambda: tvnsearch.resume_training(tmp_path)),
        ("test, validation, train, all", lambda: tvnsearch.evaluate([net], split="none")),  # type: ignore[arg-type]
        ("expected one MODEL", lambda: tvnsearch.evaluate([net, net], confusion="matrix.svg")),
        ("10x3", lambda: tvnsearch.evaluate([net], views="3x2")),
    ):
        with pytest.raises(UserError, match=words):
            wrong()
    assert not (tmp_path / "new").exists()


def test_a_network_learns_from_one_that_was_trained(folder: Path, trained: Trained) -> None:
    """From one of other frames and twice the resolution; what goes on needs no teacher to be given again."""
    heard = Heard()
    pupil = Genome(square_input(8, 2, 3), (Block((SpatialConv(8, 3, 2, "relu"),)),))
    taught, alone = (
        tvnsearch.train(
            pupil,
            folder / "clips",
            recipe=RECIPE,
            teacher=folder / "net" if name == "taught" else None,
            out=folder / name,
            threads=1,
            watch=heard.watch,
        )
        for name in ("taught", "alone")
    )
    assert taught is not None
    assert alone is not None
    assert taught.result.loss != alone.result.loss
    assert any(line.endswith(f"it learns from {folder / 'net'}") for line in heard.said)
    (folder / "taught" / "training-result.json").unlink()
    again = tvnsearch.resume_training(folder / "taught", threads=1)
    assert again is not None
    assert again.result.loss == taught.result.loss


def test_a_teacher_of_other_classes_is_refused_by_name(
    folder: Path, trained: Trained, tmp_path: Path
) -> None:
    generate(tmp_path / "ones", ClipsPerClass(2, 1, 1), digits=[1])
    generate(tmp_path / "both", ClipsPerClass(2, 1, 1), digits=[0, 1])
    net = folder / "net"
    for clips, teacher, words in (
        ("ones", net, "of the 4 classes of .*ones, but .*net does not know 1-down and 3 more"),
        ("both", net, "of the 8 classes of .*both, but .*net does not know 1-down and 3 more"),
        ("both", tmp_path, "expected a trained network or a run with a winner"),
    ):
        with pytest.raises(UserError, match=words):
            tvnsearch.train(GENOME, tmp_path / clips, recipe=RECIPE, teacher=teacher, out=tmp_path / "out")


def test_what_cannot_be_smoothed_is_said(folder: Path) -> None:
    heard = Heard()
    pupil = Genome(square_input(8, 2, 3), (Block((SpatialConv(8, 3, 2, "relu"),)),))
    recipe = Recipe(iterations=2, batch_size=8, grw_weight=0.1)
    tvnsearch.train(pupil, folder / "clips", recipe=recipe, out=folder / "few", threads=1, watch=heard.watch)
    assert any(
        line.endswith("it sees too few frames for grw_weight, and nothing is smoothed") for line in heard.said
    )


@pytest.mark.parametrize(("mirror", "can_tell"), [("auto", True), ("always", False), ("never", True)])
def test_clips_are_mirrored_as_the_recipe_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: str, can_tell: bool
) -> None:
    """Classes that are each other's mirror image are told apart only by who never sees one mirrored."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    light_on_the_right = np.zeros((32, 32, 3), np.uint8)
    light_on_the_right[:, 16:] = 255
    for number in range(8):
        for name, pixels in (("right", light_on_the_right), ("left", light_on_the_right[:, ::-1])):
            write_video(tmp_path / "clips" / name / f"{number}.mp4", pictures=[pixels] * 4)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'iterations = 200\nbatch_size = 8\nlabel_smoothing = 0.0\ndropout = 0.0\nmirror = "{mirror}"\n'
    )
    out = tmp_path / "out"
    trained = tvnsearch.train(GENOME, tmp_path / "clips", recipe=recipe, out=out, threads=1)
    assert trained is not None
    assert trained.result.loss is not None
    assert (trained.result.loss < 0.2) == can_tell
    assert (trained.result.loss > 0.5) != can_tell  # ln 2 is the loss of guessing
