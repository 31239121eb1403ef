from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.data.videos import stored_frames
from tvnsearch.data.augmentation import Augmentation, changed, draw_change, random_view
from tvnsearch.genome.genome import square_input

SPEC = square_input(8, 4, 2)


def views(shape, augmentation, count=200, mirrorable=True):
    frames = stored_frames(np.zeros((*shape, 3), np.uint8))
    rng = np.random.default_rng(0)
    return [random_view(frames, SPEC, augmentation, mirrorable, rng) for _ in range(count)]


@given(
    st.tuples(st.integers(1, 30), st.integers(1, 40), st.integers(1, 40)),
    st.floats(0.05, 1),
    st.floats(1, 2),
    st.floats(1, 2),
)
def test_every_view_lies_within_its_clip(shape, area, ratio, fastest):
    for view in views(shape, Augmentation(area, ratio, fastest), 10):
        assert 0 <= view.indices.min() <= view.indices.max() < shape[0]
        top, left, height, width = view.crop
        assert 0 <= top <= top + height <= shape[1]
        assert 0 <= left <= left + width <= shape[2]
        assert height and width


def test_crops_are_as_large_and_as_oblong_as_was_said():
    seen = views((20, 100, 170), Augmentation(smallest_area=0.4, widest_ratio=1.5))
    areas = np.array([view.crop.height * view.crop.width for view in seen]) / 100**2
    ratios = np.array([view.crop.width / view.crop.height for view in seen])
    assert 0.38 < areas.min() < 0.45
    assert 0.9 < areas.max() < 1.02
    assert 1 / 1.55 < ratios.min() < 0.75
    assert 1.3 < ratios.max() < 1.55
    assert min(view.crop.left for view in seen) < 5
    assert max(view.crop.left + view.crop.width for view in seen) > 165


def test_starts_and_speeds_vary():
    seen = views((40, 8, 8), Augmentation(fastest=1.5))
    assert {int(view.indices[0]) for view in seen} >= set(range(31))
    assert {int(np.ptp(view.indices)) for view in seen} == set(range(4, 10))
    assert {int(np.ptp(view.indices)) for view in views((40, 8, 8), Augmentation(fastest=1.0))} == {6}


def test_half_of_the_views_are_mirrored_where_that_is_allowed():
    assert 70 < sum(view.mirrored for view in views((9, 8, 8), Augmentation())) < 130
    assert not any(view.mirrored for view in views((9, 8, 8), Augmentation(), mirrorable=False))
    always, never = Augmentation(mirror="always"), Augmentation(mirror="never")
    assert 70 < sum(view.mirrored for view in views((9, 8, 8), always, mirrorable=False)) < 130
    assert not any(view.mirrored for view in views((9, 8, 8), never))


def test_mirroring_changes_nothing_else():
    """So that a data set read by another format is seen alike."""
    plain, mirrored = (views((20, 30, 40), Augmentation(), mirrorable=which) for which in (False, True))
    assert [view.crop for view in plain] == [view.crop for view in mirrored]
    assert [view.indices.tolist() for view in plain] == [view.indices.tolist() for view in mirrored]


def changes(augmentation, count=200):
    rng = np.random.default_rng(0)
    return [draw_change(augmentation, rng) for _ in range(count)]


def test_a_rectangle_of_one_colour_is_erased_from_all_frames_alike():
    clip = np.random.default_rng(1).integers(0, 256, (3, 100, 120, 3), np.uint8)
    areas, ratios = [], []
    for change in changes(Augmentation(erasing_share=1.0)):
        erased = changed(clip, change)
        colour = np.array(change.erasure.colour)
        places = (erased == colour).all(axis=3).all(axis=0)
        rows, columns = np.flatnonzero(places.any(axis=1)), np.flatnonzero(places.any(axis=0))
        inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        assert places[inside].all()
        outside = np.ones((100, 120), bool)
        outside[inside] = False
        assert np.array_equal(erased[:, outside], clip[:, outside])
        areas.append(places.mean())
        ratios.append(np.ptp(rows) / np.ptp(columns) * 1.2)
    assert 0.02 <= min(areas) < 0.05
    assert 0.3 < max(areas) < 0.37
    assert min(ratios) < 0.5
    assert max(ratios) > 2.0


def test_as_many_clips_are_erased_as_was_said():
    assert 30 < sum(change.erasure is not None for change in changes(Augmentation(erasing_share=0.25))) < 70


def test_changes_follow_each_other_whatever_the_size_of_the_frames():
    small = np.full((2, 32, 32, 3), 100, np.uint8)
    large = np.full((5, 96, 96, 3), 100, np.uint8)
    for change in changes(Augmentation(rand_augment_operations=3, erasing_share=0.5), 50):
        assert len(change.operations) == 3
        few, many = changed(small, change).mean(), changed(large, change).mean()
        assert abs(few - many) < 12


def test_what_is_left_out_is_not_drawn():
    """So that a training without it sees the clips that it always saw."""
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert draw_change(Augmentation(), rng) == ((), None)
    assert rng.bit_generator.state == before
