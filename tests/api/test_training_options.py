"""What a training begins with, what is kept of it, and who hears how it goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import tvnsearch
from tests.api.watches import Heard
from tvnsearch.api.starting_weights import START
from tvnsearch.api.train import Trained
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.training.recipe import Recipe

GENOME = Genome(square_input(16, 4, 3), (Block((SpatialConv(16, 3, 2, "relu"),)),))
RECIPE = Recipe(iterations=12, batch_size=8)
GENTLE = Recipe(iterations=2, batch_size=8, learning_rate=1e-9, warmup_share=0.0, weight_decay=0.0)
"""Leaves weights where they are, but for the statistics of BatchNorm."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("training")
    generate(path / "clips", ClipsPerClass(6, 3, 2), digits=[0])
    generate(path / "others", ClipsPerClass(6, 2, 2), digits=[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(path / "cache"))
        yield path


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    return train(folder, "net", "clips")


def train(folder: Path, name: str, clips: str, **options: Any) -> Trained:
    options = {"recipe": RECIPE, **options}
    trained = tvnsearch.train(GENOME, folder / clips, out=folder / name, threads=1, **options)
    assert trained is not None
    return trained


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class Remembering:
    """Has wandb's call."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, Any], int]] = []

    def log(self, data: dict[str, Any], step: int | None = None) -> None:
        assert step is not None
        self.heard.append((data, step))


def test_loggers_hear_every_line_of_the_metrics(folder: Path) -> None:
    logger = Remembering()
    train(folder, "logged", "clips", loggers=[logger], validate_every=5)
    lines = metrics(folder / "logged")
    assert [line["iteration"] for line in lines] == [*range(1, 6), 5, *range(6, 11), 10, 11, 12, 12]
    assert logger.heard == [(line, line["iteration"]) for line in lines]


def test_a_logger_that_fails_ends_the_training_which_can_be_gone_on_with(
    folder: Path, trained: Trained
) -> None:
    class Failing:
        def log(self, data: dict[str, Any], step: int | None = None) -> None:
            raise ConnectionError("nobody listens")

    with pytest.raises(ConnectionError):
        train(folder, "failing", "clips", loggers=[Failing()])
    logger = Remembering()
    resumed = tvnsearch.resume_training(folder / "failing", threads=1, loggers=[logger])
    assert resumed is not None
    assert resumed.result.fitness == trained.result.fitness
    lines = metrics(folder / "failing")
    assert [line["iteration"] for line in lines] == [*range(1, 13), 12]
    assert logger.heard[-1] == (lines[-1], 12)


def test_other_labels_are_learnt_from_weights_that_fit_and_a_new_head(folder: Path, trained: Trained) -> None:
    """The clips of another digit have other classes, though as many."""
    heard = Heard()
    tuned = train(folder, "tuned", "others", recipe=GENTLE, weights=folder / "net", watch=heard.watch)
    said = next(line for line in heard.said if line.startswith("weights: "))
    learnt, new = (load_file(folder / name / "weights.safetensors") for name in ("net", "tuned"))
    parameters = [name for name in learnt if "running" not in name and "num_batches" not in name]
    head = sum(learnt[name].numel() for name in parameters if name.startswith("head."))
    share = 1 - head / sum(learnt[name].numel() for name in parameters)
    assert tuned.result.inherited_share == pytest.approx(share)
    assert said == (
        f"weights: {100 * share:.1f} % of the parameters are those of {(folder / 'net').resolve()}; "
        "new: head.classifier.weight, head.classifier.bias"
    )
    for name in parameters:
        alike = torch.allclose(learnt[name], new[name], atol=1e-6)
        assert alike is not name.startswith("head."), name
    assert not (folder / "tuned" / START).exists()


@pytest.mark.parametrize("source", ["net", "net/weights.safetensors", "copy.safetensors", "copy.pt"])
def test_the_same_labels_keep_their_head(folder: Path, trained: Trained, tmp_path: Path, source: str) -> None:
    weights = folder / source
    if source.startswith("copy"):
        weights = tmp_path / source
        if source.endswith(".pt"):
            torch.save(load_file(folder / "net" / "weights.safetensors"), weights)
        else:
            shutil.copy(folder / "net" / "weights.safetensors", weights)
    again = tvnsearch.train(
        GENOME, folder / "clips", recipe=GENTLE, weights=weights, out=tmp_path / "again", threads=1
    )
    assert again is not None
    assert again.result.inherited_share == 1.0
    learnt, new = (load_file(path / "weights.safetensors") for path in (folder / "net", tmp_path / "again"))
    assert torch.allclose(learnt["head.classifier.weight"], new["head.classifier.weight"], atol=1e-6)


def test_a_training_goes_on_from_the_weights_that_it_began_with(folder: Path, trained: Trained) -> None:
    """Also where those are gone by then."""

    class Killing:
        def log(self, data: dict[str, Any], step: int | None = None) -> None:
            raise KeyboardInterrupt

    shutil.copytree(folder / "net", folder / "source")
    whole = train(folder, "whole", "others", weights=folder / "source")
    with pytest.raises(KeyboardInterrupt):
        train(folder, "killed", "others", weights=folder / "source", loggers=[Killing()])
    shutil.rmtree(folder / "source")
    resumed = tvnsearch.resume_training(folder / "killed", threads=1)
    assert resumed is not None
    assert resumed.result.inherited_share == whole.result.inherited_share
    weights = [(folder / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_weights_of_an_order_that_was_given_up_do_not_begin_another(folder: Path, trained: Trained) -> None:
    """The same folder, before anything was kept in it."""

    class Killing:
        def log(self, data: dict[str, Any], step: int | None = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(folder, "given-up", "others", weights=folder / "net", loggers=[Killing()])
    (folder / "given-up" / "checkpoint.json").unlink(missing_ok=True)
    afresh = train(folder, "given-up", "others")
    assert afresh.result.inherited_share is None
    plain = train(folder, "plain", "others")
    assert afresh.result.loss == plain.result.loss


def test_the_best_weights_are_handed_over_if_that_is_asked_for(folder: Path) -> None:
    best = train(folder, "best", "clips", validate_every=3, keep_best=True)
    scores = {
        line["iteration"]: line["validation_fitness"]
        for line in metrics(folder / "best")
        if "validation_fitness" in line
    }
    assert list(scores) == [3, 6, 9, 12]
    assert best.result.fitness == scores[best.result.best_iteration or 0] == max(scores.values())
    evaluated = tvnsearch.evaluate(folder / "best", split="validation", threads=1)
    assert evaluated.mean.fitness == best.result.fitness


def test_the_last_training_is_scored_on_the_test_clips(folder: Path) -> None:
    last = train(folder, "last", "clips", with_validation=True)
    assert last.result.split == "test"
    assert metrics(folder / "last")[-1]["test_clips"] == 4 * 2
    evaluated = tvnsearch.evaluate(folder / "last", threads=1)
    assert (evaluated.mean.top1, evaluated.mean.top5) == (last.result.top1, last.result.top5)


def test_mistakes_are_sentences_and_leave_nothing(folder: Path, trained: Trained, tmp_path: Path) -> None:
    for words, options in (
        ("expected a trained network or a run with a winner", {"weights": folder / "clips"}),
        (r"expected weights in .*none\.pt, but there is no such file", {"weights": folder / "none.pt"}),
        ("expected --with-validation alone", {"with_validation": True, "validate_every": 2}),
        ("expected --with-validation alone", {"with_validation": True, "keep_best": True}),
        ("1 or more iterations, but got 0", {"validate_every": 0}),
        ("1 or more iterations, but got --keep-best alone", {"keep_best": True}),
        ("expected a logger out of tensorboard, wandb, or an object", {"loggers": ["neptune"]}),
    ):
        with pytest.raises(UserError, match=words):
            tvnsearch.train(GENOME, folder / "clips", recipe=RECIPE, out=tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_weights_of_another_network_are_refused(folder: Path, trained: Trained, tmp_path: Path) -> None:
    other = Genome(square_input(16, 4, 3), (Block((SpatialConv(12, 5, 2, "relu"),)),))
    with pytest.raises(UserError, match="expected weights of a network like this one"):
        tvnsearch.train(
            other, folder / "others", weights=folder / "net", recipe=RECIPE, out=tmp_path / "new", threads=1
        )
