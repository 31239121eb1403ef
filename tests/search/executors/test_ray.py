"""What a Ray cluster alone can do: lose a machine, get one, have one that fails everything."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.search.executors.ray_nodes import REPOSITORY, SMALL, cluster
from tvnsearch.errors import UserError
from tvnsearch.search.executors import RemoteWorker, open_executor
from tvnsearch.search.settings import Workforce
from tvnsearch.workers import WorkerDiedError

MODULE = "tests.echo_worker"


def tick(worker: RemoteWorker, file: Path, told: list[Any], seconds: float = 4.0) -> int:
    return int(worker.call("tick", {"file": str(file), "seconds": seconds}, told.append))


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


def lose(worker: RemoteWorker) -> int:
    return int(worker.call("lose", {}))


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_node_that_loses_every_worker_is_set_aside_and_no_job_is_lost() -> None:
    said: list[str] = []
    with cluster(nodes=0) as nodes:
        nodes.add_node(num_cpus=4, env_vars={"LOSES_WORKERS": "1"}, **SMALL)
        nodes.add_node(num_cpus=1, **SMALL)
        with open_executor(Workforce(5, "ray", nodes.address), MODULE, say=said.append) as executor:
            futures = [executor.submit(lose) for _ in range(8)]
            pids = {future.result(timeout=120) for future in futures}
    assert len(pids) == 1
    assert [line for line in said if "is set aside" in line and "2 times in a row" in line]


def fall(worker: RemoteWorker, number: int) -> int:
    return int(worker.call("fall", {"number": number}))


@pytest.mark.slow
def test_a_node_that_ends_every_worker_is_set_aside_and_no_job_is_lost() -> None:
    said: list[str] = []
    with cluster(nodes=0) as nodes:
        nodes.add_node(num_cpus=4, env_vars={"ENDS_WORKERS": "any"}, **SMALL)
        nodes.add_node(num_cpus=1, **SMALL)
        with open_executor(Workforce(5, "ray", nodes.address), MODULE, say=said.append) as executor:
            futures = [executor.submit(fall, number) for number in range(8)]
            pids = {future.result(timeout=120) for future in futures}
    assert len(pids) == 1
    assert [line for line in said if "is set aside" in line and "SIGKILL" in line]


@pytest.mark.slow
def test_a_job_that_ends_workers_anywhere_is_given_up_and_no_node_is_set_aside() -> None:
    said: list[str] = []
    with cluster(nodes=0) as nodes:
        for _ in range(2):
            nodes.add_node(num_cpus=1, env_vars={"ENDS_WORKERS": "1 3 5"}, **SMALL)
        with open_executor(Workforce(2, "ray", nodes.address), MODULE, say=said.append) as executor:
            futures = [executor.submit(fall, number) for number in range(7)]
            ended = [future.exception(timeout=120) for future in futures]
    assert [number for number, error in enumerate(ended) if isinstance(error, WorkerDiedError)] == [1, 3, 5]
    assert not [error for error in ended if not (error is None or isinstance(error, WorkerDiedError))]
    assert not [line for line in said if "is set aside" in line]


@pytest.mark.slow
def test_no_worker_imports_from_the_folder_that_a_search_is_begun_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("statistics", "platform", "queue", "msgspec", "tvnsearch"):
        (tmp_path / f"{name}.py").write_text("open(__file__ + '.ran', 'w')\nraise ImportError\n")
    with cluster(nodes=1) as nodes:
        monkeypatch.chdir(tmp_path)
        with open_executor(Workforce(1, "ray", nodes.address), MODULE) as executor:
            assert executor.submit(fall, 0).result(timeout=120)
        assert Path.cwd() == tmp_path
    assert not list(tmp_path.glob("*.ran"))


@pytest.mark.slow
def test_a_node_that_lacks_the_folder_is_set_aside_and_no_job_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "sitecustomize.py").write_text(
        "import os\nchdir = os.chdir\n"
        "def chdir_elsewhere(folder):\n"
        "    chdir(os.path.join(folder, 'gone') if 'runs' in str(folder) else folder)\n"
        "os.chdir = chdir_elsewhere\n"
    )
    folder = tmp_path / "runs"
    folder.mkdir()
    said: list[str] = []
    with cluster(nodes=0) as nodes:
        nodes.add_node(num_cpus=4, env_vars={"PYTHONPATH": f"{lacking}:{REPOSITORY}"}, **SMALL)
        nodes.add_node(num_cpus=1, **SMALL)
        monkeypatch.chdir(folder)
        with open_executor(Workforce(5, "ray", nodes.address), MODULE, say=said.append) as executor:
            futures = [executor.submit(gpu_of) for _ in range(8)]
            pids = {future.result(timeout=120)[0] for future in futures}
    assert len(pids) == 1
    assert [line for line in said if "is set aside" in line and f"expected the folder {folder}" in line]


@pytest.mark.slow
def test_a_worker_that_waits_joins_when_a_node_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with cluster(nodes=1) as nodes:
        from tvnsearch.search.executors import ray_cluster

        monkeypatch.setattr(ray_cluster, "ROOM_WITHIN_SECONDS", 1.0)
        with open_executor(Workforce(2, "ray", nodes.address), MODULE, say=said.append) as executor:
            told_first: list[Any] = []
            told: list[Any] = []
            long = executor.submit(tick, tmp_path / "long", told_first, 120.0)
            wait_until(lambda: told_first)
            said.clear()
            other = executor.submit(tick, tmp_path / "ticks", told)
            wait_until(lambda: said)
            time.sleep(2.5)
            assert not told
            nodes.add_node(num_cpus=1, **SMALL)
            other.result(timeout=60)
            assert not long.done()
    assert len(said) == 1
    assert (
        "a worker waits until a machine of the Ray cluster has room for it (1 core(s)); the 1 at work"
        in said[0]
    )


@pytest.mark.slow
def test_a_cluster_that_scales_from_zero_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with cluster(nodes=0) as nodes:
        from tvnsearch.search.executors import ray_room

        with (
            pytest.raises(
                UserError, match=r"1 core\(s\) for a worker, but of 1 none has them .*add machines"
            ),
            open_executor(Workforce(1, "ray", nodes.address), MODULE, say=said.append),
        ):
            raise AssertionError("a cluster that does not scale has no room")
        assert not said
        monkeypatch.setattr(ray_room, "scales", lambda: True)
        monkeypatch.setattr(ray_room, "SCALE_SECONDS", 60.0)
        answers: list[Any] = []

        def search() -> None:
            with open_executor(Workforce(1, "ray", nodes.address), MODULE, say=said.append) as executor:
                answers.append(executor.submit(gpu_of).result(timeout=60))

        searching = Thread(target=search)
        searching.start()
        wait_until(lambda: said)
        nodes.add_node(num_cpus=1, **SMALL)
        searching.join(timeout=90)
    assert answers
    assert len(said) == 1
    assert "no machine for a worker yet (1 core(s)): asked for one, and waiting up to 1 minutes" in said[0]


@pytest.mark.slow
def test_a_cluster_is_reached_from_outside_through_its_client_server(tmp_path: Path) -> None:
    pytest.importorskip(
        "grpc", reason="Ray's client is not installed; `pip install 'ray[client]'` to test it"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with cluster(nodes=2, ray_client_server_port=port):
        workforce = Workforce(2, "ray", f"ray://127.0.0.1:{port}", gpus_per_worker=0.5)
        with open_executor(workforce, MODULE, "cpu", measured_gpu=0) as executor:
            told: list[Any] = []
            ticking = executor.submit(tick, tmp_path / "ticks", told)
            assert executor.submit(gpu_of).result(timeout=120)
            wait_until(lambda: told)
            with executor.standing_still():
                time.sleep(0.2)
                before = (tmp_path / "ticks").stat().st_size
                time.sleep(0.5)
                assert (tmp_path / "ticks").stat().st_size == before
            assert ticking.result(timeout=60)


@pytest.mark.slow
def test_a_machine_with_other_versions_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(nodes=1) as nodes:
        from tvnsearch.search.executors import versions

        monkeypatch.setattr(versions, "version", lambda package: "99.0")
        with (
            open_executor(Workforce(1, "ray", nodes.address), MODULE) as executor,
            pytest.raises(UserError, match=r"expected tvnsearch 99\.0 on .* \(Ray node .*\).* it has 0\.1"),
        ):
            executor.submit(gpu_of).result(timeout=60)


AUTOSCALING = {
    "cluster_name": "scales",
    "max_workers": 2,
    "available_node_types": {
        "training": {"resources": {"CPU": 2}, "node_config": {}, "min_workers": 0, "max_workers": 2},
        "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
    },
    "head_node_type": "ray.head.default",
    "provider": {"type": "fake_multinode", "disable_launch_config_check": True},
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 5,
} | {
    name: empty
    for names, empty in (
        (("auth", "docker", "file_mounts"), {}),
        (("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands"), []),
        (("head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files"), []),
    )
    for name in names
}
"""Of a cluster whose autoscaler finds no machine to add: that provider can launch none in here."""


@pytest.mark.slow
def test_a_cluster_whose_autoscaler_brings_no_machine_is_a_sentence_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_FAKE_CLUSTER", "1")
    config, said = tmp_path / "scales.json", list[str]()
    config.write_text(json.dumps(AUTOSCALING))
    with cluster(nodes=0, autoscaling_config=str(config)) as nodes:
        from tvnsearch.search.executors import ray_room

        monkeypatch.setattr(ray_room, "SCALE_SECONDS", 6.0)
        with (
            pytest.raises(UserError, match=r"expected the Ray cluster to add a machine with 1 core\(s\)"),
            open_executor(Workforce(1, "ray", nodes.address), MODULE, say=said.append),
        ):
            raise AssertionError("there is no machine")
    assert len(said) == 1
    assert "asked for one, and waiting" in said[0]
