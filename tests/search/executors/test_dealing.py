"""Which GPU each local worker gets, and which it sees."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tvnsearch.errors import UserError
from tvnsearch.search.executors import RemoteWorker, open_executor, opening
from tvnsearch.search.executors.dealing import chosen_gpus, deal, visible_name
from tvnsearch.search.settings import Workforce
from tvnsearch.workers import WorkerDiedError

MODULE = "tests.echo_worker"


@pytest.mark.parametrize(
    ("workers", "gpus", "gpus_per_worker", "measured", "dealt"),
    [
        (1, [0], 1.0, None, [0]),
        (3, [0, 1, 2], 1.0, None, [0, 1, 2]),
        (2, [0, 1, 2], 1.0, None, [0, 1]),
        (2, [0, 1, 2], 1.0, 0, [1, 2]),
        (4, [0, 1, 2], 0.5, 0, [1, 2, 1, 2]),
        (3, [0, 1], 0.25, 0, [1, 1, 1]),
        (5, [0, 1], 0.34, None, None),
        (4, [0, 1], 0.34, None, [0, 1, 0, 1]),
        (10, [0], 0.1, None, [0] * 10),
        (3, [0], 1 / 3, None, [0, 0, 0]),
        (1, [0], 1.0, 0, [0]),
        (2, [0], 0.5, 0, [0, 0]),
        (1, [0], 1.0, 1, [0]),
        (1, [3], 0.7, 0, [3]),
        (2, [3], 0.7, 0, None),
        (3, [0, 1, 2], 1.0, 0, None),
        (2, [0], 1.0, None, None),
    ],
)
def test_gpus_are_dealt_out_beside_the_one_that_is_measured(
    workers: int, gpus: list[int], gpus_per_worker: float, measured: int | None, dealt: list[int] | None
) -> None:
    if dealt is not None:
        assert deal(workers, gpus, gpus_per_worker, measured) == dealt
        return
    with pytest.raises(UserError, match=f"expected places on GPUs for {workers} workers"):
        deal(workers, gpus, gpus_per_worker, measured)


def test_too_few_places_are_refused_with_how_many_workers_fit() -> None:
    with pytest.raises(
        UserError, match=r"8 workers, but 4 fit on 2 GPU\(s\) with 0.5 for each; say --workers 4"
    ):
        deal(8, [0, 1], 0.5, None)
    with pytest.raises(UserError, match=r"2 fit .*, cuda:0 being kept for measurements; say --workers 2"):
        deal(3, [0, 1, 2], 1.0, measured=0)


def test_the_gpus_that_are_named_are_here() -> None:
    assert chosen_gpus("cuda", 3) == [0, 1, 2]
    assert chosen_gpus("cuda:2", 3) == [2]
    with pytest.raises(UserError, match=r"--train-on cuda:3, but it has cuda:0, cuda:1, cuda:2; say"):
        chosen_gpus("cuda:3", 3)
    with pytest.raises(UserError, match=r"--train-on cuda, but torch sees none here, only a CPU; say"):
        chosen_gpus("cuda", 0)


def test_gpus_are_counted_among_those_that_are_visible_already() -> None:
    assert visible_name(2, None) == "2"
    assert [visible_name(gpu, "5, GPU-8f1d,3") for gpu in range(3)] == ["5", "GPU-8f1d", "3"]


def gpu_of(worker: RemoteWorker) -> Any:
    answer = worker.call("echo", {"value": 0})
    time.sleep(0.5)  # so that each has one
    return answer["pid"], answer["gpus"]


def die(worker: RemoteWorker) -> None:
    worker.call("die", {})


def test_each_local_worker_sees_its_own_gpu_also_after_another_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "gpus_here", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    with open_executor(Workforce(workers=2), MODULE, "cuda", measured_gpu=0) as executor:
        before = dict(future.result() for future in [executor.submit(gpu_of) for _ in range(2)])
        with pytest.raises(WorkerDiedError):
            executor.submit(die).result()
        after = dict(future.result() for future in [executor.submit(gpu_of) for _ in range(2)])
    assert sorted(before.values()) == sorted(after.values()) == ["6", "7"]
    assert before != after


def test_who_trains_on_the_cpu_leaves_gpus_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    with open_executor(Workforce(), MODULE, "cpu", measured_gpu=0) as executor:
        assert executor.submit(gpu_of).result()[1] == "4,6"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"train_on": "gpu"}, "expected to train on cpu, cuda or one GPU such as cuda:1, but got 'gpu'"),
        ({"train_on": "cuda:"}, "expected to train on cpu, cuda or one GPU"),
        ({"train_on": "cuda:1", "executor": "ray"}, "expected a Ray cluster to choose the GPUs .* cuda:1"),
        ({"gpus_per_worker": 0.0}, "expected more than 0 and up to 1 GPU per worker, but got 0"),
        ({"gpus_per_worker": 2.0}, "up to 1 GPU per worker, but got 2"),
    ],
)
def test_what_cannot_be_trained_on_is_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Workforce(**options)
