from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.disks import fill, small_disk
from tvnsearch.errors import UserError
from tvnsearch.files import copy_whole, write_whole, writing


def test_a_file_is_replaced_whole_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    write_whole(path, b"first")
    write_whole(path, b"second")
    copy_whole(path, tmp_path / "copy")
    assert path.read_bytes() == (tmp_path / "copy").read_bytes() == b"second"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_full_disk_keeps_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256) as disk:
        write_whole(disk / "file", b"former")
        filler = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            write_whole(disk / "file", bytes(100_000))
        assert sorted(path.name for path in disk.iterdir()) == ["file", "filler"]
        assert (disk / "file").read_bytes() == b"former"
        filler.unlink()
        write_whole(disk / "file", bytes(100_000))
        assert (disk / "file").stat().st_size == 100_000


def test_content_and_names_are_on_the_disk_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content before it gets its name; then the name; and the names of new folders."""
    synced: list[tuple[str, bool]] = []
    target = tmp_path / "new" / "file"

    def sync(file: int) -> None:
        synced.append((Path(f"/proc/self/fd/{file}").readlink().name, target.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    write_whole(target, b"content")
    assert [name for name, _ in synced if not name.endswith(".part")] == [tmp_path.name, "new"]
    [(part, was_there)] = [one for one in synced if one[0].endswith(".part")]
    assert part.startswith(".file.")
    assert not was_there
    assert synced[-1] == ("new", True)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_syncs_no_folders_will_do(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync(file: int) -> None:
        if Path(f"/proc/self/fd/{file}").readlink().is_dir():
            raise OSError(number, "not here")

    monkeypatch.setattr(os, "fsync", sync)
    write_whole(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_disk_that_fails_while_it_syncs_keeps_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "file", b"former")

    def fail(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_whole(tmp_path / "file", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"former"


def test_what_a_killed_process_began_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    old, new, others = (tmp_path / f".{name}.part" for name in ("file.1", "file.2", "other.1"))
    for part in (old, new, others):
        part.write_bytes(b"half")
    for part in (old, others):
        os.utime(part, (1e9, 1e9))
    write_whole(tmp_path / "file", b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".file.2.part", ".other.1.part", "file"]


def test_what_keeps_a_file_from_being_written_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(
            UserError,
            match=f"expected to write {tmp_path}, but .*it is a folder.*; see what is there, or name another",
        ),
        writing(tmp_path, "or name another"),
    ):
        write_whole(tmp_path, b"content")


@pytest.mark.parametrize(
    ("number", "what_to_do"),
    [
        (errno.ENOSPC, "make room, or choose another place"),
        (errno.EROFS, "make it writable, or choose another place"),
        (errno.EIO, "see what is there, or choose another place"),
    ],
)
def test_what_to_do_depends_on_what_is_wrong(number: int, what_to_do: str) -> None:
    with pytest.raises(UserError) as told, writing(Path("here")):
        raise OSError(number, os.strerror(number))
    assert str(told.value) == f"expected to write here, but that failed ({os.strerror(number)}); {what_to_do}"
