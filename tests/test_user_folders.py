from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disks import read_only
from tvnsearch.user_folders import user_folder, user_folder_or_temporary


def told(path: Path) -> Callable[[str], Path]:
    return lambda name: path / name


def refused(name: str) -> Path:
    raise RuntimeError("could not determine the home directory")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's temporary folder of clips is."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary" / f"tvnsearch-{os.getuid()}" / "clips"


def test_a_home_that_can_be_written_is_used_before_its_folders_are_there(tmp_path: Path) -> None:
    home = tmp_path / "home" / ".cache"
    assert user_folder(told(home)) == home / "tvnsearch"
    assert user_folder_or_temporary(told(home), "clips") == home / "tvnsearch" / "clips"


@pytest.mark.parametrize("find", [refused, told(Path("~/.cache"))])
def test_without_a_home_there_is_a_temporary_folder(find: Callable[[str], Path], temporary: Path) -> None:
    assert user_folder(find) is None
    assert user_folder_or_temporary(find, "clips") == temporary


def test_a_home_that_cannot_be_written_is_no_place_for_new_files(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "home").mkdir()
    with read_only(tmp_path / "home") as home:
        assert user_folder(told(home / ".cache")) == home / ".cache" / "tvnsearch"
        assert user_folder_or_temporary(told(home / ".cache"), "clips") == temporary
