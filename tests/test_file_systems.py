from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from tvnsearch import file_systems
from tvnsearch.file_systems import is_shared, lacks_locks


@pytest.mark.parametrize(
    ("kind", "shared"),
    [
        ("nfs4", True),
        ("cifs", True),
        ("lustre", True),
        ("fuse.sshfs", True),
        ("fuse", True),
        ("ext4", False),
        ("fuseblk", False),
        ("overlay", False),
    ],
)
def test_whether_machines_share_a_folder_is_told_by_the_mount_nearest_above(
    kind: str, shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "the share"
    (share / "runs").mkdir(parents=True)
    (tmp_path / "link").symlink_to(share)
    written = str(share).replace(" ", "\\040")
    table = tmp_path / "mounts"
    table.write_text(
        f"server:/export {written} {kind} rw 0 0\nnone {tmp_path} nfs rw 0 0\n/dev/sda / ext4 rw 0 0\n"
    )
    monkeypatch.setattr(file_systems, "MOUNTS", table)
    assert is_shared(share / "runs" / "one") is shared
    assert is_shared(tmp_path / "link" / "runs") is shared
    assert is_shared(tmp_path / "the share of another")
    assert not is_shared(Path("/"))


def test_a_mount_over_another_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda {tmp_path} ext4 rw 0 0\nserver:/x {tmp_path} nfs rw 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", table)
    assert is_shared(tmp_path)


def test_without_a_table_of_mounts_nothing_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "none")
    assert not is_shared(tmp_path)


def test_locks_that_a_file_system_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not lacks_locks(tmp_path)
    assert not lacks_locks(tmp_path / "missing")

    def refuse(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert lacks_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []
