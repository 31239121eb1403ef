"""One timing at a time on each core and GPU, whoever times: searches and profilers wait for each other.

A lock is a file that a process has locked with ``flock``. The kernel gives it free when the process ends,
however it ends. Imports no torch until a GPU is asked for.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from tvnsearch.cores import usable_cores
from tvnsearch.devices.device import Device


class LockState(Struct, frozen=True):
    """Whether something is being timed on a core or GPU, and by which process, where that is known."""

    name: str
    held: bool
    pid: int | None = None


def timed_cores(device: Device) -> list[int]:
    """The cores that networks are timed on: the first serves most interrupts."""
    return usable_cores()[-device.threads :]


def lock_names(device: Device) -> list[str]:
    """What is locked while ``device`` is timed: its cores, or the GPU, whatever number a process gives it."""
    if device.name == "cpu":
        return [f"core {core}" for core in timed_cores(device)]
    cuda = importlib.import_module("torch").cuda
    return [f"gpu {cuda.get_device_properties(cuda.current_device()).uuid}"]


def lock_folder() -> Path:
    """Where the locks of this machine are, for all of its users."""
    return Path(tempfile.gettempdir()) / "tvnsearch-locks"


@contextmanager
def held(names: Iterable[str]) -> Iterator[None]:
    """Hold the locks, once all others have given them free; where there can be none, go on without.

    They are taken in the same order by all, so that no two processes wait for each other.
    """
    with ExitStack() as stack:
        for name in sorted(names):
            stack.enter_context(_held(name))
        yield


def lock_state(name: str) -> LockState:
    """Whether the lock is held at this moment."""
    try:
        file = os.open(_path(name), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return LockState(name, held=False)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.read(file, 20).decode(errors="replace").strip()
        return LockState(name, held=True, pid=int(written) if written.isdigit() else None)
    except OSError:  # a file system that knows no locks
        return LockState(name, held=False)
    finally:
        os.close(file)
    return LockState(name, held=False)


@contextmanager
def _held(name: str) -> Iterator[None]:
    try:
        file = _opened(_path(name))
    except OSError:
        yield  # a folder or file that this user may not open: a timing without a lock is better than none
        return
    try:
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        _write(file, str(os.getpid()))
        try:
            yield
        finally:
            _write(file, "")
    finally:
        os.close(file)


def _opened(path: Path) -> int:
    """The file, which any user may lock and write; made where it is not there.

    A file that is there is opened without asking for it to be made: in a folder of all users Linux refuses
    that to all but the file's owner (``fs.protected_regular``).
    """
    with suppress(FileExistsError):
        path.parent.mkdir()
        path.parent.chmod(0o1777)  # whatever the umask; only a file's owner may delete it
    with suppress(FileExistsError):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        os.fchmod(file, 0o666)
        return file
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _write(file: int, text: str) -> None:
    """Say who holds the lock, where this user may."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode(), 0)


def _path(name: str) -> Path:
    return lock_folder() / name.replace(" ", "-")
