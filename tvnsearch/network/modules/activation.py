"""Activation functions, at the end of a layer or by themselves."""

from __future__ import annotations

from torch import Tensor, nn

from tvnsearch.genome.calls import LayerCall


def activation_module(name: str, inplace: bool) -> nn.Module:
    """The module of an activation's name; ``none`` is an identity."""
    match name:
        case "none":
            return nn.Identity()
        case "relu":
            return nn.ReLU(inplace=inplace)
        case "relu6":
            return nn.ReLU6(inplace=inplace)
        case "swish":
            return nn.SiLU()
        case "hswish":
            return nn.Hardswish()
        case _:
            raise ValueError(f"expected the name of an activation, got {name!r}")


class Activation(nn.Module):
    """``activation``: leaves its input as it was."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.activation = activation_module(call.activation, inplace=False)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.activation(features)
        return result
