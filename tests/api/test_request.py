"""A run that is gone on with is the one that was asked for, whatever became of the files named then."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.api.requests import REQUEST
from tests.search.fakes import make_plan
from tvnsearch.api.request import Request, check_same_request
from tvnsearch.api.search_clips import requested_clips
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.genome.space import load_space
from tvnsearch.search import Journal

RESOLUTION = "resolution = { min = 16, max = %d, step = 16 }\n"


@pytest.fixture
def request_in_file(tmp_path: Path) -> Request:
    space = tmp_path / "space.toml"
    space.write_text(RESOLUTION % 32)
    return msgspec.structs.replace(REQUEST, space=str(space), data=str(tmp_path / "clips"))


def begin(request: Request, run: Path) -> None:
    plan = make_plan(space=load_space(request.space), setup=msgspec.to_builtins(request))
    Journal.create(run, plan).close()


def test_a_space_file_that_has_changed_is_not_that_of_the_run(
    request_in_file: Request, tmp_path: Path
) -> None:
    begin(request_in_file, tmp_path / "run")
    assert check_same_request(request_in_file, tmp_path / "run")
    Path(request_in_file.space).write_text(RESOLUTION % 48)
    with pytest.raises(UserError, match=r"search space that the run .* says another one by now"):
        check_same_request(request_in_file, tmp_path / "run")


def test_clips_are_those_of_the_space_in_the_journal(
    request_in_file: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generate(tmp_path / "clips", ClipsPerClass(2, 1, 1), digits=[0])
    begin(request_in_file, tmp_path / "run")
    Path(request_in_file.space).unlink()
    with Journal.read(tmp_path / "run") as journal:
        _, source = requested_clips(request_in_file, journal.plan.space)
    assert source.resolution == 32
