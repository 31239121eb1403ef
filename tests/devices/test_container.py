"""Limits of containers, from small trees of control groups, and from a real one where that may be made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from tvnsearch import cores
from tvnsearch.control_groups import Container, read_container
from tvnsearch.cores import training_threads, usable_threads
from tvnsearch.devices import Device, Measurement
from tvnsearch.devices.container import doubted, require_quota, why_doubtful
from tvnsearch.errors import UserError

NO_LIMIT = "9223372036854771712"


class Machine:
    """A process's files in ``/proc`` and the control groups that are mounted for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = folder / "proc"
        self.process.mkdir()
        self._mounts = ["23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"]

    def is_in(self, *lines: str) -> None:
        (self.process / "cgroup").write_text("\n".join(lines) + "\n")

    def mount(self, point: str, version: str, options: str, root: str = "/") -> None:
        (self.folder / point).mkdir(parents=True, exist_ok=True)
        written = str(self.folder / point).replace(" ", "\\040")
        self._mounts.append(f"31 23 0:28 {root} {written} rw,nosuid shared:9 - {version} {version} {options}")
        (self.process / "mountinfo").write_text("\n".join(self._mounts) + "\n")

    def group(self, path: str, **files: str) -> None:
        folder = self.folder / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text + "\n")

    def read(self) -> Container:
        return read_container(self.process)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_control_groups_there_is_no_limit(machine: Machine) -> None:
    assert machine.read() == Container(None, 0, None, None)
    machine.is_in("0::/user.slice")
    machine.mount("cgroup", "cgroup2", "rw,nsdelegate")
    machine.group("cgroup/user.slice", memory__max="max", memory__current="5", cpu__max="max 100000")
    assert machine.read() == Container(None, 0, None, None)


def test_of_nested_groups_of_version_2_the_tightest_holds(machine: Machine) -> None:
    machine.is_in("0::/kube/pod/app")
    machine.mount("cgroup", "cgroup2", "rw")
    machine.group(
        "cgroup/kube",
        memory__max="8000",
        memory__current="7500",
        memory__stat="anon 7000\ninactive_file 100",
        cpu__max="400000 100000",
    )
    machine.group(
        "cgroup/kube/pod",
        memory__max="5000",
        memory__current="3000",
        memory__stat="inactive_file 1000",
        cpu__max="150000 100000",
        cpu__stat="nr_periods 9\nnr_throttled 4",
    )
    machine.group("cgroup/kube/pod/app", memory__max="max", cpu__max="max 100000", cpu__stat="nr_throttled 0")
    machine.group("cgroup/kube/other", memory__max="1", memory__current="1", cpu__max="1000 100000")
    assert machine.read() == Container(1.5, 4, 5000, 600)  # what is left is least in the outermost


