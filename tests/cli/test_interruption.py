"""Ctrl-C in commands on a run: a real process, a real SIGINT."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.equipment import SMALL
from tvnsearch.api.status import status

REPOSITORY = Path(__file__).parents[2]


def options(folder: Path) -> list[str]:
    (folder / "clips").mkdir(exist_ok=True)
    here = {"data": folder / "clips", "db": folder / "latency.sqlite"}
    return [
        word for name, value in (SMALL | here).items() for word in (f"--{name.replace('_', '-')}", f"{value}")
    ]


def command(folder: Path, slow: int, *words: str) -> subprocess.Popen[str]:
    """A command in ``folder``, whose trainings are slow from number ``slow`` on."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.searching_process", str(folder), str(slow), *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(folder: Path, slow: int, *words: str) -> str:
    """What a command says that gets Ctrl-C in the middle of training number ``slow``."""
    with command(folder, slow, *words) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line == "slow now\n":
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130, said
    assert "Traceback" not in said
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_an_interrupted_search_says_what_is_kept_and_how_it_goes_on(folder: Path) -> None:
    """Three short trainings are timed before it begins; no folder was named, and the words given go on."""
    said = interrupted(folder, 6, "evolve", *options(folder))
    [run] = (folder / "runs").iterdir()
    told = f"the run is in runs/{run.name}; if it is interrupted, `tvnsearch resume runs/{run.name}` goes on"
    assert told in said
    last = said.splitlines()[-1]
    found = re.fullmatch(
        r"tvnsearch: interrupted; 3 of 8 networks are trained, and (\d+) measured: all of that is kept in "
        rf"runs/{run.name}, and `tvnsearch (resume runs/{run.name})` goes on",
        last,
    )
    assert found is not None, last
    assert (status(run).trained, int(found[1]) >= 3) == (3, True)

    again = interrupted(folder, 2, *found[2].split())
    assert "interrupted; 5 of 8 networks are trained" in again
    with command(folder, 99, *found[2].split()) as process:
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
    assert "8 trained" in printed

    finals = interrupted(folder, 1, "finalists", f"runs/{run.name}", "--count", "2")
    assert "1 of them at full length, and" in finals
    assert f"`tvnsearch finalists runs/{run.name} --count 2` goes on" in finals.splitlines()[-1]
