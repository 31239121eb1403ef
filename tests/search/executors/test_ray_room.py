"""Which machines can host a worker, and with how many cores: by what Ray says of its nodes."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")

from tvnsearch.errors import UserError
from tvnsearch.search.executors import ray_joining, ray_room

HEAD = {"CPU": 0.0}
DEAD = {"NodeID": "dead", "Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}


def said_by_ray(machines: list[dict[str, float]]) -> list[dict[str, Any]]:
    nodes = [{"NodeID": str(n), "Alive": True, "Resources": has} for n, has in enumerate(machines)]
    return [*nodes, DEAD]


@pytest.mark.parametrize(
    ("machines", "workers", "gpus", "cores"),
    [
        ([HEAD, {"CPU": 8.0}, {"CPU": 8.0}], 2, 0.0, 8),
        ([HEAD, {"CPU": 8.0}, {"CPU": 8.0}], 4, 0.0, 4),
        ([HEAD, {"CPU": 8.0}, {"CPU": 8.0}], 3, 0.0, 4),
        ([{"CPU": 1.0}, {"CPU": 16.0}, {"CPU": 16.0}], 2, 0.0, 16),
        ([{"CPU": 2.0}, {"CPU": 16.0, "GPU": 2.0}], 2, 1.0, 8),
        ([{"CPU": 64.0}, {"CPU": 4.0, "GPU": 4.0}], 4, 1.0, 1),
        ([{"CPU": 8.0, "GPU": 1.0}], 2, 0.5, 4),
        ([{"CPU": 9.0, "GPU": 2.0}], 4, 0.34, 2),
        ([{"CPU": 4.0}], 16, 0.0, 1),
        ([{"CPU": 16.0, "GPU": 1.0}], 4, 1.0, 16),
        ([HEAD], 4, 0.0, 1),
    ],
)
def test_cores_are_shared_by_the_machines_that_can_host_a_worker(
    machines: list[dict[str, float]],
    workers: int,
    gpus: float,
    cores: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_room.ray, "nodes", lambda: said_by_ray(machines))
    assert ray_room.need_of_each(workers, gpus, ray_room.hosts(gpus)) == (cores, gpus)


def test_a_node_that_is_left_out_hosts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [HEAD, {"CPU": 2.0}, {"CPU": 8.0}]
    monkeypatch.setattr(ray_room.ray, "nodes", lambda: said_by_ray(machines))
    assert [host.node for host in ray_room.hosts(0.0)] == ["1", "2"]
    assert [host.node for host in ray_room.hosts(0.0, without={"2"})] == ["1"]


@pytest.mark.parametrize(
    ("machines", "gpus", "sentence"),
    [
        ([{"CPU": 4.0}, {"CPU": 4.0, "GPU": 2.0}], 1, None),
        ([HEAD, {"CPU": 4.0}], 0, None),
        ([{"CPU": 4.0}], 1, "of 1 none has them (at most 0 GPU(s)); say --train-on cpu"),
        ([{"memory": 1.0}], 0, "add machines with cores"),
        ([{"CPU": 4.0}, {"GPU": 2.0}], 1, "add machines with cores"),
    ],
)
def test_a_worker_needs_its_cores_and_gpus_on_one_machine(
    machines: list[dict[str, float]], gpus: int, sentence: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_room.ray, "nodes", lambda: said_by_ray(machines))
    monkeypatch.setattr(ray_room, "scales", lambda: False)
    said: list[str] = []
    if sentence is None:
        ray_room.find_room(gpus, said.append)
    else:
        with pytest.raises(UserError, match=re.escape(sentence)):
            ray_room.find_room(gpus, said.append)
    assert not said


@pytest.mark.parametrize(
    ("report", "scales"),
    [
        ({"active_nodes": {"headgroup": 1}, "idle_nodes": None}, True),
        ({"active_nodes": {}, "idle_nodes": {"ray.head.default": 1}}, True),
        ({"active_nodes": {"node_5fd1": 1, "node_77ab": 1}, "idle_nodes": None}, False),
        (
            {"active_nodes": {}, "idle_nodes": None, "node_type_mapping": {"10.0.0.1": "ray.head.default"}},
            True,
        ),
        ({"active_nodes": {}, "idle_nodes": None}, None),
        (None, None),
    ],
)
def test_a_cluster_that_was_made_by_hand_does_not_scale(report: Any, scales: bool | None) -> None:
    status = {"time": 1.0, "load_metrics_report": {}} | (
        {} if report is None else {"autoscaler_report": report}
    )
    assert ray_room.scales_by(json.dumps(status).encode()) is scales
    assert ray_room.scales_by(None) is None


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("auto", None),
        ("head:6379", ("head", 6379)),
        ("10.0.0.4:6379", ("10.0.0.4", 6379)),
        ("[fe80::1]:6379", ("fe80::1", 6379)),
        ("ray://head:10001", ("head", 10001)),
        ("ray://[fe80::1]:10001", ("fe80::1", 10001)),
    ],
)
def test_addresses_lead_to_a_host_and_port(address: str, place: tuple[str, int] | None) -> None:
    assert ray_joining.host_and_port(address) == place


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "127.0.0.1:1", "[::1]:1"])
def test_where_nothing_listens_is_a_sentence_at_once(address: str) -> None:
    with pytest.raises(UserError, match=rf"a Ray cluster at {re.escape(address)}, but there is none to join"):
        ray_joining.connect(address)


def test_a_client_address_without_a_port_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"at ray://head, .*no port, such as 10001"):
        ray_joining.connect("ray://head")


def test_a_client_that_is_not_installed_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_joining, "find_spec", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"ray://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(UserError, match=r"expected Ray's client for ray://.*pip install 'ray\[client\]'"):
            ray_joining.connect(address)


def test_auto_is_what_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:1")
    with pytest.raises(UserError, match=r"a Ray cluster at ray://127\.0\.0\.1:1, but"):
        ray_joining.connect("auto")
