"""Kernel geometry against brute force: every window written out position by position."""

from __future__ import annotations

from itertools import product

from tests.genome.brute_force import live_taps, positions, windows
from tvnsearch.genome.windows import live_kernel, outputs, padding

SIZES = range(1, 65)
STRIDES = range(1, 9)


def kernels(size: int) -> list[int]:
    return sorted({*range(1, 9), size, size + 1, 2 * size - 1, 2 * size, 2 * size + 5, 64, 200})


def test_what_is_executed_sees_all_that_the_whole_kernel_would_see() -> None:
    for size, stride in product(SIZES, STRIDES):
        reached = min(stride, size)
        for kernel in kernels(size):
            live = live_kernel(size, kernel, reached)
            before, after = padding(size, live, reached)
            padded = size + before + after
            found = [
                range(first - before, first - before + live) for first in range(0, padded - live + 1, reached)
            ]
            expected = [positions(size, window) for window in windows(size, kernel, stride)]
            assert [positions(size, window) for window in found] == expected, (size, kernel, stride)
            assert len(found) == outputs(size, stride)


def test_every_tap_that_is_executed_meets_the_map_and_no_other_would() -> None:
    for size, stride in product(SIZES, STRIDES):
        for kernel in kernels(size):
            taps = live_taps(size, kernel, stride)
            assert taps == list(range(taps[0], taps[-1] + 1))
            assert live_kernel(size, kernel, min(stride, size)) == len(taps), (size, kernel, stride)


def test_windows_no_narrower_than_their_stride_cover_the_whole_map() -> None:
    for size, stride in product(SIZES, STRIDES):
        for kernel in (kernel for kernel in kernels(size) if kernel >= stride):
            seen = set().union(*[positions(size, window) for window in windows(size, kernel, stride)])
            assert seen == set(range(size)), (size, kernel, stride)


def test_without_a_stride_twice_the_size_less_one_is_executed() -> None:
    for size in SIZES:
        for kernel in kernels(size):
            assert live_kernel(size, kernel, 1) == min(kernel, 2 * size - 1)


def test_one_output_sees_the_map_and_nothing_else() -> None:
    for size in SIZES:
        for kernel in (kernel for kernel in kernels(size) if kernel >= size):
            assert live_kernel(size, kernel, size) == size
            assert padding(size, size, size) == (0, 0)


def test_odd_kernels_at_small_strides_are_centred() -> None:
    for size, kernel, stride in product(SIZES, (1, 3, 5, 7), (1, 2)):
        if kernel <= size:
            assert padding(size, kernel, stride).before == (kernel - 1) // 2
