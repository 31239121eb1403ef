"""Kernel geometry along one axis: which positions of a map each output of a kernel sees.

The one place that knows: tracing, network, packing and features ask here. Padding is SAME, so that an output
is ``ceil(size / stride)`` long whatever the kernel, and every window of a kernel as wide as its stride or
wider covers the map between its first and its last position: nothing at an end is left unseen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

SEPARABLE_POOL_KERNEL = 4
"""From so many taps on, a square pool runs as a pass over rows and one over columns (quicker, on CPUs)."""


class Padding(NamedTuple):
    """Zeros before and behind a map, along one axis."""

    before: int
    after: int

    @property
    def symmetric(self) -> bool:
        """Whether a convolution or a pool can pad so by itself; the other kind costs a copy of the map."""
        return self.before == self.after


def outputs(size: int, stride: int) -> int:
    """How many outputs a kernel has along an axis."""
    return -(-size // stride)


@lru_cache(maxsize=65536)
def live_kernel(size: int, kernel: int, stride: int) -> int:
    """``kernel`` without its outer taps that only ever meet padding.

    At stride 1 that leaves ``min(kernel, 2 * size - 1)`` taps. With a stride that leaves a single output it
    leaves those on the map, ``size``: the kernel is global.
    """
    if kernel <= size:
        return kernel
    last_start = (outputs(size, stride) - 1) * stride
    before = min((kernel - 1) // 2, last_start + kernel - size)
    # The last tap comes closest to the map in the first window, the first tap in the last one.
    return min(kernel, size + before) - max(before - last_start, 0)


@lru_cache(maxsize=65536)
def padding(size: int, kernel: int, stride: int) -> Padding:
    """The zeros that the windows of a live kernel need beyond the map.

    In front are as many as centre the kernel, or fewer where fewer are needed; the rest is behind. They are
    made symmetric where that costs nothing: where more zeros behind start no further window.
    """
    last_start = (outputs(size, stride) - 1) * stride
    total = max(last_start + kernel - size, 0)
    before = min((kernel - 1) // 2, total, last_start)
    if (size + 2 * before - kernel) // stride * stride == last_start:
        return Padding(before, before)
    return Padding(before, total - before)
