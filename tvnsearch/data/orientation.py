"""How a picture has to be turned and mirrored to be seen as it was taken."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from av.buffer import Buffer
from av.video.frame import VideoFrame


class Orientation(NamedTuple):
    """A picture's rows become its columns, or do not; then it is mirrored along its columns or rows."""

    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False


def orientation_of(frame: VideoFrame) -> Orientation:
    """What the display matrix of a frame says, to the nearest quarter turn; as it is where it has none.

    The matrix `a b u | c d v | x y w` shows the pixel in column p and row q at column a p + c q and row
    b p + d q, both counted from a place that does not matter here.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d, *_ = np.frombuffer(bytes(cast(Buffer, matrix)), np.int32, 9).tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, upside_down=b < 0, mirrored=c < 0)
    return Orientation(False, upside_down=d < 0, mirrored=a < 0)


def upright(pixels: npt.NDArray[np.uint8], orientation: Orientation) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, 3) as they are seen, contiguous."""
    if orientation.transposed:
        pixels = pixels.swapaxes(0, 1)
    if orientation.upside_down:
        pixels = pixels[::-1]
    if orientation.mirrored:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
