from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np

from tvnsearch.data.balancing import balanced_rounds, clips_by_class
from tvnsearch.data.dataset import Clip


def clips(*labels):
    return [Clip(Path(f"{number}.mp4"), tuple(shown)) for number, shown in enumerate(labels)]


def test_clips_are_grouped_by_the_classes_that_they_show():
    assert clips_by_class(clips([4], [1], [4], [4])) == [[1], [0, 2, 3]]


def test_a_clip_of_several_classes_is_in_all_of_their_groups_and_one_of_none_in_the_last():
    assert clips_by_class(clips([0, 2], [], [2], [0], [])) == [[0, 3], [0, 2], [1, 4]]


def test_rounds_have_every_group_once_and_use_up_its_clips_before_they_come_again():
    groups = [[0], [1, 2], [3, 4, 5, 6, 7]]
    rounds = list(islice(balanced_rounds(groups, np.random.default_rng(0)), 20))
    for drawn in rounds:
        assert sorted(sum(number in group for number in drawn) for group in groups) == [1, 1, 1]
    counts = Counter(number for drawn in rounds for number in drawn)
    assert [counts[number] for number in range(8)] == [20, 10, 10, 4, 4, 4, 4, 4]
    assert (
        len({tuple(groups.index(next(g for g in groups if n in g)) for n in drawn) for drawn in rounds}) > 3
    )


def test_the_same_seed_gives_the_same_rounds():
    groups = [[0, 1, 2], [3, 4]]
    one, same, other = (
        list(islice(balanced_rounds(groups, np.random.default_rng(seed)), 10)) for seed in (1, 1, 2)
    )
    assert one == same != other
