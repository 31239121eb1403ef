"""Torch, layer after layer; on the processor with packed convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from tvnsearch.devices.device import Device
from tvnsearch.genome.genome import Genome
from tvnsearch.network import TinyVideoNetwork, build_network
from tvnsearch.network.modules import ConvUnit
from tvnsearch.network.modules.gating import NonLocalBlock
from tvnsearch.network.packing import pack


class _NotDrawn(TorchFunctionMode):
    """Parameters without memory get no values, which takes long to find out; what is counted is counted."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _DRAWN and args[0].is_meta:
            return args[0]
        placed = {"device": "cpu"} if func is torch.ones else {}  # the windows of a pooling layer
        return func(*args, **{**placed, **(kwargs or {})})


_DRAWN = frozenset({torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.fill_, torch.Tensor.zero_})


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
    """The network of ``genome``, folded, with fixed weights, and clips for it, both on ``device``.

    Weights average their inputs: latency does not depend on them as long as no feature is denormal, averages
    keep features in range, and random ones take longer to draw than the network to run. For the same reason
    the network is built without memory first.
    """
    dtype = getattr(torch, device.precision)
    with torch.device("meta"), _NotDrawn():
        network = build_network(genome, classes).eval().to(dtype)
    for module in list(network.modules()):
        if isinstance(module, ConvUnit):  # folding needs no figures where they are fixed
            module.conv.bias, module.norm = module.norm.bias, nn.Identity()  # type: ignore[assignment]
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            average = 1 / module.weight[0].numel()
            module.weight = _filled(module.weight, average, device)
            module.bias = None if module.bias is None else _filled(module.bias, 0.0, device)
    for module in network.modules():
        if isinstance(module, NonLocalBlock):
            module.project.conv.weight.data.zero_()  # as in a fresh block: it adds nothing
    network.to(device.name)
    if device.name == "cpu":
        pack(network)
    frames, height, width, channels = network.trace.in_shape
    clips = torch.full((device.batch, frames, height, width, channels), 0.5, dtype=dtype, device=device.name)
    return network, clips


def _filled(unplaced: torch.Tensor, value: float, device: Device) -> nn.Parameter:
    return nn.Parameter(torch.empty_like(unplaced, device=device.name).fill_(value), requires_grad=False)
