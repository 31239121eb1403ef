from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tvnsearch.data.dataset import Clip
from tvnsearch.data.splits import split_clips, stratified_subset

ROOT = Path("/clips")
NAMES = ("train", "validation", "test")
sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)
seeds = st.integers(0, 1000)


def clips_of(class_sizes, root=ROOT):
    return [
        Clip(root / f"{label}/{number}.mp4", (label,))
        for label, size in enumerate(class_sizes)
        for number in range(size)
    ]


def split_of(clips, seed=0, root=ROOT):
    """The split of each clip, by the end of its path."""
    parts = split_clips(clips, [0.15, 0.15], seed, root)
    return {
        clip.path.relative_to(root).as_posix(): name
        for name, part in zip(NAMES, parts, strict=True)
        for clip in part
    }


@given(sizes, seeds)
def test_every_clip_is_in_one_part(class_sizes, seed):
    clips = clips_of(class_sizes)
    parts = split_clips(clips, [0.15, 0.15], seed, ROOT)
    assert Counter(clip for part in parts for clip in part) == Counter(clips)


@given(sizes, seeds)
def test_three_recordings_of_a_class_are_enough_for_three_splits(class_sizes, seed):
    parts = split_clips(clips_of(class_sizes), [0.15, 0.15], seed, ROOT)
    train, validation, test = (Counter(clip.labels[0] for clip in part) for part in parts)
    for label, size in enumerate(class_sizes):
        assert train[label] >= 1
        assert (validation[label] >= 1) == (size >= 2)
        assert (test[label] >= 1) == (size >= 3)


@pytest.mark.parametrize("seed", range(5))
def test_of_many_clips_each_share_is_near_its_own(seed):
    counts = Counter(split_of(clips_of([4000]), seed).values())
    assert counts["validation"] / 4000 == pytest.approx(0.15, abs=0.025)  # more than four deviations
    assert counts["test"] / 4000 == pytest.approx(0.15, abs=0.025)


@given(st.integers(12, 60), seeds, st.integers(0, 10**6))
def test_a_clip_that_comes_or_goes_moves_no_other_one(size, seed, number):
    """Where each split has two recordings of the class: so neither the one that goes was the last there."""
    before = split_of(clips_of([size, 5]), seed)
    counts = Counter(split for name, split in before.items() if name.startswith("0/"))
    assume(min(counts[name] for name in NAMES) >= 2)
    new = Clip(ROOT / f"0/new {number}.mp4", (0,))
    after = split_of([*clips_of([size, 5]), new], seed)
    assert {name: after[name] for name in before} == before
    rest = [clip for clip in clips_of([size, 5]) if clip.path != ROOT / f"0/{number % size}.mp4"]
    assert split_of(rest, seed).items() <= before.items()


@given(st.integers(20, 60), seeds, st.integers(0, 10**6))
def test_a_clip_that_comes_takes_none_from_those_that_are_trained_on(size, seed, number):
    before = split_of(clips_of([size]), seed)
    after = split_of([*clips_of([size]), Clip(ROOT / f"0/new {number}.mp4", (0,))], seed)
    assert all(after[name] == "train" for name, split in before.items() if split == "train")


@given(sizes, sizes, seeds)
def test_classes_are_split_independently_of_each_other(one, other, seed):
    both = split_of(clips_of([*one, *other]), seed)
    assert split_of(clips_of(one), seed).items() <= both.items()


@given(sizes, seeds, st.randoms(use_true_random=False))
def test_the_order_on_disk_does_not_matter(class_sizes, seed, shuffler: random.Random):
    clips = clips_of(class_sizes)
    shuffled = shuffler.sample(clips, len(clips))
    assert split_clips(clips, [0.2], seed, ROOT) == split_clips(shuffled, [0.2], seed, ROOT)


def test_a_folder_that_is_moved_keeps_its_split():
    moved = Path("/elsewhere/my clips")
    assert split_of(clips_of([30, 30])) == split_of(clips_of([30, 30], moved), root=moved)


def test_another_seed_is_another_split():
    clips = clips_of([30, 30])
    assert split_clips(clips, [0.2], 0, ROOT) != split_clips(clips, [0.2], 1, ROOT)


def test_clips_of_a_recording_stay_together_whatever_they_show():
    clips = [
        Clip(ROOT / f"{label}/{number}.mp4", (label,), recording=f"camera {number % 20}")
        for label in range(3)
        for number in range(100)
    ]
    parts = split_clips(clips, [0.15, 0.15], 0, ROOT)
    recordings = [{clip.recording for clip in part} for part in parts]
    assert sum(map(len, recordings)) == 20
    assert all(recordings)


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
