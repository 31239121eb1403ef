"""Files that are written whole and kept through a loss of power, or not written at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from tvnsearch.errors import UserError

REMAINS_SECONDS = 3600.0
"""What was begun so much before a whole file came is of a process that was killed."""

_MENDED = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make it writable"),
}

NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What file systems say that cannot put a folder on the disk by itself."""


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``: on the disk, with its folder, when this returns, or not at all.

    Then what was there stays, and nothing of what was begun. Folders are made as needed. What a killed
    process has begun goes when the file is next written.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    _check_kind(path)
    _make_folder(path.parent)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        _sync(part)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)
    _remove_remains(path)


def check_place(path: Path) -> None:
    """Find out before long work whether :func:`write_whole` could write to ``path``, as far as that shows.

    Raises:
        OSError: it could not.
    """
    _check_kind(path)
    nearest = path.parent
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
    if not os.access(nearest, os.W_OK):
        number = errno.EROFS if os.statvfs(nearest).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(number, os.strerror(number), str(nearest))


def copy_whole(source: Path, target: Path) -> None:
    """Put a copy of ``source`` at ``target`` as :func:`write_whole` does.

    Raises:
        OSError: ``source`` cannot be read, or ``target`` written.
    """
    write_whole(target, source.read_bytes())


def as_text(name: str | Path) -> str:
    """The name of a file as a text; bytes that are no UTF-8 come as Python writes them, ``\\xe9``."""
    return os.fsencode(name).decode(errors="backslashreplace")


def require_text(name: str, what: str) -> None:
    """Refuse the name of a file, that of ``what``, which cannot be written down as it is no UTF-8.

    Raises:
        UserError: it is none.
    """
    if as_text(name) != name:
        raise UserError(
            f"expected a name in UTF-8 for {what}, as it is written down, but got {as_text(name)}; give it "
            "another name, or make a link to it and give that"
        )


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in ``folder``, which it may do later than the files that they name.

    Raises:
        OSError: the disk fails.
    """
    try:
        _sync(folder)
    except PermissionError:  # a folder that may be written and not read
        return
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


@contextmanager
def writing(place: Path, then: str = "or choose another place") -> Iterator[None]:
    """Files are written to ``place``, a folder or a file: say in one sentence what kept them from it.

    What to do about that is said by the error, and ``then`` goes on with it.

    Raises:
        UserError: one could not be written.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"expected to write {place}, but that failed ({error.strerror or error}); "
            f"{_MENDED.get(error.errno or 0, 'see what is there')}, {then}"
        ) from None


def _check_kind(path: Path) -> None:
    """What is there must be a file: a device or a pipe would be replaced by one."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "it is no file that could be replaced", str(path))


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _remove_remains(path: Path) -> None:
    """Both times are the file system's, whatever clock a machine that shares it has."""
    with suppress(OSError):
        written_at = path.stat().st_mtime
        for part in path.parent.glob(f".{escape(path.name)}*.part"):
            if part.stat().st_mtime < written_at - REMAINS_SECONDS:
                part.unlink()
