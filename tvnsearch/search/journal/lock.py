"""The lock on a run: one process writes it."""

from __future__ import annotations

import fcntl
import os
import platform
from pathlib import Path

from tvnsearch.errors import UserError


def lock_run(run: Path) -> int:
    """Take the run for this process alone and return the file descriptor that holds the lock.

    The lock goes with :func:`unlock_run` or with the process, however that ends: who holds it is written in
    the file for others to read, and decides nothing.

    Raises:
        UserError: another process has it.
    """
    descriptor = os.open(run / "journal.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 300, 0).decode(errors="replace") or "another process"
        os.close(descriptor)
        raise UserError(
            f"expected to write the run {run} alone, but {holder} is writing it; wait for it or stop "
            f"it, and watch it meanwhile with `tvnsearch status {run}`"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {platform.node()}".encode(), 0)
    return descriptor


def unlock_run(descriptor: int) -> None:
    """Let go of the run that :func:`lock_run` took."""
    os.ftruncate(descriptor, 0)
    os.close(descriptor)
