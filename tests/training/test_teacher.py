"""A network that learns from another one, of other frames and another resolution."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch
from msgspec.structs import replace

from tests.training.results import without_times
from tests.training.test_checkpoint import KilledError, until
from tvnsearch.data.loader import training_batches
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network.build import build_network
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.teacher import Teacher, load_teacher
from tvnsearch.training.trainer import train

PUPIL = Genome(square_input(16, 2, 3), (Block((SpatialConv(16, 3, 2, "relu"),)),))
ABLE_PUPIL = Genome(
    square_input(20, 3, 4),
    tuple(
        Block((SpatialConv(filters, 3, 2, "relu"), TemporalConv(filters, 3, 1, "relu")))
        for filters in (16, 48)
    ),
)
RECIPE = Recipe(iterations=9, batch_size=8, teacher_weight=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("teacher")


@pytest.fixture
def teacher(cache, genome, folder):
    weights = folder / "teacher.safetensors"
    if not weights.exists():
        train(genome, cache, Recipe(iterations=120, batch_size=16), weights)
    return Teacher(genome, str(weights))


def test_a_pupil_comes_to_say_what_its_teacher_says(cache, teacher, tmp_path):
    """By nothing but the teacher: the labels have no part in the loss."""
    recipe = Recipe(iterations=120, batch_size=16, teacher_weight=1.0, dropout=0.0)
    train(ABLE_PUPIL, cache, recipe, tmp_path / "pupil", teacher=teacher)
    pupil = load_teacher(Teacher(ABLE_PUPIL, str(tmp_path / "pupil")), 8, "cpu")
    known = load_teacher(teacher, 8, "cpu")
    untaught = build_network(ABLE_PUPIL, 8).eval()
    with closing(
        training_batches(
            cache, cache.dataset.train, ABLE_PUPIL.input, 64, seed=1, teacher=teacher.genome.input
        )
    ) as batches:
        batch = next(batches)
    with torch.no_grad():
        theirs = known(batch.teacher_clips).softmax(dim=1)
        away = [(net(batch.clips).softmax(dim=1) - theirs).abs().mean() for net in (pupil, untaught)]
    assert away[0] < 0.6 * away[1]


def test_a_teacher_of_no_weight_teaches_nothing(cache, teacher, tmp_path):
    results = {}
    for name, weight, by in (("alone", 0.0, None), ("ignored", 0.0, teacher), ("taught", 0.5, teacher)):
        recipe = replace(RECIPE, teacher_weight=weight)
        results[name] = train(PUPIL, cache, recipe, tmp_path / name, teacher=by)
    assert without_times(results["alone"]) == without_times(results["ignored"])
    assert (tmp_path / "alone").read_bytes() == (tmp_path / "ignored").read_bytes()
    assert (tmp_path / "alone").read_bytes() != (tmp_path / "taught").read_bytes()


def test_interruptions_change_no_bit_of_what_a_pupil_learns(cache, teacher, tmp_path):
    mixing = replace(RECIPE, mixup_alpha=0.8, cutmix_alpha=1.0, rand_augment_operations=1)
    whole = train(PUPIL, cache, mixing, tmp_path / "whole", teacher=teacher)
    checkpoints = Checkpoints(tmp_path / "checkpoints", 0.0)
    arguments = {"teacher": teacher, "checkpoints": checkpoints}
    with pytest.raises(KilledError):
        train(PUPIL, cache, mixing, tmp_path / "rest", on_progress=until(4), **arguments)
    rest = train(PUPIL, cache, mixing, tmp_path / "rest", **arguments)
    assert without_times(rest) == without_times(whole)
    assert (tmp_path / "rest").read_bytes() == (tmp_path / "whole").read_bytes()
    with pytest.raises(UserError, match="expected the checkpoint of this training"):
        train(PUPIL, cache, mixing, tmp_path / "rest", checkpoints=checkpoints)


def test_a_pupil_of_many_labels(multi_label_cache, genome, tmp_path):
    train(genome, multi_label_cache, RECIPE, tmp_path / "teacher")
    taught = Teacher(genome, str(tmp_path / "teacher"))
    recipe = replace(RECIPE, mixup_alpha=0.8, sampling="classes")
    result = train(PUPIL, multi_label_cache, recipe, tmp_path / "pupil", teacher=taught)
    assert result.failed is None
    assert result.mean_average_precision > 0


def test_weights_that_are_not_the_teachers_are_refused(cache, teacher, tmp_path):
    with pytest.raises(UserError, match="expected the weights of this network"):
        train(PUPIL, cache, RECIPE, tmp_path / "pupil", teacher=Teacher(PUPIL, teacher.weights))
