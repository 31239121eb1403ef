from __future__ import annotations

import numpy as np
import torch

from tvnsearch.data.loader import Batch
from tvnsearch.training.mixing import Box, Mixture, draw_mixture, mix_clips, mixed
from tvnsearch.training.recipe import Recipe

MIXUP, CUTMIX = Recipe(mixup_alpha=0.8), Recipe(cutmix_alpha=1.0)


def batch(height=8, width=12, teacher=None):
    """Four clips, each of its own number alone; so are their labels."""
    clips = torch.arange(4.0).reshape(4, 1, 1, 1, 1).expand(4, 2, height, width, 3).contiguous()
    return Batch(clips, torch.arange(4), teacher)


def test_mixup_is_a_weighted_mean_of_two_clips():
    clips, share = mix_clips(batch().clips, Mixture(0.25))
    assert share == 0.25
    means = clips.flatten(1).mean(dim=1)
    torch.testing.assert_close(means, torch.tensor([2.25, 0.25, 1.25, 2.25]))
    assert (clips.flatten(1).std(dim=1) < 1e-5).all()


def test_cutmix_puts_one_part_of_all_frames_of_a_clip_into_another():
    clips, share = mix_clips(batch().clips, Mixture(0.5, Box(0.25, 0.5, 0.5, 0.25)))
    expected = batch().clips
    expected[:, :, 2:6, 6:9] = torch.tensor([3.0, 0, 1, 2]).reshape(4, 1, 1, 1, 1)
    assert torch.equal(clips, expected)
    assert share == 1 - 12 / 96


def test_labels_are_mixed_as_the_clips_are():
    for recipe in (MIXUP, CUTMIX):
        for iteration in range(20):
            after = mixed(batch(), 6, recipe, iteration)
            torch.testing.assert_close(after.labels.sum(dim=1), torch.ones(4))
            # a clip's mean is that of its numbers, weighted as the labels say
            torch.testing.assert_close(
                after.clips.flatten(1).mean(dim=1), after.labels @ torch.arange(6.0), atol=1e-5, rtol=0
            )


def test_labels_of_several_classes_are_mixed_too():
    labels = torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]])
    after = mixed(batch()._replace(labels=labels), 3, MIXUP, 0)
    share = after.labels[1].max()  # the second clip shows nothing: what it has is of the first
    torch.testing.assert_close(after.labels[1], torch.stack([share, share, torch.tensor(0.0)]))
    torch.testing.assert_close(after.labels[3], (1 - share) * labels[3] + share * labels[2])


def test_a_batch_is_mixed_by_seed_iteration_and_process_alone():
    before = batch()
    one, same = mixed(before, 4, MIXUP, 3), mixed(before, 4, MIXUP, 3)
    assert torch.equal(one.clips, same.clips)
    assert torch.equal(one.labels, same.labels)
    others = (mixed(before, 4, MIXUP, 4), mixed(before, 4, Recipe(mixup_alpha=0.8, seed=1), 3))
    for other in (*others, mixed(before, 4, MIXUP, 3, rank=1)):
        assert not torch.equal(one.clips, other.clips)
    assert torch.equal(before.clips, batch().clips)


def test_what_is_not_asked_for_changes_nothing():
    before = batch()
    assert mixed(before, 4, Recipe(), 0) is before


def test_shares_and_boxes_are_as_they_are_drawn_for():
    rng = np.random.default_rng(0)
    drawn = [draw_mixture(0.0, 1.0, rng) for _ in range(2000)]
    shares = np.array([mixture.share for mixture in drawn])
    assert abs(shares.mean() - 0.5) < 0.03
    assert abs((shares < 0.1).mean() - 0.1) < 0.03  # Beta(1, 1) is uniform
    for mixture in drawn:
        box = mixture.box
        assert 0 <= box.top <= box.top + box.height <= 1 + 1e-9
        assert 0 <= box.left <= box.left + box.width <= 1 + 1e-9
        assert box.height * box.width <= 1 - mixture.share + 1e-9
    narrow = np.array([draw_mixture(0.1, 0.0, rng).share for _ in range(500)])
    assert ((narrow < 0.1) | (narrow > 0.9)).mean() > 0.7  # mostly one clip or the other


def test_where_both_are_asked_for_each_takes_half_of_the_batches():
    rng = np.random.default_rng(0)
    assert 70 < sum(draw_mixture(0.8, 1.0, rng).box is None for _ in range(200)) < 130


def test_a_teacher_gets_the_same_mixture():
    teacher = batch(32, 48).clips
    for recipe in (MIXUP, CUTMIX):
        for iteration in range(20):
            after = mixed(batch(teacher=teacher), 4, recipe, iteration)
            ours, theirs = (clips.flatten(1).mean(dim=1) for clips in (after.clips, after.teacher_clips))
            torch.testing.assert_close(ours, theirs, atol=0.6 if recipe is CUTMIX else 1e-5, rtol=0)
