"""Torch, layer after layer; on the processor with packed convolutions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from tvnsearch.devices.device import Device
from tvnsearch.network import TinyVideoNetwork
from tvnsearch.network.packing import pack


class EagerNetwork:
    """A deployed network and the clips that it is timed on; the logits of a timed pass are dropped."""

    def __init__(self, network: TinyVideoNetwork, clips: torch.Tensor) -> None:
        self._network = network
        self._clips = clips

    @torch.inference_mode()
    def run(self) -> None:
        """One forward pass."""
        self._network(self._clips)

    @torch.inference_mode()
    def run_stamped(self, stamp: Callable[[], None]) -> None:
        """One forward pass that calls ``stamp`` after each layer call."""
        self._network.forward_stamped(self._clips, stamp)

    @torch.inference_mode()
    def logits(self, clips: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of clips."""
        taken = torch.from_numpy(clips).to(self._clips.device, self._clips.dtype)
        logits: NDArray[np.float32] = self._network(taken).float().cpu().numpy()
        return logits


def prepare(network: TinyVideoNetwork, device: Device) -> EagerNetwork:
    """Place and pack a folded network, and make fixed clips for it."""
    return EagerNetwork(*placed(network, device))


def versions() -> dict[str, str]:
    """Torch is in every fingerprint."""
    return {}


def placed(network: TinyVideoNetwork, device: Device) -> tuple[TinyVideoNetwork, torch.Tensor]:
    """The folded ``network``, itself, in the device's precision and place, and clips for a pass."""
    dtype = getattr(torch, device.precision)
    network.to(device.name, dtype)
    if device.name == "cpu":
        pack(network)
    frames, height, width, channels = network.trace.in_shape
    clips = torch.full((device.batch, frames, height, width, channels), 0.5, dtype=dtype, device=device.name)
    return network, clips
