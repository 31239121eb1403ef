"""Refuse a network that obviously does not fit before it is built."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import torch

from tvnsearch.control_groups import read_container
from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import BYTES_PER_VALUE, LayerCall
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace

USABLE_SHARE = 0.8
"""Of the free memory; the rest is for scratch space and for other processes."""

_LIBC = ctypes.CDLL(None)


def require_memory(genomes: Sequence[Genome], classes: int, device: Device) -> None:
    """Check that the networks fit on the device together, one of them running.

    Raises:
        UserError: the weights of all and the activations of the largest exceed the free memory.
    """
    free_bytes = _free_bytes(device)
    weight_bytes = 0
    for genome in genomes:
        network = trace(genome, classes)
        clip_bytes = network.in_shape.values * BYTES_PER_VALUE * device.batch
        weight_bytes += network.params * BYTES_PER_VALUE + clip_bytes
        needed_bytes = weight_bytes + max(map(_working_bytes, network.calls)) * device.batch
        if needed_bytes > USABLE_SHARE * free_bytes:
            raise UserError(
                f"expected a network that runs in the {free_bytes / 1e9:.1f} GB of free memory, but genome "
                f"{genome_id(genome)} needs about {needed_bytes / 1e9:.1f} GB; use fewer frames, a lower "
                f"resolution or fewer filters"
            )


def _working_bytes(call: LayerCall) -> int:
    """What is held while a call runs: its input, a padded copy of it, its output, and a shortcut's input."""
    inner = 4 * call.hidden * call.in_shape.positions if call.type == "non_local" else 0
    if call.type == "channel_time_learning":
        inner = 2 * call.out_shape.values  # its two paths meet in a product and a sum
    return (3 * call.in_shape.values + 2 * call.out_shape.values + inner) * BYTES_PER_VALUE


def _free_bytes(device: Device) -> int:
    """What can still be allocated, what this process has freed and not given back included."""
    if device.name == "cuda":
        kept_bytes = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0]) + kept_bytes
    left_bytes = read_container().memory_left_bytes
    free_bytes = _available_bytes()
    return (free_bytes if left_bytes is None else min(free_bytes, left_bytes)) + _freed_heap_bytes()


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/meminfo does not tell the available memory")


class _HeapCounts(ctypes.Structure):
    """The ``struct mallinfo2`` of glibc 2.33 and later: ten counts, the ninth of bytes that were freed."""

    _fields_ = (
        ("others", ctypes.c_size_t * 8),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


def _freed_heap_bytes() -> int:
    """What the allocator keeps for this process; 0 where it does not tell. Pinned, it keeps all."""
    if not hasattr(_LIBC, "mallinfo2"):
        return 0
    _LIBC.mallinfo2.restype = _HeapCounts
    return int(_LIBC.mallinfo2().fordblks)
