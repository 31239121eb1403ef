from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.disks import read_only
from tvnsearch.user_folders import or_temporary


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def test_a_home_that_can_be_written_is_used_before_its_folders_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".cache" / "tvnsearch"
    assert or_temporary(folder) == folder


def test_without_a_home_a_temporary_folder_of_this_user_is_used(tmp_path: Path) -> None:
    expected = tmp_path / "temporary" / f"tvnsearch-{os.getuid()}" / "clips"
    assert or_temporary(Path("~/.cache/tvnsearch/clips")) == expected
    (tmp_path / "home").mkdir()
    with read_only(tmp_path / "home") as home:
        assert or_temporary(home / ".cache" / "clips") == expected
