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

from tvnsearch import workers
from tvnsearch.errors import UserError
from tvnsearch.workers import (
    ASLEEP_WHILE_WAITING,
    EnvironmentFailedError,
    Worker,
    WorkerDiedError,
    WorkerFailedError,
)

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


def test_a_worker_takes_names_of_files_that_are_no_text() -> None:
    name = os.fsdecode(b"caf\xe9/\xff")
    with Worker(MODULE, threads=1) as worker:
        assert worker.call("echo", {"value": [name, "ä", None, 1.5]})["value"] == [name, "ä", None, 1.5]


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


def test_what_no_request_could_have_done_is_the_environments_fault(tmp_path: Path) -> None:
    with Worker(MODULE, threads=1) as worker:
        with pytest.raises(EnvironmentFailedError, match=r"FileNotFoundError: .*No such file"):
            worker.call("write", {"path": str(tmp_path / "none" / "file")})
        with pytest.raises(WorkerFailedError, match="Cannot allocate memory") as failed:
            worker.call("run_out_of_memory", {})
        assert not isinstance(failed.value, EnvironmentFailedError)
        worker.call("write", {"path": str(tmp_path / "file")})


def test_a_worker_that_cannot_start_is_not_the_requests_fault() -> None:
    with (
        Worker("tests.no_such_module", threads=1) as worker,
        pytest.raises(
            EnvironmentFailedError, match=r"could not start.* code 1: .*No module named tests\.no_such_module"
        ),
    ):
        worker.call("echo", {"value": 1})


def test_a_dying_worker_is_noticed() -> None:
    with Worker(MODULE, threads=1) as worker:
        with pytest.raises(WorkerDiedError, match="code 7"):
            worker.call("die", {})
        with pytest.raises(WorkerDiedError):
            worker.call("echo", {"value": 1})


SPOILT = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\nprint('not JSON')\n"


@pytest.mark.parametrize("before", ["", os.pathsep])
def test_modules_of_the_working_directory_do_not_run(
    before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as `export PYTHONPATH=$PYTHONPATH:/folder` leaves it where it was not set
    monkeypatch.setenv("PYTHONPATH", before + os.environ["PYTHONPATH"])
    for name in ("statistics", "random", "queue", "struct", "msgspec", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(SPOILT)
    monkeypatch.chdir(tmp_path)
    with Worker(MODULE, threads=1) as worker:
        assert worker.call("echo", {"value": 1})["value"] == 1
        started = worker.call("start_python", {"code": "import queue, statistics"})
    assert started == 0
    assert not (tmp_path / "ran").exists()


def test_no_command_runs_modules_of_the_folder_that_it_is_given_in(tmp_path: Path) -> None:
    for name in ("statistics", "random", "queue"):
        (tmp_path / f"{name}.py").write_text(SPOILT)
    command = [str(Path(sys.executable).with_name("tvnsearch")), "measure", "tvn-1", "--max-seconds", "0.5"]
    measured = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert measured.returncode == 0, measured.stderr
    assert not (tmp_path / "ran").exists()


def test_what_is_printed_while_a_worker_imports_disturbs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('{\"result\": 0}')\nprint('no JSON', flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with Worker(MODULE, threads=1) as worker:
        assert worker.call("echo", {"value": 1})["value"] == 1
        with pytest.raises(WorkerDiedError, match=r"code 7: .*no JSON"):
            worker.call("die", {})


def test_a_worker_that_is_killed_is_not_said_to_have_lacked_memory() -> None:
    with Worker(MODULE, threads=1) as worker:
        os.kill(worker.call("echo", {"value": 1})["pid"], signal.SIGKILL)
        with pytest.raises(WorkerDiedError, match=r"code -9 \(SIGKILL\)") as death:
            worker.call("echo", {"value": 1})
    assert "memory" not in str(death.value)
    assert not death.value.for_memory


def test_a_worker_that_the_kernel_kills_for_lack_of_memory_is_said_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kills = iter([3, 4])
    monkeypatch.setattr(workers, "memory_kills", lambda: next(kills))
    with Worker(MODULE, threads=1) as worker:
        os.kill(worker.call("echo", {"value": 1})["pid"], signal.SIGKILL)
        with pytest.raises(WorkerDiedError, match="killed for lack of memory") as death:
            worker.call("echo", {"value": 1})
    assert death.value.for_memory


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
