"""What the file system of a folder can do: whether machines share it, and whether its files can be locked."""

from __future__ import annotations

import errno
import fcntl
import re
import tempfile
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")

SHARED_KINDS = frozenset(
    [
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs"),
        *("vboxsf", "virtiofs", "wekafs"),
    ]
)
"""File systems that several machines may have mounted, by their names in Linux; so may any of FUSE."""

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What locking a file fails with where the file system, or its server, has no locks."""


def is_shared(path: Path) -> bool:
    """Whether other machines may have the file system of ``path`` mounted too; False where none is known."""
    kind = _kind(path.resolve())
    return kind in SHARED_KINDS or kind == "fuse" or kind.startswith("fuse.")


def lacks_locks(folder: Path) -> bool:
    """Whether a file in ``folder`` cannot be locked; False where none can be made to try that."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS
    return False


def _kind(path: Path) -> str:
    """The kind of the file system that is mounted nearest above ``path``."""
    nearest, kind = Path("/"), ""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return kind
    for line in lines:
        _, written, mounted, *_ = line.split(" ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), written))
        if path.is_relative_to(point) and len(point.parts) >= len(nearest.parts):
            nearest, kind = point, mounted
    return kind
