"""The smoothing loss against values worked out by hand, and a version in plain numpy."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from tvnsearch.data.loader import Batch
from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.genome.trace import trace
from tvnsearch.network.build import build_network
from tvnsearch.training.fitting import Fitting
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.smoothing import SmoothedPlace, smoothed_place, smoothing_loss


def plainly(embeddings, window, alpha):
    """Every order laid out, its accelerations squared one by one."""
    losses = []
    for clip in embeddings:
        for first in range(0, len(clip) - window + 1, window):
            frames = clip[first : first + window]
            densities = []
            for order in permutations(range(1, window)):
                moved = frames[[0, *order]]
                velocities = moved[1:] - moved[:-1]
                accelerations = velocities[1:] - velocities[:-1]
                densities.append(math.exp(-0.5 * (accelerations**2).sum()))
            steps = frames[1:] - frames[:-1]
            losses.append(-math.log(densities[0] / sum(densities)) + alpha * 0.5 * (steps**2).sum())
    return sum(losses) / len(losses)


def test_four_frames_in_a_line():
    """0, 1, 2, 3: the squared accelerations of the six orders are 0, 10, 34, 18, 10 and 16."""
    line = torch.arange(4.0).reshape(1, 4, 1)
    disorder = math.log(sum(math.exp(-squared / 2) for squared in (0, 10, 34, 18, 10, 16)))
    assert smoothing_loss(line, 4, 0.0).item() == pytest.approx(disorder, rel=1e-5)
    assert smoothing_loss(line, 4, 2.0).item() == pytest.approx(disorder + 2 * 1.5, rel=1e-5)


@pytest.mark.parametrize(("frames", "window"), [(3, 3), (5, 5), (8, 4), (11, 5), (6, 6)])
def test_any_embeddings(frames, window):
    embeddings = np.random.default_rng(frames).normal(size=(3, frames, 7)) / 2
    ours = smoothing_loss(torch.from_numpy(embeddings), window, 0.5)
    assert ours.item() == pytest.approx(plainly(embeddings, window, 0.5), rel=1e-6)


def network_of(frames, strides=(1, 1)):
    blocks = tuple(
        Block((SpatialConv(8, 3, 2, "relu"), TemporalConv(8, 3, stride, "relu"))) for stride in strides
    )
    return Genome(square_input(16, frames, 1), blocks)


@pytest.mark.parametrize(
    ("frames", "strides", "place"),
    [
        (8, (1, 1), SmoothedPlace(1, 8, 5)),
        (4, (1, 1), SmoothedPlace(1, 4, 4)),
        (16, (2, 2), SmoothedPlace(0, 8, 5)),
        (8, (2, 2), SmoothedPlace(0, 4, 4)),
        (10, (2, 1, 2), SmoothedPlace(1, 5, 5)),
        (2, (1, 1), None),
        (1, (1, 1), None),
    ],
)
def test_the_last_place_that_has_frames_enough_is_smoothed(frames, strides, place):
    assert smoothed_place(trace(network_of(frames, strides)), 5) == place


def test_what_is_smoothed_are_the_means_of_the_frames_normalised_by_the_batch():
    torch.manual_seed(0)
    genome = network_of(6)
    network = build_network(genome, 4)
    clips = torch.randn(5, 6, 16, 16, 3)
    recipe = Recipe(dropout=0.0, label_smoothing=0.0, precision="float32")
    losses = {}
    for weight in (0.0, 0.25):
        fitting = Fitting(network, Recipe(**recipe_with(recipe, grw_weight=weight, learning_rate=1e-30)))
        losses[weight] = fitting.step(Batch(clips, torch.arange(5) % 4), 0.5)
    features = clips.flatten(0, 1).permute(0, 3, 1, 2)
    for repeat in network.repeats:
        features = repeat(features, lambda: None)
    means = features.detach().numpy().mean(axis=(2, 3))
    normalised = (means - means.mean(axis=0)) / np.sqrt(means.var(axis=0) + 1e-5)
    expected = plainly(normalised.reshape(5, 6, 8), 5, 0.5)
    assert losses[0.25] - losses[0.0] == pytest.approx(0.25 * expected, rel=1e-3)


def recipe_with(recipe, **changes):
    return {name: getattr(recipe, name) for name in recipe.__struct_fields__} | changes


def test_a_network_learns_to_be_smooth():
    torch.manual_seed(0)
    fitting = Fitting(build_network(network_of(6), 4), Recipe(grw_weight=1.0, precision="float32"))
    batch = Batch(torch.randn(8, 6, 16, 16, 3), torch.arange(8) % 4)
    for _ in range(30):
        fitting.step(batch, 0.1)
    assert fitting.losses[-1] < 0.8 * fitting.losses[0]
