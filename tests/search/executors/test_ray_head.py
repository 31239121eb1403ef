"""The head of a Ray cluster that is lost: what a command says and leaves, on real clusters and processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")

from ray.exceptions import RpcError

from tests.cli.test_interruption import options
from tests.search.executors.ray_nodes import REPOSITORY, cluster
from tests.search.executors.test_ray import wait_until
from tvnsearch.search import Journal, journal_path
from tvnsearch.search.executors import ClusterLostError, ray_head
from tvnsearch.search.executors.ray_head import Head

ENDS_WITHIN_SECONDS = 90
"""Of a command whose cluster is gone, on a slow machine; Ray would wait for a minute and then kill it."""


def command(folder: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.search.executors.pretending_process", str(folder), *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fitnesses(run: Path) -> dict[int, float]:
    """Of what is trained."""
    if not journal_path(run).is_file():
        return {}
    with Journal.read(run) as journal:
        return {number: one.fitness.value for number, one in journal.history().individuals.items()}


def lose_the_machine(nodes: Any) -> None:
    nodes.head_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)


def lose_the_server(nodes: Any) -> None:
    nodes.head_node.kill_gcs_server(check_alive=False)


@pytest.mark.slow
@pytest.mark.parametrize("lose", [lose_the_machine, lose_the_server])
def test_a_command_ends_with_a_sentence_and_resume_loses_nothing(
    lose: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAIN_SECONDS", "4")
    run, ray = tmp_path / "run", ("--executor", "ray", "--workers", 2, "--address")
    with cluster(nodes=2) as nodes:
        words = ("evolve", "--run", "run", *options(tmp_path), *ray, nodes.address)
        process = command(tmp_path, *words)
        while len(fitnesses(run)) < 2:
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        lose(nodes)
        _, said = process.communicate(timeout=ENDS_WITHIN_SECONDS)
    assert process.returncode == 2, said
    assert "Traceback" not in said
    assert "the head of the Ray cluster at" in said.splitlines()[-1]
    assert said.splitlines()[-1].endswith(
        "; mend that, and `tvnsearch resume run` goes on: nothing that was trained is lost"
    )
    before = fitnesses(run)
    assert len(before) >= 2

    monkeypatch.setenv("TRAIN_SECONDS", "0")
    with cluster(nodes=2) as nodes:
        process = command(tmp_path, "resume", "run", "--address", nodes.address)
        _, said = process.communicate(timeout=ENDS_WITHIN_SECONDS)
    assert process.returncode == 0, said
    after = fitnesses(run)
    assert len(after) == 8
    assert {number: after[number] for number in before} == before
    with Journal.read(run) as journal:
        assert not journal.history().failures
    assert (run / "winner" / "weights.safetensors").read_bytes() == b"weights"


def test_who_asks_hears_of_the_loss_though_ray_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens at the port of the head."""
    monkeypatch.setattr(ray_head, "LOST_SECONDS", 1.5)
    monkeypatch.setattr(ray_head, "SAID_AFTER_SECONDS", 0.5)
    monkeypatch.setattr(ray_head, "LOOK_EVERY_SECONDS", 0.1)
    said: list[str] = []
    head, never = Head("127.0.0.1:1", said.append), threading.Event()
    with head.watched():
        assert head.asked(lambda: 7) == 7
        with pytest.raises(ClusterLostError, match=r"cluster at 127\.0\.0\.1:1 is lost: it has not answered"):
            head.asked(never.wait)
        with pytest.raises(ClusterLostError):
            head.asked(lambda: 7)
    assert len(said) == 1
    assert "does not answer: waiting up to" in said[0]


def test_what_ray_raises_is_raised_where_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    head = Head("127.0.0.1:1", print)
    with pytest.raises(ZeroDivisionError):
        head.asked(lambda: 1 // 0)


@pytest.mark.parametrize("is_another", [False, True])
def test_a_head_that_comes_back_goes_on_unless_it_is_another_one(
    is_another: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_key: bytes, namespace: bytes) -> None:
        if is_another:
            raise RpcError("Unauthenticated")

    monkeypatch.setattr(ray_head, "_internal_kv_get", answer)
    monkeypatch.setattr(ray_head, "SAID_AFTER_SECONDS", 0.3)
    monkeypatch.setattr(ray_head, "LOOK_EVERY_SECONDS", 0.1)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    head, asked = Head(f"127.0.0.1:{port}", said.append), threading.Event()
    with head.watched():
        wait_until(lambda: said)
        with socket.create_server(("127.0.0.1", port)):
            if is_another:
                with pytest.raises(ClusterLostError, match="is lost: another one is there by now"):
                    head.asked(asked.wait)
            else:
                wait_until(lambda: len(said) > 1)
                assert said[1].endswith("answers again")
                assert head.asked(lambda: 7) == 7
