"""Workers on the machines of a Ray cluster: each is an actor that holds a worker process.

The clips, and what workers leave, lie on a file system that all machines share, at the same place: the run
and the working directory, or the folder ``shared``. What travels through Ray is a request and its answer.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeLabelSchedulingStrategy, NotIn

from tvnsearch.errors import UserError
from tvnsearch.search.executors.executor import (
    ClusterLostError,
    NoRoomError,
    TryElsewhereError,
    WorkerLostError,
)
from tvnsearch.search.executors.machines import Death, Deaths, Machines
from tvnsearch.search.executors.ray_head import Head
from tvnsearch.search.executors.ray_room import CONTROL_SECONDS, Host, Need, hosts, need_of_each
from tvnsearch.search.executors.versions import check_versions, versions_here
from tvnsearch.search.executors.waiting import Waiting
from tvnsearch.search.settings import Workforce
from tvnsearch.workers import EnvironmentFailedError, Progress, Worker, WorkerDiedError, WorkerFailedError

PROGRESS_EVERY_SECONDS = 0.5
ROOM_WITHIN_SECONDS = 30.0
"""If no machine has taken a worker after so long, that is said: with room too they take some seconds."""

LOOK_EVERY_SECONDS = 2.0
"""How often a job whose worker waits for room looks whether another worker has become free."""

_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error for error in (UserError, WorkerFailedError, EnvironmentFailedError, WorkerDiedError)
}
_LOST = (RayActorError, ObjectLostError, NodeDiedError)


class _Answer(NamedTuple):
    """A result, or what was raised: the name of its class, and its message."""

    result: Any = None
    raised: str = ""
    message: str = ""
    progress: dict[str, Any] | None = None


class _Place(NamedTuple):
    """Where a worker is: the node of the cluster, a name for people, one for the machine; what is there."""

    node: str
    name: str
    machine: str
    versions: dict[str, str]


class _Host:
    """The far side of a :class:`RayWorker`, an actor."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._progress: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._latest = 0
        self._stands_still = False

    def place(self) -> _Place:
        node = ray.get_runtime_context().get_node_id()
        return _Place(node, f"{platform.node()} (Ray node {node[:8]})", machine_name(), versions_here())

    def start(self, module: str, threads: int, folder: str) -> _Answer:
        """Start the worker process, unless it runs."""
        with self._lock:
            if self._worker is None:
                try:
                    os.chdir(folder)
                except OSError as error:
                    return _Answer(
                        raised=EnvironmentFailedError.__name__,
                        message=f"expected the folder {folder} on {platform.node()} as well, but it cannot "
                        f"be entered ({error.strerror}); begin in a folder that all machines share",
                    )
                try:
                    self._worker = Worker(module, threads, shares_cores=True)
                except EnvironmentFailedError as error:
                    return _Answer(raised=type(error).__name__, message=str(error))
                if self._stands_still:
                    self._worker.pause()
        return _Answer()

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

    def stand(self, still: bool, order: int) -> None:
        """Stop or go on. Orders are numbered: a late one, overtaken by the next, is no order any more."""
        with self._lock:
            if order <= self._latest:
                return
            self._latest, self._stands_still = order, still
            if self._worker is not None:
                (self._worker.pause if still else self._worker.resume)()

    def _keep(self, progress: dict[str, Any]) -> None:
        self._progress = progress


class _Wish(NamedTuple):
    """What a worker needs, the nodes where it must not be, and those where it should rather not be."""

    need: Need
    shunned: frozenset[str]
    doubtful: frozenset[str]

    def options(self) -> dict[str, Any]:
        """As Ray takes them."""
        resources = {"num_cpus": self.need.cores, "num_gpus": self.need.gpus, "max_concurrency": 4}
        if not self.shunned | self.doubtful:
            return resources
        hard, soft = (
            {_node_label(): NotIn(*sorted(nodes))} if nodes else {} for nodes in (self.shunned, self.doubtful)
        )
        return resources | {"scheduling_strategy": NodeLabelSchedulingStrategy(hard, soft=soft)}


