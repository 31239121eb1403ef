"""The optimizer of a recipe, and how fast it learns over the course of a training."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from tvnsearch.training.recipe import Recipe


def make_optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimizer; weight decay is for the weights of convolutions and linear layers alone.

    Fused: one pass over the memory of each parameter, a third of the time on a CPU.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return SGD(
            groups,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            fused=True,
        )
    betas = (recipe.momentum, recipe.second_beta)
    return AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=True)


def learning_rate_factor(share: float, warmup_share: float) -> float:
    """Linear from near 0 to 1 while `share` of the training is below `warmup_share`, then a cosine to 0."""
    if share < warmup_share:
        return max(share, 0.01 * warmup_share) / warmup_share
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup_share) / (1 - warmup_share))))


def optimizer_tensors(optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """What an optimizer remembers of each parameter, by the parameter's number and the name of the memory."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, kept in state.items() for name, value in kept.items()}


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Make an optimizer remember what `optimizer_tensors` gave, in the memory layout of its parameters.

    The layout matters: in another one the same sums may be rounded in another order.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        parameter = parameters[int(number)]
        laid_out = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        state.setdefault(int(number), {})[name] = laid_out.detach()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
