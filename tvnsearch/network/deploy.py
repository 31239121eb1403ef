"""The network as it is deployed: in evaluation mode, every BatchNorm folded into its convolution."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.network.modules import ChannelTimeLearning, ConvUnit
from tvnsearch.network.packing import pack

Module = TypeVar("Module", bound=nn.Module)

DEPLOYMENT = 2
"""The revision of deployed networks; part of each device's fingerprint.

Raise it with every change by which a genome runs other kernels, or the same ones on other layouts, sizes or
orders, on any device and backend (here, in :mod:`tvnsearch.network.packing`, in the modules or in
``tvnsearch.devices.backends``): what was measured before then tells nothing of what is deployed now.
"""


def deployed(network: TinyVideoNetwork) -> TinyVideoNetwork:
    """A copy that computes the same logits in evaluation mode without any BatchNorm."""
    return fold_norms(deepcopy(network).eval())


def deployed_on_processor(network: TinyVideoNetwork, dtype: torch.dtype = torch.float32) -> TinyVideoNetwork:
    """A copy for inference that runs what is timed: folded, its weights of ``dtype``, packed.

    It takes clips of that ``dtype`` and of one shape, in batches of any size, and computes the same logits in
    evaluation mode to rounding.
    """
    return pack(deployed(network).to("cpu", dtype))


def fold_norms(module: Module) -> Module:
    """Fold every BatchNorm of ``module``, which is in evaluation mode, into its convolution, in place."""
    for unit in module.modules():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d | nn.BatchNorm3d):
            unit.conv = fuse_conv_bn_eval(unit.conv, unit.norm)
            unit.norm = nn.Identity()
        if isinstance(unit, ChannelTimeLearning):
            unit.fold_norm()
    return module
