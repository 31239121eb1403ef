"""The weights that a training begins with where it is to learn other labels than another one has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import safetensors.torch
import torch
from msgspec import Struct
from safetensors import SafetensorError
from torch import Tensor

from tvnsearch.errors import UserError
from tvnsearch.files import write_whole
from tvnsearch.genome.genome import Genome
from tvnsearch.network.build import TinyVideoNetwork, build_network
from tvnsearch.training.randomness import forked_generators, seed_generators
from tvnsearch.training.weights import read_metadata, read_tensors

HEAD = "head."
"""What the names of the head's tensors begin with."""

NESTED = ("state_dict", "model")
"""Under which of these keys other tools keep the weights among all that they save."""

TAKEN = "taken"


class Taken(Struct, frozen=True):
    """What a network got of other weights: the `share` of its parameters, and which tensors are `new`."""

    share: float
    new: tuple[str, ...]


def write_start(
    genome: Genome, classes: int, source: Path, path: Path, *, same_classes: bool | None, seed: int
) -> Taken:
    """Write weights of `genome` to `path`: those in `source` that fit by name and shape, the rest new.

    What is new is what the same `seed` draws for a training without other weights. The head is new unless
    the weights are of the `same_classes`; where that is not known (None), it is taken if it fits.

    Raises UserError when `source` cannot be read, or nothing of it fits, and OSError when `path` cannot be
    written.
    """
    found = read_foreign(source)
    with forked_generators("cpu"):
        seed_generators("cpu", seed)
        network = build_network(genome, classes)
    taken = _take(network, found, with_head=same_classes is not False)
    if taken.share == 0:
        raise UserError(
            f"expected weights of a network like this one in {source}, but none of its {len(found)} tensors "
            f"fits ({_odd(network, found)}); give weights of the same genome"
        )
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    metadata = {TAKEN: msgspec.json.encode(taken).decode()}
    write_whole(path, safetensors.torch.save(weights, metadata))
    return taken


def read_start(path: Path) -> Taken | None:
    """What `write_start` took for the weights at `path`; None where they are not there, or not whole."""
    try:
        return msgspec.json.decode(read_metadata(path)[TAKEN], type=Taken)
    except (FileNotFoundError, SafetensorError, KeyError, msgspec.DecodeError):
        return None


def read_foreign(path: Path) -> dict[str, Tensor]:
    """The tensors in a safetensors file, or in one of `torch.save`, by their names; no code in it is run.

    Raises UserError when it is neither, or there is none.
    """
    try:
        if path.suffix == ".safetensors":
            return read_tensors(path)
        return _tensors_in(torch.load(path, map_location="cpu", weights_only=True))
    except OSError as error:
        reason = error.strerror or str(error)
    except Exception as error:  # torch raises errors of many kinds for what is none of its files
        reason = str(error).partition("\n")[0]
    raise UserError(
        f"expected weights in {path}, a safetensors file or a dictionary of tensors by torch.save, but it "
        f"cannot be read ({reason}); give the folder of a training or of a run, or such a file"
    )


def _tensors_in(loaded: Any) -> dict[str, Tensor]:
    """Those of a state dict, however it was wrapped: among other things, or by DistributedDataParallel."""
    for key in NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise TypeError(f"it holds a {type(loaded).__name__}")
    return {
        str(name).removeprefix("module."): value
        for name, value in loaded.items()
        if isinstance(value, Tensor)
    }


def _take(network: TinyVideoNetwork, found: dict[str, Tensor], *, with_head: bool) -> Taken:
    own = network.state_dict()
    fitting = {
        name
        for name, value in own.items()
        if name in found and found[name].shape == value.shape and (with_head or not name.startswith(HEAD))
    }
    if not all(name in fitting for name in own if name.startswith(HEAD)):
        fitting = {name for name in fitting if not name.startswith(HEAD)}
    with torch.no_grad():
        for name in fitting:
            own[name].copy_(found[name])
    counts = {name: value.numel() for name, value in network.named_parameters()}
    share = sum(count for name, count in counts.items() if name in fitting) / sum(counts.values())
    return Taken(share, tuple(name for name in own if name not in fitting))


def _odd(network: TinyVideoNetwork, found: dict[str, Tensor]) -> str:
    """The first tensor that the two do not share."""
    for name, value in network.state_dict().items():
        if name not in found:
            return f"there is no {name}"
        if found[name].shape != value.shape:
            return f"{name} is of shape {tuple(found[name].shape)}, not {tuple(value.shape)}"
    return "only their heads are alike"
