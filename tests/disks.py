"""Disks as users have them: small ones that fill up, and read-only ones. They take root to be mounted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A disk of so many kB, mounted at ``folder``, which is made."""
    folder.mkdir()
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"):
        yield folder


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """What is in ``folder`` may only be read meanwhile, also by root."""
    with _mounted(folder, "--bind", str(folder)):
        _mount("-o", "remount,ro,bind", str(folder))
        yield folder


def fill(disk: Path) -> Path:
    """Fill a disk to its last byte; the file that does so."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


@contextmanager
def _mounted(folder: Path, *words: str) -> Iterator[None]:
    _mount(*words, str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*words: str) -> None:
    try:
        subprocess.run(["mount", *words], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a disk takes root")
