"""No worker of a cluster stays stopped, however late its actor hears of it: real processes, no Ray."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")

from ray.exceptions import GetTimeoutError

from tvnsearch.search.executors import ray_cluster
from tvnsearch.search.executors.ray_cluster import Crew, RayWorker, _Place, _Wish
from tvnsearch.search.executors.ray_head import Head
from tvnsearch.search.executors.ray_room import Need
from tvnsearch.search.executors.versions import versions_here
from tvnsearch.search.settings import Workforce

SECONDS = 1.5
"""How long a worker is busy that nobody stops."""

Call = Callable[[], Any]


class Cluster:
    """Stands in for Ray: one actor in this process, which holds a real worker.

    ``delay`` gets each order to stand still, and says what is done about it.
    """

    def __init__(self, delay: Callable[[Call], Any]) -> None:
        self.host = ray_cluster._Host()
        self._delay = delay

    def remote(self, _kind: type) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda: self))

    def __getattr__(self, method: str) -> Any:
        def ask(*given: Any) -> Call:
            if method == "place":
                return lambda: _Place("node", "here", ray_cluster.machine_name(), versions_here())
            if method == "stand" and given[0]:
                return lambda: self._delay(lambda: self.host.stand(*given))
            return lambda: getattr(self.host, method)(*given)

        return SimpleNamespace(remote=ask)

    def get(self, call: Call, timeout: float = 0.0) -> Any:
        return call()

    def wait(self, calls: list[Call], timeout: float) -> tuple[list[Call], list[Call]]:
        return calls, []

    def kill(self, _actor: Any) -> None:
        assert self.host._worker is not None
        self.host._worker.close()


@pytest.fixture
def open_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Call], Any]], RayWorker]:
    def open_one(delay: Callable[[Call], Any]) -> RayWorker:
        monkeypatch.setattr(ray_cluster, "ray", Cluster(delay))
        monkeypatch.setattr(Crew, "wish", lambda *_: _Wish(Need(1, 0.0), frozenset(), frozenset()))
        head = Head("127.0.0.1:1", print)
        return Crew("tests.echo_worker", Workforce(), 0.0, print, head).start()

    return open_one


def tick(worker: RayWorker, file: Path) -> threading.Thread:
    params = {"file": str(file), "seconds": SECONDS}
    job = threading.Thread(target=worker.call, args=("tick", params), daemon=True)
    job.start()
    return job


def test_an_order_to_stand_still_that_comes_too_late_is_none(
    open_worker: Callable[[Callable[[Call], Any]], RayWorker], tmp_path: Path
) -> None:
    late: list[Call] = []

    def in_time_for_nothing(order: Call) -> None:
        late.append(order)
        raise GetTimeoutError

    worker = open_worker(in_time_for_nothing)
    job = tick(worker, tmp_path / "ticks")
    while not (tmp_path / "ticks").exists():
        time.sleep(0.01)
    worker.pause()
    worker.resume()
    assert len(late) == 1
    late[0]()
    job.join(timeout=20)
    assert not job.is_alive()
    worker.close()


def test_a_worker_that_joins_while_a_measurement_ends_goes_on(
    open_worker: Callable[[Callable[[Call], Any]], RayWorker], tmp_path: Path
) -> None:
    hearing = threading.Event()

    def slowly(order: Call) -> None:
        hearing.set()
        time.sleep(0.5)
        order()

    worker = open_worker(slowly)
    worker.pause()
    job = tick(worker, tmp_path / "ticks")
    assert hearing.wait(10)
    worker.resume()
    job.join(timeout=20)
    assert not job.is_alive()
    worker.close()


def test_a_worker_that_joins_during_a_measurement_stands_still_from_the_start(
    open_worker: Callable[[Callable[[Call], Any]], RayWorker], tmp_path: Path
) -> None:
    worker = open_worker(lambda order: order())
    worker.pause()
    job = tick(worker, tmp_path / "ticks")
    time.sleep(0.5)
    assert not (tmp_path / "ticks").exists()
    worker.resume()
    job.join(timeout=20)
    assert not job.is_alive()
    worker.close()
