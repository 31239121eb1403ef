"""Torch, layer after layer; on the processor with packed convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from tvnsearch.devices.device import Device
from tvnsearch.genome.genome import Genome
from tvnsearch.network import TinyVideoNetwork, build_network
from tvnsearch.network.deploy import fold_norms
from tvnsearch.network.packing import pack


class _AveragingWeights(TorchFunctionMode):
    """Weights that average their inputs instead of random ones, which take longer to draw than to run.

    Latency does not depend on them as long as no feature is denormal, and averages keep features in range.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.Tensor.normal_:  # kaiming_normal_: the deviation is sqrt(2 / inputs)
            return args[0].fill_(args[2] ** 2 / 2)
        if func is torch.Tensor.uniform_:  # a linear layer's default: up to sqrt(1 / inputs)
            return args[0].fill_(args[2] ** 2)
        return func(*args, **(kwargs or {}))


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
    return EagerNetwork(*deployed_on(device, genome, classes))


def deployed_on(device: Device, genome: Genome, classes: int) -> tuple[TinyVideoNetwork, torch.Tensor]:
    """The network of ``genome``, folded, with fixed weights, and clips for it, both on ``device``."""
    torch.manual_seed(0)
    dtype = getattr(torch, device.dtype)
    with _AveragingWeights():
        network = fold_norms(build_network(genome, classes).eval()).to(device.name, dtype)
    if device.name == "cpu":
        pack(network)
    frames, height, width, channels = network.trace.in_shape
    clips = torch.randn(device.batch, frames, height, width, channels).to(device.name, dtype)
    return network, clips
