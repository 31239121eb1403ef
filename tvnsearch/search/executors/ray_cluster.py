"""Workers on the machines of a Ray cluster: each is an actor that holds a worker process.

The run, its clips and the working directory lie on a file system that all machines share, at the same place;
what travels through Ray is a request and its answer.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tvnsearch.errors import UserError
from tvnsearch.search.executors.executor import NoRoomError, WorkerLostError
from tvnsearch.workers import Progress, Worker, WorkerDiedError, WorkerFailedError

PROGRESS_EVERY_SECONDS = 0.5
ROOM_WITHIN_SECONDS = 30.0
"""If no machine has taken a worker after so long, its job looks whether another worker has become free."""

CONTROL_SECONDS = 10.0
"""How long an actor may take to confirm that its worker stands still, goes on or has ended."""

CONNECT_SECONDS = 10.0

_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error for error in (UserError, WorkerFailedError, WorkerDiedError)
}


class _Answer(NamedTuple):
    """A result, or what was raised: the name of its class, and its message."""

    result: Any = None
    raised: str = ""
    message: str = ""
    progress: dict[str, Any] | None = None


class _Host:
    """The far side of a :class:`RayWorker`, an actor."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._progress: dict[str, Any] | None = None

    def start(self, module: str, threads: int, folder: str) -> _Answer:
        """Start the worker process, unless it runs; the name of this machine."""
        if self._worker is None:
            try:
                os.chdir(folder)
            except OSError as error:
                return _Answer(
                    raised=UserError.__name__,
                    message=f"expected the folder {folder} on {platform.node()} as well, but it cannot be "
                    f"entered ({error.strerror}); begin the search in a folder that all machines share",
                )
            self._worker = Worker(module, threads, shares_cores=True)
        return _Answer(machine_name())

    def call(self, method: str, params: dict[str, Any]) -> _Answer:
        assert self._worker is not None
        self._progress = None
        try:
            result = self._worker.call(method, params, self._keep)
            return _Answer(result, progress=self._progress)
        except tuple(_ERRORS.values()) as error:
            return _Answer(raised=type(error).__name__, message=str(error))

    def progress(self) -> dict[str, Any] | None:
        return self._progress

    def pause(self) -> None:
        assert self._worker is not None
        self._worker.pause()

    def resume(self) -> None:
        assert self._worker is not None
        self._worker.resume()

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()

    def _keep(self, progress: dict[str, Any]) -> None:
        self._progress = progress


class _Holder:
    """Has a GPU, and does nothing with it."""

    def gpu(self) -> str:
        return os.environ.get("CUDA_VISIBLE_DEVICES", "")


class RayWorker:
    """A worker process of ``module`` on a machine of the cluster with ``threads`` cores and ``gpus`` free.

    It starts with its first call, as soon as a machine has room for it.
    """

    def __init__(self, module: str, threads: int, gpus: float = 0.0) -> None:
        actor = ray.remote(num_cpus=threads, num_gpus=gpus, max_concurrency=4)(_Host)
        self._host: Any = actor.remote()
        self._start = (module, threads, str(Path.cwd()))
        self._is_here = False
        self._stands_still = False

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        """Run a method there.

        Raises:
            NoRoomError: no machine has had room for the worker so far.
            WorkerLostError: the machine is gone.
            WorkerDiedError, WorkerFailedError, UserError: as :meth:`tvnsearch.workers.Worker.call`.
        """
        try:
            starting = self._host.start.remote(*self._start)
            if not ray.wait([starting], timeout=ROOM_WITHIN_SECONDS)[0]:
                raise NoRoomError("no machine of the cluster has room for another worker")
            machine = _result(ray.get(starting))
            self._is_here = machine == machine_name()
            if self._stands_still:
                self.pause()
            coming = self._host.call.remote(method, dict(params))
            told: dict[str, Any] | None = None
            while not ray.wait([coming], timeout=PROGRESS_EVERY_SECONDS)[0]:
                progress = ray.get(self._host.progress.remote())
                if on_progress is not None and progress is not None and progress != told:
                    told = progress
                    on_progress(progress)
            answer: _Answer = ray.get(coming)
            if on_progress is not None and answer.progress is not None and answer.progress != told:
                on_progress(answer.progress)
            return _result(answer)
        except RayActorError as error:
            raise WorkerLostError(f"a worker was lost with its machine: {error}") from None

    def pause(self) -> None:
        """Stand still, if it runs on the driver's machine: on others it disturbs no measurement."""
        self._stands_still = True
        if self._is_here:
            self._tell(self._host.pause)

    def resume(self) -> None:
        """Go on."""
        self._stands_still = False
        if self._is_here:
            self._tell(self._host.resume)

    def close(self) -> None:
        """End the process and its actor."""
        ray.kill(self._host)

    def _tell(self, method: Any) -> None:
        with suppress(RayActorError, GetTimeoutError):
            ray.get(method.remote(), timeout=CONTROL_SECONDS)


def connect(address: str) -> None:
    """Join the cluster at ``address``; ``auto`` is the one that this machine is part of.

    Raises:
        UserError: there is none.
    """
    try:
        host, _, port = address.rpartition(":")
        if host and port.isdecimal():  # Ray itself would go on trying for minutes
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"expected a Ray cluster at {address}, but there is none to join ({reason}); start one with "
            "`ray start --head`, or give its --address"
        ) from None


def cores_each(workers: int) -> int:
    """How many cores each of so many workers can have, on whichever machines of the cluster."""
    cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    return max(1, min(sum(cores) // workers, min(filter(None, cores), default=1)))


def check_room(threads: int, gpus: float) -> None:
    """Make sure that there is a machine for a worker, be it in use at the moment.

    Raises:
        UserError: no machine of the cluster has so many cores and GPUs.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(one.get("CPU", 0) >= threads and one.get("GPU", 0) >= gpus for one in machines):
        return
    largest = max((int(one.get("GPU", 0)) for one in machines), default=0)
    needed = f"{threads} core(s)" + (f" and {gpus:g} GPU(s)" if gpus else "")
    raise UserError(
        f"expected a machine of the Ray cluster with {needed} for a worker, but of {len(machines)} none has "
        f"them (at most {largest} GPU(s)); "
        + ("say --train-on cpu, or add machines with GPUs" if gpus > largest else "add machines with cores")
    )


@contextmanager
def keeping_free(gpu: str | None) -> Iterator[None]:
    """Until the context is left, the ``gpu`` of this machine, by its name for CUDA, is no worker's.

    That takes another GPU somewhere in the cluster. Where there is none, or other work has this one, workers
    may have it, and stand still while it is measured.
    """
    held = [] if gpu is None else _holding(gpu)
    try:
        yield
    finally:
        for holder in held:
            ray.kill(holder)


def _holding(gpu: str) -> list[Any]:
    """The actor that has the GPU, if it is to be had: Ray chooses, so others are taken and given back."""
    gpus_of = {node["NodeID"]: int(node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]}
    here = ray.get_runtime_context().get_node_id()
    if sum(gpus_of.values()) < 2:
        return []
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


def machine_name() -> str:
    """A name that processes share if they run on one machine, be it in different containers."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return boot_id.read_text().strip() if boot_id.is_file() else platform.node()


def _result(answer: _Answer) -> Any:
    if answer.raised:
        raise _ERRORS[answer.raised](answer.message)
    return answer.result
