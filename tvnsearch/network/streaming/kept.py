"""What a step finds of the frames before it, and what it keeps for the next one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tvnsearch.genome.calls import Shape
from tvnsearch.genome.streaming import Flow, Wait

REAL = "real"
"""The state that says which of the last frames of the camera were of the stream."""


class Kept:
    """The states while a step runs.

    ``real`` is 1 for each of the step's frames that is of the stream and 0 for others; of ``history`` earlier
    frames a state says so.
    """

    def __init__(self, history: int, real: Tensor, states: Mapping[str, Tensor]) -> None:
        self._states, self._history, self._step_frames = states, history, len(real)
        self._real = torch.cat([states[REAL], real])
        self.following: dict[str, Tensor] = {REAL: self._real[len(real) :]}

    def with_past(self, name: str, new: Tensor) -> Tensor:
        """What is kept under ``name`` and what is new, one after the other; the last of it is kept."""
        if name not in self._states:
            return new
        frames = torch.cat([self._states[name], new])
        self.following[name] = frames[len(new) :]
        return frames

    def real(self, flow: Flow, past: int = 0) -> Tensor:
        """Which frames of ``flow`` are of the stream, 1 or 0: the new ones, and ``past`` before them."""
        first = self._history - (past + flow.delay) * flow.stride
        return self._real[first :: flow.stride][: past + flow.in_step(self._step_frames)]


class Keeper(nn.Module):
    """What keeps a state of this shape under this name; none where it is empty."""

    def __init__(self, name: str, state_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.name, self.state_shape = name, state_shape


class Waiting(Keeper):
    """Hands frames on as many frames later as ``wait`` says."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait.name, frames_shape(wait.frames, wait.shape))

    def forward(self, features: Tensor, kept: Kept) -> Tensor:
        return kept.with_past(self.name, features)[: len(features)]


def last_clip(frames: Tensor, real: Tensor, clip_frames: int) -> tuple[Tensor, Tensor]:
    """The last frame of the stream and those before it, ``clip_frames`` in all; and which are of the stream.

    ``clip_frames - 1`` are before the new ones. If no new one is of the stream, the first ends the clip.
    """
    new = len(frames) - clip_frames + 1
    if new == 1:
        return frames, real
    last = (real[-new:] * torch.arange(new, dtype=real.dtype)).amax(dim=0).long()
    clip = last + torch.arange(clip_frames)
    return frames.index_select(0, clip), real.index_select(0, clip)


def over_pixels(real: Tensor) -> Tensor:
    """One number for each frame, to be multiplied with all that is in it."""
    return real[:, None, None, None]


def frames_shape(frames: int, shape: Shape) -> tuple[int, ...]:
    """So many ``frames`` as tensors hold them."""
    return frames, shape.channels, shape.height, shape.width
