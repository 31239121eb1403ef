"""The best that the yardstick and the gauge of memory have read on a device lately, kept between processes.

A process that starts on a busy machine has not seen it at its best, and would call every sample undisturbed.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.devices.timing import quantile
from tvnsearch.user_folders import user_folder_or_temporary

VALID_HOURS = 24.0
"""Older readings say little: virtual machines move, and processors are throttled or not."""

KEPT_COPIES = 100
USUAL_BEST_SHARE = 0.1
"""The quickest tenth of the copies are luck; what a machine does at its best lies where they end."""


class Copy(Struct, frozen=True):
    """The median copy of one process, in ns, and when it was last read, in seconds since 1970."""

    process: str
    copy_ns: int
    read_at: float


class Reference(Struct, frozen=True):
    """The yardstick's best reading, when it was read, and the copies of the latest processes."""

    best_ns: int | None = None
    read_at: float = 0.0
    copies: tuple[Copy, ...] = ()


def reference_path(digest: str) -> Path:
    """Where the reference of a device is kept, by its fingerprint's digest."""
    return user_folder_or_temporary(platformdirs.user_state_path, "yardstick") / f"{digest}.json"


def known_best_ns(digest: str) -> int | None:
    """The yardstick's best reading of the last 24 hours; None where there is none, or it cannot be read."""
    reference = _read(digest)
    return reference.best_ns if _is_valid(reference.read_at) else None


def keep_best_ns(digest: str, best_ns: int) -> None:
    """Keep a reading that is better than the known one; where nothing can be written, nothing is kept."""
    known_ns = known_best_ns(digest)
    if known_ns is None or best_ns < known_ns:
        _write(digest, replace(_read(digest), best_ns=best_ns, read_at=time.time()))


def best_copy_ns(digest: str) -> int | None:
    """How long a copy takes when memory is at its best, as processes of the last 24 hours have it."""
    copies_ns = [copy.copy_ns for copy in _read(digest).copies if _is_valid(copy.read_at)]
    return round(quantile(copies_ns, USUAL_BEST_SHARE)) if copies_ns else None


def keep_copy_ns(digest: str, process: str, copy_ns: int) -> None:
    """Keep the median copy of a process; where nothing can be written, nothing is kept.

    It takes the place of what the same ``process``, named as no other is, had before: one that goes on for
    hours would else push out all others, and a slow phase of its own would be the device's best.
    """
    reference = _read(digest)
    others = [copy for copy in reference.copies if copy.process != process]
    copies = (*others, Copy(process, copy_ns, time.time()))[-KEPT_COPIES:]
    _write(digest, replace(reference, copies=copies))


def _is_valid(read_at: float) -> bool:
    """A reading of the future is of a clock that was wrong, and nobody knows how old it is."""
    return 0 <= time.time() - read_at < VALID_HOURS * 3600


def _read(digest: str) -> Reference:
    try:
        return msgspec.json.decode(reference_path(digest).read_bytes(), type=Reference)
    except (OSError, msgspec.DecodeError):
        return Reference()


def _write(digest: str, reference: Reference) -> None:
    path = reference_path(digest)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(msgspec.json.encode(reference))
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
