"""Which machines of a Ray cluster can host a worker, with how many cores, and what is kept from workers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.experimental.internal_kv import _internal_kv_get
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tvnsearch.errors import UserError
from tvnsearch.search.executors.dealing import ROUNDING
from tvnsearch.search.executors.executor import ClusterLostError
from tvnsearch.search.executors.ray_head import Head
from tvnsearch.search.executors.ray_joining import is_client

CONTROL_SECONDS = 10.0
"""How long an actor may take to answer what costs it nothing."""

SCALE_SECONDS = 1800.0
"""How long a cluster that scales may take for its first machine: clouds run short of GPUs."""

STATUS_SECONDS = 15.0
"""A cluster says every five seconds what machines it knows of, a new one not at once."""


class Need(NamedTuple):
    """What a worker takes of one machine."""

    cores: int
    gpus: float

    def __str__(self) -> str:
        return f"{self.cores} core(s)" + (f" and {self.gpus:g} GPU(s)" if self.gpus else "")


class Host(NamedTuple):
    """A machine that can host workers: its node of the cluster, and all that it has."""

    node: str
    cores: int
    gpus: int

    def places(self, need: Need) -> int:
        """How many workers fit; each has its share of one GPU."""
        by_cores = self.cores // need.cores
        return min(by_cores, self.gpus * int(1 / need.gpus + ROUNDING)) if need.gpus else by_cores


def hosts(gpus: float, without: Collection[str] = ()) -> list[Host]:
    """The machines that can host a worker with ``gpus``, be they in use, but the nodes in ``without``."""
    machines = [
        Host(node["NodeID"], int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in without
    ]
    return [machine for machine in machines if machine.places(Need(1, gpus))]


def need_of_each(workers: int, gpus: float, machines: Collection[Host]) -> Need:
    """The most cores with which so many workers fit on ``machines`` at once, or as many as fit with one."""

    def places(cores: int) -> int:
        return sum(machine.places(Need(cores, gpus)) for machine in machines)

    fit = min(workers, places(1))
    most = max((machine.cores for machine in machines), default=1)
    return Need(next(cores for cores in range(most, 0, -1) if places(cores) >= fit), gpus)


def find_room(gpus: float, say: Callable[[str], None]) -> None:
    """Make sure that there is a machine for a worker, be it in use; a cluster that scales is waited for.

    Raises:
        UserError: no machine of the cluster can host one, and none comes.
    """
    if hosts(gpus):
        return
    if not scales():
        raise _no_host(gpus)
    need = Need(1, gpus)
    say(
        f"the Ray cluster has no machine for a worker yet ({need}): asked for one, and waiting up to "
        f"{SCALE_SECONDS / 60:.0f} minutes for it"
    )
    wanted = ray.remote(num_cpus=need.cores, num_gpus=gpus)(_Holder).remote()
    try:
        came, _ = ray.wait([wanted.gpu.remote()], timeout=SCALE_SECONDS)
    finally:
        ray.kill(wanted)
    if not came:
        raise UserError(
            f"expected the Ray cluster to add a machine with {need} for a worker, but within "
            f"{SCALE_SECONDS / 60:.0f} minutes none came; see what `ray status` says of its demands"
        )


def scales() -> bool:
    """Whether the cluster adds machines when work waits for them."""
    if _internal_kv_get(b"__autoscaler_v2_enabled", namespace=b"__autoscaler") == b"1":
        return True
    end = time.monotonic() + STATUS_SECONDS
    while (known := scales_by(_internal_kv_get(b"__autoscaling_status"))) is None:
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return known


def scales_by(written: bytes | None) -> bool | None:
    """By the status that the cluster ``written`` last; None as long as that says nothing of machines.

    In a cluster that was made by hand, each node is of a type of its own, which is named after it.
    """
    report = json.loads(written or b"{}").get("autoscaler_report")
    if report is None:
        return None
    by_node = report.get("node_type_mapping") or {}
    types = {*(report.get("active_nodes") or ()), *(report.get("idle_nodes") or ()), *by_node.values()}
    return any(not name.startswith("node_") for name in types) if types else None


def _no_host(gpus: float) -> UserError:
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    largest = max((int(one.get("GPU", 0)) for one in machines), default=0)
    return UserError(
        f"expected a machine of the Ray cluster with {Need(1, gpus)} for a worker, but of {len(machines)} "
        f"none has them (at most {largest} GPU(s)); "
        + ("say --train-on cpu, or add machines with GPUs" if gpus > largest else "add machines with cores")
    )


class _Holder:
    """Has a GPU, or a core, and does nothing with it."""

    def gpu(self) -> str:
        return os.environ.get("CUDA_VISIBLE_DEVICES", "")


@contextmanager
def keeping_free(gpu: str | None, head: Head) -> Iterator[None]:
    """Until the context is left, the ``gpu`` of this machine, by its name for CUDA, is no worker's.

    That takes another GPU somewhere in the cluster. Where there is none, or other work has this one, workers
    may have it, and stand still while it is measured.
    """
    held = [] if gpu is None else _holding(gpu)
    try:
        yield
    finally:
        with suppress(ClusterLostError):
            head.asked(lambda: [ray.kill(holder) for holder in held])


def _holding(gpu: str) -> list[Any]:
    """The actor that has the GPU, if it is to be had: Ray chooses, so others are taken and given back."""
    gpus_of = {node["NodeID"]: int(node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]}
    if is_client() or sum(gpus_of.values()) < 2:
        return []  # a driver outside the cluster measures a GPU that the cluster does not have
    here = ray.get_runtime_context().get_node_id()
    place = NodeAffinitySchedulingStrategy(node_id=here, soft=False)
    asked: list[Any] = []
    try:
        for _ in range(gpus_of.get(here, 0)):
            asked.append(ray.remote(num_cpus=0, num_gpus=1, scheduling_strategy=place)(_Holder).remote())
            if ray.get(asked[-1].gpu.remote(), timeout=CONTROL_SECONDS) == gpu:
                return [asked.pop()]
    except (GetTimeoutError, RayActorError):
        pass  # other work has the GPUs of this machine
    finally:
        for other in asked:
            ray.kill(other)
    return []
