"""Processes that train one network together, as torchrun starts them; usually there is one alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from msgspec import Struct
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tvnsearch.errors import UserError
from tvnsearch.files import write_whole

LOOK_EVERY_S = 0.5


class Team(Struct, frozen=True):
    """Which of `size` processes this is; the first, of rank 0, writes files and talks to people."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def join(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are means over the team; weights and buffers are those of rank 0."""
        return network if self.size == 1 else DistributedDataParallel(network)

    def mean(self, value: float, device: str) -> float:
        """The mean of a number over the team."""
        return self._reduced(value, device) / self.size

    def share(self, value: float, device: str) -> float:
        """The number that rank 0 gave."""
        return self._reduced(value if self.leads else 0.0, device)

    def _reduced(self, value: float, device: str) -> float:
        if self.size == 1:
            return value
        # gloo and NCCL add up float64 alike on every rank, so that all decide alike
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total)


ALONE = Team()


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun started."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def leads_torchrun() -> bool:
    """Whether this is the first of the processes that torchrun started, before they are a team."""
    return os.environ["RANK"] == "0"


def say_ready(path: Path) -> None:
    """Tell the other processes that torchrun started, who see the file at `path` too, to go on."""
    write_whole(path, _launch())


def wait_until_ready(path: Path) -> None:
    """Wait for the first process to say so, however long that takes; torchrun ends this one if it fails."""
    while True:
        with suppress(OSError):
            if path.read_bytes() == _launch():
                return
        time.sleep(LOOK_EVERY_S)


def _launch() -> bytes:
    """What the processes of one start of torchrun have in common: files that others left say nothing."""
    names = ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT")
    return "\n".join(os.environ.get(name, "") for name in names).encode()


@contextmanager
def team_of_torchrun(device: str) -> Iterator[tuple[Team, str]]:
    """The team of this process, and its own device: one GPU a process, or the CPU for all.

    Raises UserError when there are fewer GPUs than processes on this machine.
    """
    if torch.device(device).type == "cuda":
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise UserError(
                f"expected a GPU for each process, but process {local + 1} of this machine finds "
                f"{torch.cuda.device_count()}; give torchrun a smaller --nproc-per-node"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if device != "cpu" else "gloo")
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()
