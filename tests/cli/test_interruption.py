"""Ctrl-C, SIGTERM and SIGHUP in commands on a run: real processes, real signals, a real terminal."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def interrupted(folder: Path, slow: int, *words: str, by: signal.Signals = signal.SIGINT) -> str:
    """What a command says that gets a signal in the middle of training number ``slow``."""
    with command(folder, slow, *words) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line == "slow now\n":
                process.send_signal(by)
        assert process.wait() == 128 + by, said
    assert "Traceback" not in said
    return said


@pytest.fixture(autouse=True)
def signals_as_usual() -> Iterator[None]:
    """Commands inherit what is ignored here, which nohup has seen to where tests run under it."""
    former = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


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


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_asked_to_end_says_what_is_kept_and_ends(folder: Path, by: signal.Signals) -> None:
    last = interrupted(folder, 5, "evolve", *options(folder), "--run", "run", by=by).splitlines()[-1]
    assert "interrupted; 2 of 8 networks are trained" in last
    assert last.endswith("all of that is kept in run, and `tvnsearch resume run` goes on")
    assert status(folder / "run").trained == 2


@contextmanager
def in_a_terminal(folder: Path, slow: int, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command in a terminal of its own, and the far end of that."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.searching_process", str(folder), str(slow), *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no other thread is here
    ) as process:
        os.close(theirs)
        yield process, ours


def shown(terminal: int, until: bytes = b"") -> bytes:
    """What comes out of a terminal, up to some words or to its end."""
    said = b""
    with suppress(OSError):  # nobody has the other end any more
        while not (until and until in said) and (more := os.read(terminal, 1000)):
            said += more
    return said


def test_a_terminal_keeps_the_last_view_and_gets_its_cursor_back(folder: Path) -> None:
    with in_a_terminal(folder, 6, "evolve", *options(folder), "--run", "run") as (process, terminal):
        said = shown(terminal, b"slow now")
        process.send_signal(signal.SIGTERM)
        said += shown(terminal)
        os.close(terminal)
        assert process.wait() == 128 + signal.SIGTERM
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l") > 0
    view = said[said.rfind(b"3 of 8 trained") :]
    assert b"workers training" in view
    assert b"interrupted; 3 of 8 networks are trained" in view
    assert b"\x1b[1A" not in view and b"\x1b[2K" not in view


def test_a_terminal_that_is_closed_ends_the_command_in_order(folder: Path) -> None:
    with in_a_terminal(folder, 6, "evolve", *options(folder), "--run", "run") as (process, terminal):
        shown(terminal, b"slow now")
        os.close(terminal)
        assert process.wait() == 128 + signal.SIGHUP
    assert status(folder / "run").trained == 3


def test_a_hangup_that_is_ignored_stays_so(folder: Path) -> None:
    """As nohup wants it."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = command(folder, 5, "evolve", *options(folder), "--run", "run")
    finally:
        signal.signal(signal.SIGHUP, former)
    with running as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line == "slow now\n":
                break
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
