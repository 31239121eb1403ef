"""The best that the yardstick has read on a device lately, kept between processes.

A process that starts on a busy machine has not seen it at its best, and would call every sample undisturbed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct

VALID_HOURS = 24.0
"""Older readings say little: virtual machines move, and processors are throttled or not."""


class Reference(Struct, frozen=True):
    """The best reading in ns, and when it was read, in seconds since 1970."""

    best_ns: int
    read_at: float


def reference_path(digest: str) -> Path:
    """Where the reference of a device is kept, by its fingerprint's digest."""
    return platformdirs.user_state_path("tvnsearch") / "yardstick" / f"{digest}.json"


def known_best_ns(digest: str) -> int | None:
    """The best reading of the last 24 hours; None where there is none, or it cannot be read."""
    try:
        reference = msgspec.json.decode(reference_path(digest).read_bytes(), type=Reference)
    except (OSError, msgspec.DecodeError):
        return None
    return reference.best_ns if time.time() - reference.read_at < VALID_HOURS * 3600 else None


def keep_best_ns(digest: str, best_ns: int) -> None:
    """Keep a reading that is better than the known one; where nothing can be written, nothing is kept."""
    known_ns = known_best_ns(digest)
    if known_ns is not None and known_ns <= best_ns:
        return
    path = reference_path(digest)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(msgspec.json.encode(Reference(best_ns, time.time())))
        unfinished.replace(path)
    except OSError:
        return
