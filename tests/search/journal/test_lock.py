"""One process writes a run: real processes that hold it, end, and are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.search.fakes import make_plan
from tvnsearch.errors import UserError
from tvnsearch.search import Journal

REPOSITORY = Path(__file__).parents[3]
HOLD = """
import subprocess, sys
from pathlib import Path
from tvnsearch.search import Journal

with Journal.open(Path(sys.argv[1])):
    worker = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
    print(worker.pid, flush=True)
    sys.stdin.read()
    worker.kill()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    Journal.create(tmp_path / "run", make_plan()).close()
    return tmp_path / "run"


@pytest.fixture
def holder(run: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run, and has started a worker of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def worker_of(process: subprocess.Popen[str]) -> int:
    """Wait until the holder has the run; the number of its worker."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def opened_by_another(run: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys, pathlib, tvnsearch.search as s; s.Journal.open(pathlib.Path(sys.argv[1])).close()"
    return subprocess.run(
        [sys.executable, "-c", code, str(run)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def test_the_second_process_is_refused_and_told_who_holds_the_run(
    run: Path, holder: subprocess.Popen[str]
) -> None:
    worker = worker_of(holder)
    for _ in range(2):
        refused = opened_by_another(run)
        assert refused.returncode != 0
        assert f"process {holder.pid} on " in refused.stderr
    with pytest.raises(UserError, match=f"but process {holder.pid} on .*`tvnsearch status"):
        Journal.open(run)
    holder.communicate("")
    assert opened_by_another(run).returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_killed_holder_blocks_nobody_even_while_its_worker_lives_on(
    run: Path, holder: subprocess.Popen[str]
) -> None:
    worker = worker_of(holder)
    try:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert opened_by_another(run).returncode == 0
        with Journal.open(run) as journal:
            os.kill(worker, 0)
            assert journal.plan == make_plan()
            assert f"process {os.getpid()} on " in opened_by_another(run).stderr
    finally:
        os.kill(worker, signal.SIGKILL)


def test_whoever_held_it_before_is_not_named(run: Path) -> None:
    (run / "journal.lock").write_text("process 1 on a machine with a very long name " * 5)
    with Journal.open(run):
        refused = opened_by_another(run).stderr
    assert f"process {os.getpid()} on " in refused
    assert "process 1 on a machine" not in refused
    assert not (run / "journal.lock").read_text()
