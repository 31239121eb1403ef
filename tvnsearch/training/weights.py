"""A network's weights as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from tvnsearch.errors import UserError
from tvnsearch.files import write_whole

HEADER_SIZE_BYTES = 8
"""At the beginning of a safetensors file: how long the JSON is that follows."""


class _Header(msgspec.Struct, frozen=True):
    """What is said in that JSON beside where each tensor lies."""

    metadata: dict[str, str] = msgspec.field(name="__metadata__", default={})


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights to `path`: whole and on the disk when this returns, or not at all.

    Raises OSError when the disk is full, or the file cannot be written.
    """
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_whole(path, safetensors.torch.save(tensors))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names; safetensors itself opens none whose own name is no UTF-8.

    Raises OSError when the file cannot be read, and SafetensorError when it is not whole.
    """
    tensors: dict[str, Tensor] = safetensors.torch.load(path.read_bytes())
    return tensors


def read_metadata(path: Path) -> dict[str, str]:
    """What is said of the tensors of a whole file, by those who wrote them.

    Raises OSError when the file cannot be read, and SafetensorError when it is not whole.
    """
    content = path.read_bytes()
    safetensors.torch.load(content)
    size = int.from_bytes(content[:HEADER_SIZE_BYTES], "little")
    header = msgspec.json.decode(content[HEADER_SIZE_BYTES : HEADER_SIZE_BYTES + size], type=_Header)
    return header.metadata


def is_whole(path: Path) -> bool:
    """Whether there are weights at `path` that can be read, of whatever network."""
    try:
        read_tensors(path)
    except (FileNotFoundError, SafetensorError):
        return False
    return True


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network with the weights of a file.

    Raises UserError when there is no such file, or it holds something else or another network's weights.
    """
    try:
        weights = read_tensors(path)
    except OSError as error:
        raise UserError(
            f"expected weights at {path}, but reading them failed ({error.strerror or error}); train first"
        ) from error
    except SafetensorError as error:
        raise _not_its_weights(path, str(error).splitlines()[0]) from error
    misfit = _misfit(network.state_dict(), weights)
    if misfit is not None:
        raise _not_its_weights(path, misfit)
    network.load_state_dict(weights)


def _misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    """The first tensor that tells one network's weights from another's."""
    for name in [*expected, *found]:
        if name not in found:
            return f"there is no {name}"
        if name not in expected:
            return f"there is {name}, which this network has not"
        if found[name].shape != expected[name].shape:
            return f"{name} is of shape {tuple(found[name].shape)}, not {tuple(expected[name].shape)}"
    return None


def _not_its_weights(path: Path, reason: str) -> UserError:
    return UserError(
        f"expected the weights of this network in {path}, but they do not fit it ({reason}); train again, or "
        "give the weights that were trained for this genome and data set"
    )
