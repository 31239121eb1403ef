"""Refuse a network that obviously does not fit before it is built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import BYTES_PER_VALUE, LayerCall
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace

USABLE_SHARE = 0.8
"""Of the free memory; the rest is for scratch space and for other processes."""


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
    return (3 * call.in_shape.values + 2 * call.out_shape.values + inner) * BYTES_PER_VALUE


def _free_bytes(device: Device) -> int:
    if device.name == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return min(_available_bytes(), _left_in_container_bytes())


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/meminfo does not tell the available memory")


def _left_in_container_bytes() -> int:
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used_bytes = int((group / "memory.current").read_text())
    except OSError:
        return 2**63
    return 2**63 if limit == "max" else int(limit) - used_bytes
