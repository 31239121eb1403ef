"""Devices behind a real ssh server: what is measured there, what breaks, and what they lack."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from latency_db import LatencyStore
from latency_db.profiler import profile
from tests.devices.remote.conftest import ROOT, Board
from tvnsearch.control_groups import Container
from tvnsearch.devices import Device, Meter, open_device
from tvnsearch.devices import meter as meter_module
from tvnsearch.devices.container import require_quota
from tvnsearch.devices.remote import connection
from tvnsearch.devices.remote.connection import BoardWorker, ConnectionLostError
from tvnsearch.devices.surroundings import surroundings_of
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.genome.space import load_space
from tvnsearch.workers import EnvironmentFailedError, WorkerDiedError, WorkerFailedError

SMALL = Genome(square_input(64, 2), (Block((SpatialConv(16, 3, 2, "relu"),)),))
ECHO = "tests.echo_worker"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_module, "RECONNECT_AFTER_SECONDS", (0.1, 0.2))


def test_a_board_is_one_device_by_whatever_name_and_its_latencies_are_its_own(
    board: Board, meter: Meter
) -> None:
    devices = [open_device(name) for name in (board.place, board.own_python)]
    assert [device.words for device in devices] == [board.place, board.own_python]
    with Meter(devices[0], classes=10) as there, Meter(devices[1], classes=10) as by_command:
        assert there.digest == by_command.digest == meter.digest  # it is this machine
        assert there.fingerprint["allocator"] == "pinned"
        [measured] = there.measure([SMALL], max_seconds=0.5)
        layers = there.time_layers(SMALL, max_seconds=0.5)
    [here] = meter.measure([SMALL], max_seconds=0.5)
    assert len(layers.latencies_ms) == len(trace(SMALL, 10).calls)
    # no claim about speed: only that both are the same kind of figure
    assert 0.05 < measured.latency_ms / here.latency_ms < 20
    assert 0.05 < sum(layers.latencies_ms) / here.latency_ms < 20


def test_a_board_says_what_it_lacks(board: Board) -> None:
    cores = len(os.sched_getaffinity(0))
    with pytest.raises(UserError, match=rf"ssh:board says: expected 1 to {cores} threads .*, but 999 came"):
        open_device(board.place, threads=999)
    with pytest.raises(UserError, match=r"ssh:board says: expected a backend of .*'quantum' came"):
        open_device(board.place, backend="quantum")
    with (
        Meter(Device("cpu", place=board.place)) as meter,
        pytest.raises(UserError, match="ssh:board says: expected a network that runs in"),
    ):
        meter.measure([Genome(square_input(4096, 1024), (Block((SpatialConv(16384, 3),)),))])


def test_limits_locks_and_cores_are_those_of_the_board(
    board: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tvnsearch.cores.read_container", lambda *_: pytest.fail("asked here"))
    monkeypatch.setattr("tvnsearch.devices.container.read_container", lambda *_: Container(cpu_cores=0.1))
    require_quota(Device("cpu", place=board.place))  # this machine's container would be too small
    elsewhere = board.command("env", f"TMPDIR={tmp_path}", f"PYTHONPATH={ROOT}", sys.executable)
    code = "import time; from tvnsearch.devices.core_lock import held, lock_names; "
    code += "from tvnsearch.devices import Device\n"
    code += "with held(lock_names(Device('cpu'))): print('held', flush=True); time.sleep(60)"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        [lock] = surroundings_of(Device("cpu", place=elsewhere)).locks
        assert (lock.held, lock.pid) == (True, holder.pid)
        holder.kill()


def test_errors_keep_their_kind_from_far_away(board: Board, tmp_path: Path) -> None:
    def worker() -> BoardWorker:
        return BoardWorker(board.place, ECHO, 1)

    heard: list[object] = []
    with worker() as there:
        assert there.call("echo", {"value": [1, "ä"]}, heard.append)["value"] == [1, "ä"]
        assert heard == [{"share": 0.5}]
        assert int(there.call("echo", {"value": 0})["threshold"]) > 2**30
        with pytest.raises(UserError, match="ssh:board says: expected more, got less"):
            there.call("refuse", {})
        with pytest.raises(WorkerFailedError, match=r"^ValueError: a bug"):
            there.call("fail", {})
        with pytest.raises(EnvironmentFailedError, match="No such file"):
            there.call("write", {"path": str(tmp_path / "none" / "file")})
    with worker() as there, pytest.raises(WorkerDiedError, match="code 7"):
        there.call("die", {})


def test_nothing_stays_behind_on_the_board(board: Board) -> None:
    with BoardWorker(board.place, ECHO, 1) as there:
        pid = there.call("echo", {"value": 0})["pid"]
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()


def test_a_board_that_is_silent_is_given_up(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 1.0)
    with (
        BoardWorker(board.place, ECHO, 1) as there,
        pytest.raises(ConnectionLostError, match="answered no more"),
    ):
        there.call("sleep", {"seconds": 60})


def test_a_profile_goes_on_where_its_connection_broke(board: Board, tmp_path: Path) -> None:
    said: list[str] = []
    genomes: list[int] = []

    def cut_once(state: object) -> None:
        genomes.append(state.genomes)  # type: ignore[attr-defined]
        if state.genomes == 3:  # type: ignore[attr-defined]
            threading.Timer(0.05, board.cut).start()

    device = open_device(board.place)
    with (
        LatencyStore(tmp_path / "latency.sqlite") as store,
        Meter(device, classes=10, say=said.append) as meter,
    ):
        while len(genomes) < 6:
            minutes = store.minutes(meter.digest) + 0.02
            profile(store, meter, load_space("digits"), minutes, 20.0, 0, lambda rows: None, cut_once)
        [held] = store.devices()
        # the one after which an earlier one is measured again is told of twice
        assert sorted(set(genomes)) == list(range(1, held.genomes + 1))
        assert len(store.profiles(meter.digest)) == held.genomes
    assert len(said) == 1
    assert said[0].startswith("the connection to ssh:board broke")
    assert said[0].endswith("; again in 0.1 s")


def test_a_board_that_stays_away_is_one_sentence(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with Meter(open_device(board.place), classes=10, say=said.append) as meter:
        assert meter.fingerprint
        monkeypatch.setattr(connection, "command_to", lambda place: ["ssh", "-p", "1", "127.0.0.1"])
        board.cut()
        with pytest.raises(ConnectionLostError) as lost:
            meter.profile(SMALL)
    assert len(said) == 2
    assert "expected to profile" in str(lost.value)
    assert "on ssh:board, but 2 tries later ssh:board could not be reached" in str(lost.value)
    assert str(lost.value).endswith("when it can be reached the same command goes on")
    assert "\n" not in str(lost.value)


def test_another_board_behind_the_same_name_is_refused(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    other = board.command("env", f"PYTHONPATH={ROOT}", "OMP_PROC_BIND=true", sys.executable)
    with Meter(open_device(board.place), classes=10) as meter:
        assert meter.fingerprint
        original = connection.command_to
        monkeypatch.setattr(connection, "command_to", lambda place: original(other))
        meter.restart()
        with pytest.raises(EnvironmentFailedError, match="OMP_PROC_BIND was unknown and is true"):
            meter.profile(SMALL)


def _package(folder: Path, greeting: str | None) -> Path:
    """A package of the same name, of another time."""
    remote = folder / "tvnsearch" / "devices" / "remote"
    remote.mkdir(parents=True)
    for parent in (remote, remote.parent, remote.parent.parent):
        (parent / "__init__.py").touch()
    if greeting is not None:
        (remote / "board.py").write_text(f"print('{greeting}', flush=True)\ninput()\n")
    return folder


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        ('{"tvnsearch":"0.0.1"}', ["but it has 0.0.1", "pip install tvnsearch=="]),
        (None, ["but it has an older one", "tvnsearch.devices.remote.board", "pip install tvnsearch=="]),
    ],
)
def test_another_version_is_refused(
    board: Board, tmp_path: Path, greeting: str | None, words: list[str]
) -> None:
    old = _package(tmp_path / "old", greeting)
    with pytest.raises(UserError) as refused:
        open_device(board.command("env", f"PYTHONPATH={old}", sys.executable))
    assert f"expected tvnsearch {connection.version_here()} at cmd:ssh" in str(refused.value)
    assert all(word in str(refused.value) for word in words)
    assert "\n" not in str(refused.value)


def test_a_board_without_the_package_or_torch_or_python_is_one_sentence(board: Board, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess_python = [sys.executable, "-I", "-S"]
    with pytest.raises(
        UserError, match=r"has no module tvnsearch; install it there \(pip install tvnsearch=="
    ):
        open_device(board.command(*subprocess_python))
    bare.mkdir()
    (bare / "sitecustomize.py").write_text(
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'torch' else find(name, *more)\n"
    )
    with pytest.raises(UserError, match=r"says: expected torch beside tvnsearch, .*pip install torch"):
        open_device(board.command("env", f"PYTHONPATH={bare}:{ROOT}", sys.executable))
    with pytest.raises(UserError, match=r"expected a Python at .*/none/python.*; name a Python that has it"):
        open_device(board.command("/none/python"))


def test_what_cannot_be_reached_or_started_is_one_sentence(board: Board) -> None:
    with pytest.raises(UserError, match=r"ssh:elsewhere\.invalid could not be reached") as unknown:
        open_device("ssh:elsewhere.invalid")
    assert "\n" not in str(unknown.value)
    with pytest.raises(UserError, match="expected a program 'no-such-program' on this machine"):
        open_device("cmd:no-such-program shell python")


def test_what_a_login_says_disturbs_no_answer(board: Board, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\necho Welcome; echo {{}}; echo 7\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    assert open_device(board.command("env", f"PYTHONPATH={ROOT}", str(wrapper))).name == "cpu"
