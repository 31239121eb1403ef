from __future__ import annotations

import pytest

from tests.data.videos import write_video


@pytest.fixture(scope="session")
def video_bytes(tmp_path_factory):
    """A whole small mp4, to be copied where many files are needed."""
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4").read_bytes()


@pytest.fixture
def touch():
    """Make empty files; enough where only names matter."""

    def make(root, *names):
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return root

    return make
