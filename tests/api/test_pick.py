"""Another budget, as Python asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.fakes import FakeFitness, FakeLatency, Moved, in_process, make_plan
from tvnsearch.api.pick import pick
from tvnsearch.api.trained_model import load_model
from tvnsearch.api.watching import Watch
from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError
from tvnsearch.search import Budget, Journal, run_search
from tvnsearch.search.outcome.rebudget import pick as pick_within


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    with Journal.create(run, make_plan(trainings=20)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return run


def test_a_budget_is_said_in_keywords(run: Path) -> None:
    answer = pick(str(run), max_ms=1.5, max_params=80_000)
    assert answer == pick_within(run, Budget(1.5, 80_000))
    assert answer.picked.params <= 80_000


def test_other_devices_are_those_that_the_run_predicted_for(run: Path) -> None:
    with pytest.raises(UserError, match=r"expected devices that the run .* but got nvidia-h200"):
        pick(run, max_ms=1.5, others_max_ms={"nvidia-h200": 10.0})


class NoMeter:
    """Only knows what the device is."""

    def __init__(self, device: Device, classes: int) -> None:
        self.fingerprint = {"device": device.name}

    def __enter__(self) -> NoMeter:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The device of the run, on which everything takes what it did; other measurements can be set."""
    monkeypatch.setattr("tvnsearch.devices.meter.Meter", NoMeter)
    monkeypatch.setattr("tvnsearch.devices.device.fingerprint_digest", lambda _: make_plan().device_digest)
    measure(monkeypatch, FakeLatency(fails=False))
    return monkeypatch


def measure(device: pytest.MonkeyPatch, latency: FakeLatency) -> None:
    device.setattr("tvnsearch.api.device_latency.Promises", lambda *_: latency)


def test_what_is_picked_is_written_as_a_trained_network_with_its_own_weights(
    run: Path, tmp_path: Path, device: pytest.MonkeyPatch
) -> None:
    answer = pick(run, max_ms=1.5, out=tmp_path / "picked")
    model = load_model(tmp_path / "picked")
    assert model.genome == answer.picked.genome
    assert answer.weights == str(model.weights)
    assert model.weights.read_bytes() == b"weights of " + answer.picked.genome_id.encode()
    assert answer.picked.trusted
    assert (model.card.device, model.card.max_ms) == (make_plan().device, 1.5)
    with pytest.raises(UserError, match=r"expected a folder without a network, but .*picked has one"):
        pick(run, max_ms=1.5, out=tmp_path / "picked")


def test_what_takes_longer_now_is_not_handed_over(
    run: Path, tmp_path: Path, device: pytest.MonkeyPatch
) -> None:
    first = pick(run, max_ms=1.5, out=tmp_path / "first")
    measure(device, Moved({first.picked.genome_id}))
    said: list[str] = []
    second = pick(run, max_ms=1.5, out=tmp_path / "second", watch=Watch(say=said.append))
    assert second.picked.fitness <= first.picked.fitness
    assert second.picked.genome_id != first.picked.genome_id
    assert any(f"individual {first.picked.number} cannot win" in line for line in said)


def test_on_another_device_nothing_is_handed_over(
    run: Path, tmp_path: Path, device: pytest.MonkeyPatch
) -> None:
    device.setattr("tvnsearch.devices.device.fingerprint_digest", lambda _: "ba9876543210")
    with pytest.raises(UserError, match="but this is ba9876543210; pick there"):
        pick(run, max_ms=1.5, out=tmp_path / "picked")
    assert not (tmp_path / "picked").exists()
