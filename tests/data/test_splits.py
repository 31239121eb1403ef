from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tvnsearch.data.dataset import Clip
from tvnsearch.data.splits import split_clips, stratified_subset

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def clips_of(class_sizes):
    return [
        Clip(Path(f"{label}/{number}.mp4"), (label,))
        for label, size in enumerate(class_sizes)
        for number in range(size)
    ]


@given(sizes, st.integers(0, 1000))
def test_every_clip_is_in_one_part(class_sizes, seed):
    clips = clips_of(class_sizes)
    parts = split_clips(clips, [0.15, 0.15], seed)
    assert Counter(clip for part in parts for clip in part) == Counter(clips)


@given(sizes, st.integers(0, 1000))
def test_every_class_is_cut_by_the_shares(class_sizes, seed):
    train, validation, test = (
        Counter(clip.labels[0] for clip in part)
        for part in split_clips(clips_of(class_sizes), [0.15, 0.15], seed)
    )
    for label, size in enumerate(class_sizes):
        assert train[label] >= 1
        if size >= 3:
            assert validation[label] == test[label] == max(1, round(0.15 * size))
        if size == 2:
            assert validation[label] == 1


@given(sizes, st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_on_disk_does_not_matter(class_sizes, seed, shuffler: random.Random):
    clips = clips_of(class_sizes)
    shuffled = shuffler.sample(clips, len(clips))
    assert split_clips(clips, [0.2], seed) == split_clips(shuffled, [0.2], seed)


def test_another_seed_is_another_split():
    clips = clips_of([30, 30])
    assert split_clips(clips, [0.2], 0) != split_clips(clips, [0.2], 1)


@given(sizes, st.integers(0, 120), st.integers(0, 1000))
def test_a_subset_has_its_share_of_every_class(class_sizes, most, seed):
    clips = clips_of(class_sizes)
    subset = stratified_subset(clips, most, seed)
    assert len(subset) == min(most, len(clips))
    assert list(subset) == sorted(subset, key=clips.index)
    counts = Counter(clip.labels[0] for clip in subset)
    for label, size in enumerate(class_sizes):
        assert abs(counts[label] - size * len(subset) / len(clips)) <= len(class_sizes)


def test_a_subset_follows_from_its_seed_and_not_from_where_clips_lie():
    clips = clips_of([40, 60])
    chosen = [stratified_subset(clips, 20, seed) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    moved = [Clip(Path("moved") / clip.path, clip.labels) for clip in clips]
    assert [clip.path for clip in stratified_subset(moved, 20, 0)] == [
        Path("moved") / clip.path for clip in chosen[0]
    ]
    assert Counter(clip.labels[0] for clip in chosen[0]) == {0: 8, 1: 12}


def test_small_classes_are_served_by_chance():
    clips = clips_of([1] * 50 + [50])
    drawn = [stratified_subset(clips, 10, seed) for seed in range(40)]
    assert all(len(subset) == 10 for subset in drawn)
    seen = {clip.labels[0] for subset in drawn for clip in subset}
    assert len(seen) > 40
