"""What a Ray cluster alone can do: lose a machine."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.search.executors.ray_nodes import cluster
from tvnsearch.errors import UserError
from tvnsearch.search.executors import RemoteWorker, open_executor
from tvnsearch.search.settings import Workforce

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


def gpu_of(worker: RemoteWorker) -> Any:
    answer = worker.call("echo", {"value": 0})
    time.sleep(0.5)  # so that each has one
    return answer["pid"], answer["gpus"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpus", "train_on", "seen"),
    [(3, "cuda", {"0", "2"}), (1, "cuda", {"0"}), (2, "cpu", {None, ""})],
)
def test_the_measured_gpu_is_no_workers_where_there_is_another(
    gpus: int, train_on: str, seen: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with cluster(nodes=0, head_cores=2, head_gpus=gpus) as nodes:
        workforce = Workforce(2, "ray", nodes.address, gpus_per_worker=0.5)
        measured = 1 if gpus > 1 else 0
        with open_executor(workforce, MODULE, train_on, measured) as executor:
            futures = [executor.submit(gpu_of) for _ in range(6)]
            found = dict(future.result(timeout=120) for future in futures)
    assert len(found) == 2
    assert set(found.values()) <= seen


@pytest.mark.slow
def test_no_cluster_is_a_sentence() -> None:
    pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")
    with pytest.raises(UserError, match=r"a Ray cluster at 127\.0\.0\.1:1, but there is none to join"):
        open_executor(Workforce(1, "ray", "127.0.0.1:1"), MODULE).__enter__()


@pytest.mark.slow
def test_a_cluster_that_can_never_take_a_worker_is_a_sentence() -> None:
    with cluster(nodes=1) as nodes:
        workforce = Workforce(1, "ray", nodes.address)
        with pytest.raises(UserError, match=r"1 core\(s\) and 1 GPU\(s\) for a worker.* say --train-on cpu"):
            open_executor(workforce, MODULE, "cuda").__enter__()


@pytest.mark.parametrize(
    ("machines", "gpus", "sentence"),
    [
        ([{"CPU": 4.0}, {"CPU": 4.0, "GPU": 2.0}], 1, None),
        ([{"CPU": 4.0}], 0, None),
        ([{"CPU": 4.0}], 1, "none has them (at most 0 GPU(s)); say --train-on cpu"),
        ([{"memory": 1.0}], 0, "add machines with cores"),
        ([{"CPU": 4.0}, {"GPU": 2.0}], 1, "add machines with cores"),
    ],
)
def test_a_worker_needs_its_cores_and_gpus_on_one_machine(
    machines: list[dict[str, float]], gpus: int, sentence: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")
    from tvnsearch.search.executors import ray_cluster

    nodes = [{"Alive": True, "Resources": resources} for resources in machines]
    nodes.append({"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}})
    monkeypatch.setattr(ray_cluster.ray, "nodes", lambda: nodes)
    if sentence is None:
        ray_cluster.check_room(2, gpus)
        return
    with pytest.raises(UserError, match=re.escape(sentence)):
        ray_cluster.check_room(2, gpus)
