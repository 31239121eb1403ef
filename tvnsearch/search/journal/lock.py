"""The lock on a run: one process writes it."""

from __future__ import annotations

import fcntl
import os
import platform
from contextlib import suppress
from pathlib import Path

from tvnsearch.errors import UserError
from tvnsearch.file_systems import NO_LOCKS
from tvnsearch.files import writing


def lock_run(run: Path) -> int:
    """Take the run for this process alone and return the file descriptor that holds the lock.

    The lock goes with :func:`unlock_run` or with the process, however that ends: who holds it is written in
    the file for others to read, and decides nothing.

    Raises:
        UserError: another process has it, it cannot be written, or its file system has no locks.
    """
    with writing(run, "or go on in a copy of it elsewhere"):
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
    except OSError as error:
        os.close(descriptor)
        if error.errno not in NO_LOCKS:
            raise
        raise UserError(
            f"expected to lock the run {run}, so that no other process writes it, but its file system has no "
            f"file locks ({error.strerror}); keep the run on a local disk, or mount the share with locks"
        ) from None
    _name_holder(descriptor, f"process {os.getpid()} on {platform.node()}")
    return descriptor


def unlock_run(descriptor: int) -> None:
    """Let go of the run that :func:`lock_run` took."""
    _name_holder(descriptor, "")
    os.close(descriptor)


def _name_holder(descriptor: int, holder: str) -> None:
    """Where the disk is full nobody is named."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
