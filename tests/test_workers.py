from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tvnsearch.errors import UserError
from tvnsearch.workers import ASLEEP_WHILE_WAITING, Worker, WorkerDiedError, WorkerFailedError

MODULE = "tests.echo_worker"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_answers_with_its_allocator_pinned() -> None:
    heard: list[object] = []
    with Worker(MODULE, threads=1) as worker:
        answer = worker.call("echo", {"value": [1, "ä", None]}, heard.append)
        assert answer["value"] == [1, "ä", None]
        assert int(answer["threshold"]) > 2**30
        assert heard == [{"share": 0.5}]
        assert worker.call("echo", {"value": 2})["pid"] == answer["pid"] != os.getpid()
    assert not _is_alive(answer["pid"])


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing of threads."""
    for name in ("OMP_NUM_THREADS", *ASLEEP_WHILE_WAITING):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def waiting(shares_cores: bool) -> Any:
    with Worker(MODULE, threads=2, shares_cores=shares_cores) as worker:
        return worker.call("environment", {"names": list(ASLEEP_WHILE_WAITING)})


def test_threads_that_train_sleep_while_they_wait_and_those_that_are_timed_do_not(
    unset: pytest.MonkeyPatch,
) -> None:
    assert waiting(shares_cores=True) == {
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "KMP_BLOCKTIME": "0",
    }
    assert set(waiting(shares_cores=False).values()) == {None}


def test_a_user_says_how_threads_wait(unset: pytest.MonkeyPatch) -> None:
    unset.setenv("OMP_WAIT_POLICY", "ACTIVE")
    for shares_cores in (True, False):
        assert waiting(shares_cores) == {
            "OMP_WAIT_POLICY": "ACTIVE",
            "GOMP_SPINCOUNT": None,
            "KMP_BLOCKTIME": None,
        }


def test_errors_keep_their_kind_and_the_worker_goes_on() -> None:
    with Worker(MODULE, threads=1) as worker:
        with pytest.raises(UserError, match="expected more, got less"):
            worker.call("refuse", {})
        with pytest.raises(WorkerFailedError, match="ValueError: a bug"):
            worker.call("fail", {})
        assert worker.call("echo", {"value": 1})["value"] == 1


def test_a_dying_worker_is_noticed() -> None:
    with Worker(MODULE, threads=1) as worker:
        with pytest.raises(WorkerDiedError, match="code 7"):
            worker.call("die", {})
        with pytest.raises(WorkerDiedError):
            worker.call("echo", {"value": 1})


def test_a_worker_stands_still_and_goes_on(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks"
    ticks.touch()

    def grows() -> bool:
        before = ticks.stat().st_size
        time.sleep(0.1)
        return ticks.stat().st_size > before

    with Worker(MODULE, threads=1) as worker, ThreadPoolExecutor(1) as threads:
        done = threads.submit(worker.call, "tick", {"file": str(ticks), "seconds": 60})
        while not grows():
            pass
        worker.pause()
        grows()  # the signal is on its way
        assert not grows()
        worker.resume()
        grows()
        assert grows()
        worker.pause()
        worker.close()
        with pytest.raises(WorkerDiedError):
            done.result()


@pytest.mark.parametrize("pause", ["", "worker.pause()"])
def test_no_worker_outlives_a_killed_driver(pause: str) -> None:
    code = (
        "from tvnsearch.workers import Worker\n"
        f"worker = Worker('{MODULE}', 1)\n"
        "pid = worker.call('echo', {'value': 0})['pid']\n"
        f"{pause}\n"
        "print(pid, flush=True)\n"
        "worker.call('sleep', {'seconds': 60})\n"
    )
    assert _ends_with_its_driver(code)


def test_a_worker_that_is_stopped_while_it_imports_does_not_outlive_a_killed_driver_either() -> None:
    code = (
        "import time\n"
        "from tvnsearch.workers import Worker\n"
        "worker = Worker('tests.importing_worker', 1)\n"
        "time.sleep(0.5)\n"
        "worker.pause()\n"
        "print(worker._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    assert _ends_with_its_driver(code)


def _ends_with_its_driver(code: str) -> bool:
    """Whether the worker whose process a driver prints ends when that driver is killed."""
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert driver.stdout
    pid = int(driver.stdout.readline())
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    deadline = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _is_alive(pid)
