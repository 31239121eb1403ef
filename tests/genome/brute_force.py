"""SAME windows written out position by position: the reference for everything that slides a kernel."""

from __future__ import annotations


def windows(size: int, kernel: int, stride: int) -> list[range]:
    """As the release pads: no more zeros in front than centre the kernel, the rest behind."""
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    before = min((kernel - 1) // 2, total)
    return [range(first - before, first - before + kernel) for first in range(0, out * stride, stride)]


def positions(size: int, window: range) -> set[int]:
    """Those of a window that are on the map."""
    return set(window) & set(range(size))


def live_taps(size: int, kernel: int, stride: int) -> list[int]:
    """The taps that meet the map in some window."""
    all_windows = windows(size, kernel, stride)
    return [tap for tap in range(kernel) if any(0 <= window[tap] < size for window in all_windows)]