class Crew:
    """The workers of one executor: they serve ``module``, and share the machines of the cluster evenly.

    Each has the ``train_threads`` of its ``workforce`` instead where that says so.

    They run in the current folder, or in the one that is shared. ``say`` hears of machines that are set aside
    and of workers that wait for room. Ray is asked through the ``head`` of the cluster.
    """

    def __init__(
        self, module: str, workforce: Workforce, gpus: float, say: Callable[[str], None], head: Head
    ) -> None:
        self.module = module
        self.head = head
        self.folder = workforce.shared or str(Path.cwd())
        self.machines = Machines(say)
        self.deaths = Deaths()
        self.waiting = Waiting(say)
        self._workforce = workforce
        self._gpus = gpus

    def start(self) -> RayWorker:
        """Another worker."""
        return RayWorker(self)

    def shunned(self, request: str) -> frozenset[str]:
        """Where no worker is to be that gets ``request``: what is set aside, and where one died of it."""
        set_aside = self.machines.set_aside
        avoided = self.deaths.avoided(request)
        return set_aside | avoided if avoided and self._hosts(set_aside | avoided) else set_aside

    def wish(self, shunned: frozenset[str]) -> _Wish:
        """What a worker needs by now, and where it should not be."""
        workers, threads = self._workforce.workers, self._workforce.train_threads
        if threads is None:
            need = need_of_each(workers, self._gpus, self._hosts(shunned))
        else:
            need = Need(threads, self._gpus)
        return _Wish(need, shunned, self.machines.doubtful - shunned)

    def died(self, request: str, place: _Place, reason: str) -> None:
        """Take in that a worker died of a request: another machine is to show whose fault that is."""
        others = self._hosts(self.machines.set_aside | {place.node})
        self.deaths.died(request, Death(place.node, place.name, reason), bool(others))

    def did_well(self, request: str, place: _Place) -> None:
        """Take in that a machine has answered a request, of which a worker may have died on another."""
        self.machines.did_well(place.node)
        if (death := self.deaths.answered(request)) is not None and death.machine != place.node:
            others = self._hosts(self.machines.set_aside | {death.machine})
            self.machines.failed(death.machine, death.name, death.reason, bool(others))

    def failed(self, place: _Place, reason: str) -> bool:
        """Take in that a machine failed; whether there is another one for its work."""
        others = self._hosts(self.machines.set_aside | {place.node})
        self.machines.failed(place.node, place.name, reason, bool(others))
        return bool(others)

    def _hosts(self, without: frozenset[str]) -> list[Host]:
        return self.head.asked(lambda: hosts(self._gpus, without))


class _Asked(NamedTuple):
    """An actor that was asked for ``at`` a time in seconds, and its place as soon as it has one."""

    host: Any
    coming: Any
    wish: _Wish
    at: float


class _Seat(NamedTuple):
    """An actor that has a place, and as many cores there."""

    host: Any
    place: _Place
    cores: int


