"""Torch's compiler: the whole network as generated C++, its weights frozen into it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch._inductor import config as inductor_config

from tvnsearch.devices.device import Device
from tvnsearch.network import TinyVideoNetwork

FREEZING = {"freezing": True}


class CompiledNetwork:
    """A compiled network and the clips that it is timed on."""

    def __init__(self, network: TinyVideoNetwork, clips: torch.Tensor) -> None:
        torch._dynamo.reset()  # networks of one process share no guards, and none is run eagerly after many
        self._run = torch.compile(network, fullgraph=True, dynamic=False)
        self._clips = clips
        with torch.no_grad(), inductor_config.patch(FREEZING):
            self._run(clips)

    @torch.no_grad()
    def run(self) -> None:
        """One forward pass."""
        self._run(self._clips)

    @torch.no_grad()
    def logits(self, clips: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of clips."""
        logits: NDArray[np.float32] = self._run(torch.from_numpy(clips).to(self._clips.dtype)).float().numpy()
        return logits


def prepare(network: TinyVideoNetwork, device: Device) -> CompiledNetwork:
    """Compile a folded network for clips of one shape; takes a minute where nothing like it was compiled."""
    dtype = getattr(torch, device.precision)
    clips = torch.full((device.batch, *network.trace.in_shape), 0.5, dtype=dtype)
    return CompiledNetwork(network.to(dtype), clips)


def versions() -> dict[str, str]:
    """Torch is in every fingerprint."""
    return {"compiler": "inductor, freezing"}
