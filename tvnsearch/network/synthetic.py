"""A network for timing: folded, with fixed weights, made without drawing or training any."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from tvnsearch.genome.genome import Genome
from tvnsearch.network.build import TinyVideoNetwork, build_network
from tvnsearch.network.modules import ChannelTimeLearning, ConvUnit, NonLocalBlock


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


def synthetic_network(genome: Genome, classes: int) -> TinyVideoNetwork:
    """The network of ``genome``, folded, in evaluation mode, with fixed float32 weights on the processor.

    Weights average their inputs: latency does not depend on them as long as no feature is denormal, averages
    keep features in range, and random ones take longer to draw than the network to run. For the same reason
    the network is built without memory first.
    """
    with torch.device("meta"), _NotDrawn():
        network = build_network(genome, classes).eval()
    for module in list(network.modules()):
        if isinstance(module, ConvUnit):  # folding needs no figures where they are fixed
            module.conv.bias, module.norm = module.norm.bias, nn.Identity()  # type: ignore[assignment]
        if isinstance(module, ChannelTimeLearning):
            module.focus.bias, module.norm = module.norm.bias, nn.Identity()  # type: ignore[assignment]
            module.positions = _filled(module.positions, 0.0)
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            module.weight = _filled(module.weight, 1 / module.weight[0].numel())
            module.bias = None if module.bias is None else _filled(module.bias, 0.0)
    for module in network.modules():
        if isinstance(module, NonLocalBlock):
            module.project.conv.weight.data.zero_()  # as in a fresh block: it adds nothing
    return network


def _filled(unplaced: torch.Tensor, value: float) -> nn.Parameter:
    """Of the same shape and strides; torch's ``empty_like`` of what has no memory loads a compiler."""
    filled = torch.empty_strided(tuple(unplaced.shape), unplaced.stride(), dtype=torch.float32).fill_(value)
    return nn.Parameter(filled, requires_grad=False)
