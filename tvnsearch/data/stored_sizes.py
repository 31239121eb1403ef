"""The few sizes at which videos are stored: one serves all networks that look at frames up to that size."""

from __future__ import annotations

LADDER = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Short sides in pixels, each a half or a third more than the one before.

A finer ladder would have a second search, with a little larger frames, decode everything again; a coarser one
would store up to four times the pixels that are looked at.
"""

MARGIN = (8, 7)
"""Stored frames are larger than what a network looks at by this: 256 for 224, and 128 for 112, as is usual.

A crop of a training that takes a part of the frame then still has about the pixels that the network wants.
"""


def size_to_store(resolution: int) -> int:
    """The short side at which new videos are stored for networks that look at frames of `resolution` pixels.

    Where the ladder ends they are stored at what is needed.
    """
    larger, than = MARGIN
    return next((size for size in LADDER if size * than >= resolution * larger), resolution)


def sizes_that_serve(resolution: int, size: int) -> list[int]:
    """Sizes that videos may be stored at for `resolution`, `size` among them, the smallest first."""
    return sorted({size, resolution, *(rung for rung in LADDER if rung >= resolution)})


def smaller_sizes(resolution: int) -> list[int]:
    """Sizes below `resolution`, the largest first: they serve for videos that are no larger themselves."""
    return [rung for rung in reversed(LADDER) if rung < resolution]