class RayWorker:
    """A worker process on a machine of the cluster that has room for it.

    It asks for that with its first call, and goes on waiting in the next if there was none. Its calls come
    from one thread, orders to stand still from another.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._lock = threading.RLock()
        self._asked: _Asked | None = None
        self._seat: _Seat | None = None
        self._stands_still = False
        self._is_closed = False
        self._orders = 0

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        """Run a method there.

        Raises:
            NoRoomError: no machine has had room for the worker so far.
            WorkerLostError: the machine is gone.
            ClusterLostError: the head of the cluster is, and all machines with it.
            TryElsewhereError: the machine failed it, and there are others.
            UserError: there was no worker at all for too long, the machine has other versions, or as below.
            WorkerDiedError, WorkerFailedError: as :meth:`tvnsearch.workers.Worker.call`.
        """
        request = f"{method} {json.dumps(params, sort_keys=True)}"
        host, place, cores = self._joined(self._crew.shunned(request))
        try:
            ask = self._crew.head.asked
            _result(ask(lambda: ray.get(host.start.remote(self._crew.module, cores, self._crew.folder))))
            result = _result(ask(lambda: _answer(host, method, params, on_progress)))
        except _LOST as error:
            reason = f"a worker was lost with its machine {place.name}: {_first_line(error)}"
            if not self._is_closed:
                self._crew.failed(place, reason)
            raise WorkerLostError(reason) from None
        except OutOfMemoryError as error:
            self._leave()
            reason = f"a worker was ended for lack of memory on {place.name}: {_first_line(error)}"
            self._crew.died(request, place, reason)
            raise WorkerDiedError(reason, for_memory=True) from None
        except ClusterLostError:
            raise
        except WorkerDiedError as death:
            self._crew.died(request, place, str(death))
            raise WorkerDiedError(f"{death} (on {place.name})", death.for_memory) from None
        except (EnvironmentFailedError, UserError) as error:  # such as clips that this machine lacks
            if self._crew.failed(place, str(error)):
                raise TryElsewhereError(f"{error} (on {place.name})") from None
            raise
        self._crew.did_well(request, place)
        return result

    def pause(self) -> None:
        """Stand still, if it runs on the driver's machine: on others it disturbs no measurement."""
        self._order(stands_still=True)

    def resume(self) -> None:
        """Go on."""
        self._order(stands_still=False)

    def close(self) -> None:
        """End the process and its actor, or no longer wait for one."""
        with self._lock:
            self._is_closed = True
            self._leave()

    def _joined(self, shunned: frozenset[str]) -> _Seat:
        """The actor and where it is, once a machine has taken it that is not to be shunned."""
        seat = self._seat
        if seat is not None and seat.place.node not in shunned:
            return seat
        if seat is not None:
            self._leave()
        asked, ask = self._ask(shunned), self._crew.head.asked
        if not ask(lambda: ray.wait([asked.coming], timeout=LOOK_EVERY_SECONDS)[0]):
            if time.monotonic() >= asked.at + ROOM_WITHIN_SECONDS:
                self._crew.waiting.lacks(str(asked.wish.need))
            if self._crew.wish(shunned) != asked.wish:
                self._leave()  # what it asked for is not what there is by now
            raise NoRoomError(f"no machine of the cluster has room for another worker ({asked.wish.need})")
        try:
            place: _Place = ask(lambda: ray.get(asked.coming))
        except _LOST as error:
            self._leave()
            raise WorkerLostError(f"a worker was lost before it began: {_first_line(error)}") from None
        except RayTaskError as error:
            self._leave()
            raise UserError(
                "expected tvnsearch on every machine of the Ray cluster, but one cannot start a worker "
                f"({str(error).strip().splitlines()[-1]}); install the same version everywhere"
            ) from None
        try:
            check_versions(place.versions, place.name)
        except UserError as error:
            self._leave()
            if self._crew.failed(place, str(error)):
                raise TryElsewhereError(str(error)) from None
            raise
        if place.node in shunned | self._crew.machines.set_aside:
            self._leave()
            raise NoRoomError(f"{place.name} is not to have it")
        return self._take(_Seat(asked.host, place, asked.wish.need.cores))

    def _ask(self, shunned: frozenset[str]) -> _Asked:
        """Ask for a place, unless that is done."""
        with self._lock:
            if self._is_closed:
                raise WorkerLostError("the worker was closed")
            if self._asked is None:
                wish = self._crew.wish(shunned)
                self._asked = self._crew.head.asked(lambda: _asked_for(wish))
            return self._asked

    def _take(self, seat: _Seat) -> _Seat:
        with self._lock:
            if self._is_closed:
                raise WorkerLostError("the worker was closed")
            self._seat = seat
            self._crew.waiting.joined()
            if self._stands_still:
                self._tell(seat)
            return seat

    def _leave(self) -> None:
        """Give up the actor; the next call asks for another one."""
        with self._lock:
            if self._asked is not None:
                host = self._asked.host
                with suppress(ClusterLostError):
                    self._crew.head.asked(lambda: ray.kill(host))
            if self._seat is not None:
                self._crew.waiting.left()
            self._asked = self._seat = None

    def _order(self, stands_still: bool) -> None:
        with self._lock:
            self._stands_still = stands_still
            if self._seat is not None:
                self._tell(self._seat)

    def _tell(self, seat: _Seat) -> None:
        """Have the actor know what is true now; one that takes too long hears it when it can, in order."""
        if seat.place.machine != machine_name():
            return
        self._orders += 1
        order = (self._stands_still, self._orders)
        with suppress(RayError, ClusterLostError):
            self._crew.head.asked(lambda: ray.get(seat.host.stand.remote(*order), timeout=CONTROL_SECONDS))


def machine_name() -> str:
    """A name that processes share if they run on one machine, be it in different containers."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return boot_id.read_text().strip() if boot_id.is_file() else platform.node()


def _asked_for(wish: _Wish) -> _Asked:
    """Have Ray look for a place."""
    host = ray.remote(_Host).options(**wish.options()).remote()
    return _Asked(host, host.place.remote(), wish, time.monotonic())


def _answer(host: Any, method: str, params: Mapping[str, Any], on_progress: Progress | None) -> _Answer:
    """What the actor's worker answers; its progress is told meanwhile."""
    coming = host.call.remote(method, dict(params))
    told: dict[str, Any] | None = None
    while not ray.wait([coming], timeout=PROGRESS_EVERY_SECONDS)[0]:
        progress = ray.get(host.progress.remote())
        if on_progress is not None and progress is not None and progress != told:
            told = progress
            on_progress(progress)
    answer: _Answer = ray.get(coming)
    if on_progress is not None and answer.progress is not None and answer.progress != told:
        on_progress(answer.progress)
    return answer


def _node_label() -> str:
    """The label by which nodes are known, whose spelling depends on Ray's version."""
    node = next(node for node in ray.nodes() if node["Alive"])
    return next(str(label) for label, value in node["Labels"].items() if value == node["NodeID"])


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _result(answer: _Answer) -> Any:
    if answer.raised:
        raise _ERRORS[answer.raised](answer.message)
    return answer.result
