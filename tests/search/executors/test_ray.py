"""What a Ray cluster alone can do: lose a machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.search.executors.ray_nodes import cluster
from tvnsearch.errors import UserError
from tvnsearch.search.executors import RemoteWorker, Workforce, open_executor

MODULE = "tests.echo_worker"


def tick(worker: RemoteWorker, file: Path, told: list[Any]) -> int:
    return int(worker.call("tick", {"file": str(file), "seconds": 4.0}, told.append))


@pytest.mark.slow
def test_a_node_killed_in_the_middle_loses_no_job(tmp_path: Path) -> None:
    with cluster(nodes=2) as nodes, open_executor(Workforce(2, "ray", nodes.address), MODULE) as executor:
        told: dict[int, list[Any]] = {number: [] for number in range(3)}
        futures = [executor.submit(tick, tmp_path / str(number), told[number]) for number in told]
        while not (told[0] and told[1]):
            time.sleep(0.05)
        began_on = {number: told[number][0]["pid"] for number in (0, 1)}
        nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)
        ended_on = {number: future.result(timeout=120) for number, future in enumerate(futures)}
        moved = [number for number, pid in began_on.items() if ended_on[number] != pid]
        assert len(moved) == 1


@pytest.mark.slow
def test_no_cluster_is_a_sentence() -> None:
    pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")
    with pytest.raises(UserError, match=r"a Ray cluster at 127\.0\.0\.1:1, but there is none to join"):
        open_executor(Workforce(1, "ray", "127.0.0.1:1"), MODULE).__enter__()
