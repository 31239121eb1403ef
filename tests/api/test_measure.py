"""What is measured is told as it was measured."""

from __future__ import annotations

import pytest

import tvnsearch
from tests.api.watches import Heard
from tests.latency_db.fakes import layer_profile, measurement
from tvnsearch.api import measure as module
from tvnsearch.api.trained_model import load_model
from tvnsearch.devices import Device
from tvnsearch.genome import genome_id, trace
from tvnsearch.genome.zoo import load_zoo

GENOMES = [load_zoo("tvn-1"), load_zoo("tvn-m-2")]


class StampingMeter:
    def __init__(self, device, classes, say):
        assert (device, classes) == (Device("cpu", batch=2), 10)

    def time_layers(self, genome, max_seconds):
        return layer_profile(genome, 10)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture(autouse=True)
def _made_up(monkeypatch):
    def measured(device, genomes, classes, max_seconds, on_progress, say):
        assert (device, genomes, classes, max_seconds) == (Device("cpu", batch=2), GENOMES, 10, 3.0)
        on_progress(1.0)
        return [measurement(20.0), measurement(5.0, trusted=False)]

    monkeypatch.setattr(module, "measure_in_processes", measured)
    monkeypatch.setattr(module, "Meter", StampingMeter)


def test_figures_stand_by_their_names():
    heard = Heard()
    device = tvnsearch.open_device("cpu", batch=2)
    first, second = tvnsearch.measure(
        ["tvn-1", GENOMES[1]], device, classes=10, max_seconds=3.0, watch=heard.watch
    )
    assert (first.name, second.name) == ("tvn-1", genome_id(GENOMES[1]))
    assert (first.latency_ms, first.ci_low_ms, first.trusted, first.layers) == (20.0, 19.8, True, None)
    assert (second.latency_ms, second.reason) == (5.0, "too noisy")
    assert heard.shares("measure") == [0.0, 1.0]


def test_layers_are_named_and_add_up():
    heard = Heard()
    device = tvnsearch.open_device("cpu", batch=2)
    [first, _] = tvnsearch.measure(
        GENOMES, device, classes=10, max_seconds=3.0, layers=True, watch=heard.watch
    )
    profile = layer_profile(GENOMES[0], 10)
    assert [call.latency_ms for call in first.layers.calls] == list(profile.latencies_ms)
    assert [call.name for call in first.layers.calls] == [
        name for name, _ in trace(GENOMES[0], 10).named_calls()
    ]
    assert first.layers.sum_ms == sum(profile.latencies_ms)
    assert (first.layers.passes, first.layers.disturbed) == (12, 3)
    assert heard.shares("layers") == [0.5, 1.0]


def test_each_network_is_measured_with_the_classes_that_it_was_trained_for(net, monkeypatch):
    """Those with as many run in turns; what comes back is in the order that was asked for."""
    together, stamping = [], []

    def measured(device, genomes, classes, max_seconds, on_progress, say):
        together.append((classes, [genome_id(genome) for genome in genomes]))
        on_progress(0.5)
        on_progress(1.0)
        return [measurement(trace(genome, classes).params) for genome in genomes]

    class OtherMeter(StampingMeter):
        def __init__(self, device, classes, say):
            stamping.append(classes)

        def time_layers(self, genome, max_seconds):
            return layer_profile(genome, stamping[-1])

    monkeypatch.setattr(module, "measure_in_processes", measured)
    monkeypatch.setattr(module, "Meter", OtherMeter)
    heard, asked = Heard(), ["tvn-1", net, GENOMES[1]]
    rows = tvnsearch.measure(asked, layers=True, watch=heard.watch)
    genomes = [GENOMES[0], load_model(net).genome, GENOMES[1]]
    assert [row.classes for row in rows] == [339, 3, 339]
    assert [row.latency_ms for row in rows] == [
        trace(genome, classes).params for genome, classes in zip(genomes, (339, 3, 339), strict=True)
    ]
    ids = [genome_id(genome) for genome in genomes]
    assert together == [(339, [ids[0], ids[2]]), (3, [ids[1]])]
    assert stamping == [339, 3]
    assert [len(row.layers.calls) for row in rows] == [len(trace(genome, 3).calls) for genome in genomes]
    assert heard.shares("measure") == pytest.approx([0.0, 1 / 3, 2 / 3, 5 / 6, 1.0])
    assert heard.shares("layers") == pytest.approx([1 / 3, 2 / 3, 1.0])
    together.clear()
    assert {row.classes for row in tvnsearch.measure(asked, classes=10)} == {10}
    assert together == [(10, ids)]
