"""The network as it is deployed: in evaluation mode, every BatchNorm folded into its convolution."""

from __future__ import annotations

from copy import deepcopy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.network.modules import ConvUnit


def deployed(network: TinyVideoNetwork) -> TinyVideoNetwork:
    """A copy that computes the same logits in evaluation mode without any BatchNorm."""
    copy = deepcopy(network).eval()
    for module in copy.modules():
        if isinstance(module, ConvUnit) and isinstance(module.norm, nn.BatchNorm2d | nn.BatchNorm3d):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    return copy
