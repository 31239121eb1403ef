"""Random numbers of one training: those of its own device, and what others draw stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def forked_generators(device: str) -> Iterator[None]:
    """Give the generators of the CPU and of `device` back as they were.

    Of several GPUs the others are not touched: forking theirs would open each of them.
    """
    gpus = [_index(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        yield


def seed_generators(device: str, seed: int) -> None:
    """Seed the generators of the CPU and of `device`; `torch.manual_seed` would seed those of all GPUs."""
    torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    if torch.device(device).type == "cuda":
        with torch.cuda.device(_index(device)):
            torch.cuda.manual_seed(seed)


def _index(device: str) -> int:
    index = torch.device(device).index
    return torch.cuda.current_device() if index is None else index
