"""Networks that look trained."""

from __future__ import annotations

import torch
from torch import nn

from tvnsearch.network import TinyVideoNetwork


def with_figures(network: TinyVideoNetwork) -> TinyVideoNetwork:
    """Weights, statistics and scales in which a mistake shows; in evaluation mode."""
    drawn = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            spread = (2 / module.weight[0].numel()) ** 0.5
            nn.init.normal_(module.weight, std=spread, generator=drawn)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1, generator=drawn)
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=drawn)
            module.running_var.uniform_(0.5, 2.0, generator=drawn)
            nn.init.uniform_(module.weight, 0.5, 1.0, generator=drawn)
            nn.init.normal_(module.bias, std=0.1, generator=drawn)
    return network.eval()
