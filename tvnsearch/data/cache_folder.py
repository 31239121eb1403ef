"""The folder of a cache: what lies where in it, who is at work there, and which lists of clips refer to it.

videos/      stored videos, named after the digest of their source's content and the size they are made at
names/       links to them, by path, size and time of change of what they were made from
manifests/   lists of clips (`manifest`), and links to those that runs and trainings keep in their folders
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tvnsearch.files import write_whole

VIDEOS, NAMES, MANIFESTS = "videos", "names", "manifests"
MANIFEST_SUFFIX = ".manifest"


def make_cache_folder(directory: Path) -> None:
    """Make the folder with all that belongs in it.

    Raises OSError when it cannot be made.
    """
    for name in (VIDEOS, NAMES, MANIFESTS):
        (directory / name).mkdir(parents=True, exist_ok=True)
    with locking(directory / "id.lock"):
        if not (directory / "id").is_file():
            write_whole(directory / "id", secrets.token_hex(8).encode())


def cache_id(directory: Path) -> str:
    """What tells this cache from that of another machine; empty where there is none yet."""
    try:
        return (directory / "id").read_text()
    except OSError:
        return ""


def new_manifest_path(directory: Path, data: str) -> Path:
    """Where the list of a data set goes that this process alone writes; `data` says which data set it is."""
    return directory / MANIFESTS / f"{data}-{os.getpid()}-{secrets.token_hex(4)}{MANIFEST_SUFFIX}"


def latest_manifest(directory: Path, data: str) -> Path | None:
    """The list of a data set that was written last; None where there is none."""
    found: list[tuple[int, Path]] = []
    for path in (directory / MANIFESTS).glob(f"{data}-*{MANIFEST_SUFFIX}"):
        with suppress(OSError):  # it has just been removed
            found.append((path.stat().st_mtime_ns, path))
    return max(found, default=(0, None))[1]


def remove_superseded(directory: Path, data: str) -> None:
    """Remove the cache's own lists of a data set but the latest and those that a process has open."""
    latest = latest_manifest(directory, data)
    for path in (directory / MANIFESTS).glob(f"{data}-*{MANIFEST_SUFFIX}"):
        if path != latest and not is_in_use(path):
            path.unlink(missing_ok=True)


def refer_to(directory: Path, manifest: Path) -> None:
    """Have the cache know of a list of clips that is used, wherever it lies; its entry tells when it was."""
    entry = directory / MANIFESTS / manifest.name
    with suppress(OSError):  # a cache that may only be read
        if manifest.parent.resolve() != entry.parent.resolve():
            where = manifest.absolute()
            digest = hashlib.blake2b(os.fsencode(where), digest_size=8).hexdigest()
            entry = entry.with_name(f"kept-{digest}{MANIFEST_SUFFIX}")
            with suppress(FileExistsError):
                entry.symlink_to(where)
        os.utime(entry, follow_symlinks=False)


def is_in_use(manifest: Path) -> bool:
    """Whether a process has a list of clips open."""
    try:
        with manifest.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # it is, or that cannot be known
        return True
    return False


@contextmanager
def locking(path: Path, shared: bool = False, waits: bool = True) -> Iterator[None]:
    """Hold a lock on a file as long as the context lasts; several may hold a shared one.

    Where the file system has no locks nothing is held. Raises BlockingIOError when somebody else holds it and
    `waits` is False.
    """
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if waits else fcntl.LOCK_NB)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, kind)
        except BlockingIOError:
            raise
        except OSError:
            pass
        yield


def preparing(directory: Path) -> Path:
    """The file that is locked, shared, by who stores videos in a cache, and by who removes some, alone."""
    return directory / "preparing.lock"
