"""Plain torch, layer after layer."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tvnsearch.devices.device import Device
from tvnsearch.genome.genome import Genome
from tvnsearch.network import TinyVideoNetwork, build_network, deployed


class EagerNetwork:
    """A deployed network and the clips that it is timed on; the logits of a pass are dropped."""

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


def prepare(genome: Genome, classes: int, device: Device) -> EagerNetwork:
    """Build, fold and place the network of ``genome`` with fixed weights and clips."""
    torch.manual_seed(0)
    dtype = getattr(torch, device.dtype)
    network = deployed(build_network(genome, classes)).to(device.name, dtype)
    frames, height, width, channels = network.trace.in_shape
    clips = torch.randn(device.batch, frames, height, width, channels).to(device.name, dtype)
    return EagerNetwork(network, clips)
