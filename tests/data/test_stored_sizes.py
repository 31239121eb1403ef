from __future__ import annotations

from itertools import pairwise

import pytest

from tvnsearch.data.stored_sizes import LADDER, size_to_store, sizes_that_serve, smaller_sizes


@pytest.mark.parametrize(
    ("resolution", "size"), [(224, 256), (112, 128), (160, 192), (48, 64), (32, 48), (16, 32), (256, 384)]
)
def test_videos_are_stored_somewhat_larger_than_what_is_looked_at(resolution: int, size: int) -> None:
    assert size_to_store(resolution) == size


def test_few_sizes_are_stored_and_none_is_far_from_the_next() -> None:
    assert {size_to_store(resolution) for resolution in range(1, 897)} == set(LADDER)
    assert all(smaller < larger <= 1.5 * smaller for smaller, larger in pairwise(LADDER))
    assert size_to_store(2000) == 2000


def test_any_size_at_or_above_serves_and_the_smallest_first() -> None:
    assert sizes_that_serve(224, 256) == [224, 256, 384, 512, 768, 1024]
    assert sizes_that_serve(16, 16)[:2] == [16, 32]
    assert smaller_sizes(112)[:2] == [96, 64]