def test_version_1_has_its_own_names_and_says_no_limit_by_a_huge_number(machine: Machine) -> None:
    machine.is_in("5:memory:/docker/abc", "4:cpu,cpuacct:/docker/abc", "1:name=systemd:/docker/abc")
    machine.mount("memory", "cgroup", "rw,memory")
    machine.mount("cpu,cpuacct", "cgroup", "rw,cpu,cpuacct")
    machine.group("memory", memory__limit_in_bytes=NO_LIMIT, memory__usage_in_bytes="9000")
    machine.group("memory/docker", memory__limit_in_bytes="7000", memory__usage_in_bytes="6000")
    machine.group(
        "memory/docker/abc",
        memory__limit_in_bytes=NO_LIMIT,
        memory__usage_in_bytes="3000",
        memory__stat="inactive_file 1\ntotal_inactive_file 500",
    )
    quota = {"cpu__cfs_period_us": "50000", "cpu__cfs_quota_us": "20000"}
    machine.group("cpu,cpuacct", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    machine.group("cpu,cpuacct/docker", **quota, cpu__stat="nr_periods 9\nnr_throttled 3")
    machine.group("cpu,cpuacct/docker/abc", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert machine.read() == Container(0.4, 3, 7000, 1000)


def test_both_versions_may_be_mounted(machine: Machine) -> None:
    machine.is_in("4:memory:/box", "0::/slice")
    machine.mount("memory", "cgroup", "rw,memory")
    machine.mount("unified", "cgroup2", "rw")
    machine.group("memory/box", memory__limit_in_bytes="4000", memory__usage_in_bytes="1000")
    machine.group("unified/slice", cpu__max="200000 100000", cpu__stat="nr_throttled 2")
    assert machine.read() == Container(2.0, 2, 4000, 3000)


@pytest.mark.parametrize(
    ("path", "root", "holds"),
    [
        ("/", "/", "cgroup"),  # a namespace of its own
        ("/docker/abc", "/docker/abc", "cgroup"),  # the paths of the host, its own part mounted
        ("/docker/abc/worker", "/docker/abc", "cgroup/worker"),
        ("/docker/abc", "/", "cgroup"),  # the paths of the host, which are not there
        ("/../other", "/", "cgroup"),  # a process that was moved out of its namespace
        ("/", "/../..", "cgroup"),  # a mount from outside of the namespace
    ],
)
def test_a_group_is_found_wherever_its_mount_begins(
    path: str, root: str, holds: str, machine: Machine
) -> None:
    machine.is_in(f"0::{path}")
    machine.mount("cgroup", "cgroup2", "rw", root)
    machine.group(holds, memory__max="4000", memory__current="1000", cpu__max="50000 100000")
    assert machine.read() == Container(0.5, 0, 4000, 3000)


def test_a_mount_may_have_a_space_in_its_name(machine: Machine) -> None:
    machine.is_in("0::/")
    machine.mount("control groups", "cgroup2", "rw")
    machine.group("control groups", cpu__max="50000 100000")
    assert machine.read().cpu_cores == 0.5


def test_a_quota_bounds_the_threads_that_work_at_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: [0, 1, 2, 5])
    assert usable_threads(machine.process) == 4
    machine.is_in("0::/")
    machine.mount("cgroup", "cgroup2", "rw")
    for quota, threads in {"40000": 1, "250000": 2, "900000": 4}.items():
        machine.group("cgroup", cpu__max=f"{quota} 100000")
        assert usable_threads(machine.process) == threads


@pytest.mark.parametrize(
    ("asked", "workers", "threads"),
    [
        (None, 1, 4),
        (None, 2, 2),
        (None, 9, 1),
        ("1", 1, 1),
        ("3", 1, 3),
        ("3", 2, 2),
        ("64", 1, 4),
        ("2,1", 1, 2),
        ("", 1, 4),
        ("0", 1, 4),
        ("many", 1, 4),
    ],
)
def test_trainings_share_the_cores_and_a_user_bounds_their_threads(
    asked: str | None, workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "usable_threads", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert training_threads(workers) == threads


def test_a_search_needs_as_many_cores_as_it_times_threads(machine: Machine) -> None:
    require_quota(Device("cpu", 64), machine.process)
    machine.is_in("0::/")
    machine.mount("cgroup", "cgroup2", "rw")
    machine.group("cgroup", cpu__max="100000 100000")
    require_quota(Device("cpu"), machine.process)
    require_quota(Device("cuda", 2), machine.process)
    with pytest.raises(UserError, match=r"may use 2 cores or more.*its CPU quota is 1 core; .*--threads 1$"):
        require_quota(Device("cpu", 2), machine.process)
    machine.group("cgroup", cpu__max="40000 100000")
    with pytest.raises(UserError, match=r"1 core or more.*0\.4 of a core; .*--cpus does\)$"):
        require_quota(Device("cpu"), machine.process)


def test_why_a_timing_is_doubtful() -> None:
    calm, one = Container(cpu_cores=2.0, throttled=5), Device("cpu")
    assert why_doubtful(calm, calm, one) == ""
    assert why_doubtful(Container(), Container(), Device("cpu", 8)) == ""
    short = Container(cpu_cores=0.4)
    assert why_doubtful(short, short, one).startswith(
        "this container may use 0.4 of a core (CPU quota), and 1 thread was timed: "
    )
    assert "may use 2 cores (CPU quota), and 3 threads were timed" in why_doubtful(
        calm, calm, Device("cpu", 3)
    )
    stopped = Container(cpu_cores=2.0, throttled=8)
    for device in (one, Device("cuda")):
        assert "CPU quota of 2 cores, and was stopped 3 times" in why_doubtful(calm, stopped, device)


def test_no_sample_of_a_doubtful_measurement_counts() -> None:
    measured = Measurement(2.0, 1.9, 2.1, 2.0, 2.2, 2.5, samples=40, disturbed=2, trusted=True)
    assert doubted(measured, "") == measured
    doubtful = doubted(measured, "stopped")
    assert (doubtful.trusted, doubtful.reason, doubtful.latency_ms) == (False, "stopped", 2.0)
    assert (doubtful.samples, doubtful.disturbed) == (0, 42)


CPU_GROUPS = Path("/sys/fs/cgroup/cpu")


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A group of version 1 of this machine that may use 0.4 of a core."""
    group = CPU_GROUPS / f"tvnsearch-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("40000")
        (group / "cpu.cfs_period_us").write_text("100000")
    except OSError:
        pytest.skip("control groups of version 1 cannot be made here")
    yield group
    group.rmdir()


def _in_group(group: Path, code: str) -> Mapping[str, object]:
    join = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0')\n"
    done = subprocess.run([sys.executable, "-c", join + code], capture_output=True, text=True, check=True)
    answer: Mapping[str, object] = msgspec.json.decode(done.stdout)
    return answer


def test_a_real_group_is_seen_and_its_measurements_are_not_trusted(small_group: Path) -> None:
    code = """
import msgspec
from tvnsearch.devices import Device, Meter
from tvnsearch.control_groups import read_container
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv
genome = Genome(square_input(32, 1), (Block((SpatialConv(16, 3),)),))
with Meter(Device("cpu"), classes=10) as meter:
    measured = meter.measure([genome], max_seconds=1.0)[0]
    layers = meter.time_layers(genome, max_seconds=0.2).network
    profiled = meter.profile(genome).network
print(msgspec.json.encode({
    "cores": read_container().cpu_cores,
    "throttled": read_container().throttled,
    "trusted": [one.trusted for one in (measured, layers, profiled)],
    "reasons": [one.reason for one in (measured, layers, profiled)],
}).decode())
"""
    answer = _in_group(small_group, code)
    assert answer["cores"] == 0.4
    counted = dict(line.split() for line in (small_group / "cpu.stat").read_text().splitlines())
    assert isinstance(answer["throttled"], int)  # none where other work leaves the group less than its quota
    assert (answer["throttled"] > 0) == (int(counted["nr_throttled"]) > 0)
    assert answer["trusted"] == [False, False, False]
    assert isinstance(answer["reasons"], list)
    for reason in answer["reasons"]:
        assert reason.startswith("this container may use 0.4 of a core (CPU quota), and 1 thread was timed")
