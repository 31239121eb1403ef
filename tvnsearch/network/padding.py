"""SAME padding: an output of ``ceil(size / stride)`` for every kernel, even ones included."""

from __future__ import annotations

from typing import NamedTuple


class Padding(NamedTuple):
    """Zeros before and after along one axis; symmetric padding is free, the other kind costs a copy."""

    before: int
    after: int

    @property
    def symmetric(self) -> bool:
        """Whether a convolution or pooling can do it by itself."""
        return self.before == self.after


def same_padding(size: int, kernel: int, stride: int) -> Padding:
    """The padding of one axis; symmetric wherever that gives the same outputs."""
    before = (kernel - 1) // 2
    out = -(-size // stride)
    if (size + 2 * before - kernel) // stride + 1 == out:
        return Padding(before, before)
    return Padding(before, max((out - 1) * stride + kernel - size - before, 0))
