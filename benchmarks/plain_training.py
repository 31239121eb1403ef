"""A training as one would write it in plain torch: the 3-D network, float32, the optimizer as it comes."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
from plain_network import PlainNetwork
from torch import nn
from torch.nn import functional

from tvnsearch.data.loader import Batch
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.training.optimization import learning_rate_factor
from tvnsearch.training.recipe import Recipe


def train_plainly(
    network: TinyVideoNetwork, recipe: Recipe, batches: Iterable[Batch]
) -> tuple[PlainNetwork, list[float]]:
    """Train the 3-D network that begins with the weights of ``network``; with the seconds of each iteration.

    It learns by the same recipe (AdamW alone) from the same batches.
    """
    plain = PlainNetwork(network.trace).train()
    plain.take_weights(network)
    plain.dropout.p = recipe.dropout
    groups = [
        {"params": [p for p in plain.parameters() if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in plain.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=recipe.learning_rate, betas=(recipe.momentum, recipe.second_beta)
    )
    seconds = []
    torch.manual_seed(recipe.seed)
    for number, (clips, labels, _) in zip(range(recipe.iterations), batches, strict=False):
        began = time.perf_counter()
        for group in optimizer.param_groups:
            factor = learning_rate_factor(number / recipe.iterations, recipe.warmup_share)
            group["lr"] = recipe.learning_rate * factor
        optimizer.zero_grad()
        loss = functional.cross_entropy(plain(clips), labels, label_smoothing=recipe.label_smoothing)
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), recipe.max_gradient_norm)
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - began)
    return plain, seconds
