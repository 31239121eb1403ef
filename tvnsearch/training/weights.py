"""A network's weights as safetensors."""

from __future__ import annotations

import os
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from tvnsearch.errors import UserError


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights to `path`, which appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    safetensors.torch.save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()}, part
    )
    part.replace(path)


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network with the weights of a file.

    Raises UserError when there is no such file, or it holds something else or another network's weights.
    """
    try:
        network.load_state_dict(safetensors.torch.load_file(path))
    except OSError as error:
        raise UserError(
            f"expected weights at {path}, but reading them failed ({error.strerror or error}); train first"
        ) from error
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"expected the weights of this network in {path}, but they do not fit it ({reason}); "
            "give the weights that were trained for this genome and data set"
        ) from error
