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


def without_locks(folder: Path) -> dict[str, str]:
    """What to add to the environment of a process so that it can lock no file, as on some shares."""
    source, library = folder / "without_locks.c", folder / "without_locks.so"
    source.write_text(WITHOUT_LOCKS)
    try:
        command = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("doing without locks takes a compiler of C")
    return {"LD_PRELOAD": str(library)}


WITHOUT_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <fcntl.h>

static int refuse(const char *name, int file, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW || command == 37 || command == 38) {
        errno = ENOLCK;
        return -1;
    }
    int (*known)(int, int, ...) = dlsym(RTLD_NEXT, name);
    return known(file, command, argument);
}

#define INSTEAD_OF(name) \
    int name(int file, int command, ...) { \
        va_list rest; \
        va_start(rest, command); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        return refuse(#name, file, command, argument); \
    }

INSTEAD_OF(fcntl)
INSTEAD_OF(fcntl64)
"""
"""Numbers 37 and 38 are locks of open files (F_OFD_SETLK). ``flock`` works, as it does on some shares."""


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
