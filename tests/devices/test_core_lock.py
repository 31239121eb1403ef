"""Timings wait for each other, in real processes that are really killed."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tvnsearch.devices import Device, Meter, core_lock
from tvnsearch.devices.core_lock import held, lock_folder, lock_names, lock_state
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv

HOLD = """
import sys, time
from tvnsearch.devices.core_lock import held
with held(sys.argv[1:]):
    print("held", flush=True)
    sys.stdin.readline()
"""
GENOME = Genome(square_input(32, 1), (Block((SpatialConv(16, 3),)),))
SOON = 60.0
"""Seconds until which what is free must have been taken."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of its own, for the processes of a test as well."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return lock_folder()


Hold = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Starts a process that holds locks until it reads a line."""
    started = []

    def start(*names: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _holds(process: subprocess.Popen[str]) -> bool:
    assert process.stdout
    return process.stdout.readline() == "held\n"


def _in_background(work: Callable[[], object]) -> tuple[threading.Thread, threading.Event]:
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, done


def test_a_lock_tells_who_holds_it(hold: Hold) -> None:
    assert not lock_state("core 3").held
    holder = hold("core 3")
    assert _holds(holder)
    state = lock_state("core 3")
    assert (state.held, state.pid) == (True, holder.pid)
    assert not lock_state("core 2").held
    holder.communicate("\n", timeout=SOON)
    assert (lock_state("core 3").held, lock_state("core 3").pid) == (False, None)


def test_a_process_that_is_killed_leaves_no_lock_behind(hold: Hold) -> None:
    holder = hold("core 0", "core 1")
    assert _holds(holder)
    waiting = hold("core 1")
    waiting_too, done = _in_background(lambda: _holds(waiting))
    assert not done.wait(1.0)
    assert lock_state("core 1").pid == holder.pid
    holder.kill()
    assert done.wait(SOON)
    waiting_too.join()
    assert lock_state("core 1").pid == waiting.pid
    assert not lock_state("core 0").held


def test_who_asks_for_cores_in_another_order_waits_and_is_served(hold: Hold) -> None:
    """Taken in the order that was asked for, each of two would soon hold what the other one waits for."""

    def take_often(names: list[str]) -> None:
        for _ in range(300):
            with held(names):
                assert all(lock_state(name).pid == os.getpid() for name in names)

    one, one_done = _in_background(lambda: take_often(["core 0", "core 1"]))
    other, other_done = _in_background(lambda: take_often(["core 1", "core 0"]))
    assert one_done.wait(SOON) and other_done.wait(SOON)
    one.join()
    other.join()


def test_every_user_may_take_a_lock_that_another_one_made(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with held(["core 0"]):
            pass
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert (folder / "core-0").stat().st_mode & 0o777 == 0o666


def test_a_timing_goes_on_where_there_can_be_no_lock(folder: Path) -> None:
    folder.write_text("not a folder")
    with held(["core 0"]):
        assert not lock_state("core 0").held


def test_a_link_in_the_place_of_a_lock_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "precious").write_text("kept")
    (folder / "core-0").symlink_to(tmp_path / "precious")
    with held(["core 0"]):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_device_locks_the_cores_that_it_is_timed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_lock, "usable_cores", lambda: [0, 2, 9, 10])
    assert lock_names(Device("cpu")) == ["core 10"]
    assert lock_names(Device("cpu", threads=3)) == ["core 2", "core 9", "core 10"]


def test_a_measurement_waits_for_its_core_and_then_has_its_whole_time(hold: Hold) -> None:
    [name] = lock_names(Device("cpu"))
    with Meter(Device("cpu"), classes=10) as meter:
        assert meter.measure([GENOME], max_seconds=0.2)[0].latency_ms > 0  # the process is set up
        holder = hold(name)
        assert _holds(holder)
        samples = []

        def measure() -> None:
            (measured,) = meter.measure([GENOME], max_seconds=2.0)
            samples.append(measured.samples + measured.disturbed)

        thread, done = _in_background(measure)
        assert not done.wait(4.0)
        holder.kill()
        assert done.wait(SOON)
        thread.join()
    assert samples[0] > 1  # whose time was up at once would take a single one
    assert not lock_state(name).held


def test_where_the_file_system_has_no_locks_timings_go_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with held(["core 0"]):
        monkeypatch.setattr(fcntl, "flock", refuse)
        assert not lock_state("core 0").held
        with held(["core 1"]):
            assert not lock_state("core 1").held
