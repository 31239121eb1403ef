from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.latency_db.fakes import measurement
from tvnsearch.devices import measure_in_processes, open_device, processes
from tvnsearch.devices.measurement import Timing
from tvnsearch.devices.processes import MOST_PROCESSES, PROCESSES, combined, measure_until_trusted
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv


def test_processes_that_agree_are_trusted_and_their_middle_counts():
    together = combined([measurement(10.0), measurement(10.4), measurement(10.1)])
    assert together.trusted
    assert together.latency_ms == 10.1
    assert (together.ci_low_ms, together.ci_high_ms) == (pytest.approx(9.9), pytest.approx(10.504))
    assert together.samples == 3 * measurement(10.0).samples


def test_processes_that_differ_are_not_trusted():
    together = combined([measurement(10.0), measurement(10.7), measurement(10.1)])
    assert not together.trusted
    assert together.reason.startswith("3 processes differ by 6.9 %")


def test_one_process_that_is_not_trusted_is_enough():
    few = replace(measurement(10.0, trusted=False), samples=8)
    together = combined([measurement(10.0), few, measurement(10.0)])
    assert (together.trusted, together.reason) == (False, "too noisy")


def test_a_median_that_is_known_to_3_percent_is_enough():
    wide = replace(measurement(10.0, trusted=False), ci_low_ms=9.75)
    assert combined([wide, measurement(10.0), measurement(10.0)]).trusted
    wider = replace(wide, ci_low_ms=9.65)
    assert not combined([wider, measurement(10.0), measurement(10.0)]).trusted


def test_slow_memory_is_a_reason_not_to_trust():
    together = combined([measurement(10.0)] * 3, slowness=1.2)
    assert not together.trusted
    assert together.reason.startswith("memory ran at 83 % of its best speed")
    assert combined([measurement(10.0)] * 3, slowness=1.09).trusted


def test_without_an_interval_in_one_process_there_is_none_of_all():
    guess = replace(measurement(10.0, trusted=False), ci_low_ms=None, ci_high_ms=None, samples=2)
    together = combined([measurement(10.0), guess, measurement(10.0)])
    assert not together.trusted
    assert (together.ci_low_ms, together.ci_high_ms) == (None, None)


def test_far_below_a_limit_slow_memory_decides_nothing_else_and_is_not_trusted_all_the_same():
    measured = combined([measurement(10.0), measurement(11.5), measurement(10.1)], slowness=1.4)
    assert not measured.trusted
    assert measured.decides(20.0) is True
    assert measured.decides(15.0) is None
    assert measured.decides(5.0) is None


def test_what_is_not_trusted_is_measured_again_later_and_only_that(monkeypatch):
    asked, waited, said = [], [], []
    answers = [
        [measurement(1.0), measurement(2.0, trusted=False), measurement(3.0, trusted=False)],
        [measurement(2.1), measurement(3.1, trusted=False)],
        [measurement(3.2, trusted=False)],
    ]

    def in_processes(device, genomes, classes, max_seconds, limit_ms, say):
        asked.append(list(genomes))
        return answers[len(asked) - 1]

    monkeypatch.setattr(processes, "measure_in_processes", in_processes)
    measured = measure_until_trusted(
        open_device("cpu"), ["a", "b", "c"], 10, 9.0, 2.9, said.append, waited.append
    )
    assert asked == [["a", "b", "c"], ["b", "c"], ["c"]]
    assert [(one.latency_ms, one.trusted) for one in measured] == [(1.0, True), (2.1, True), (3.2, False)]
    assert len(waited) == len(said) == 2
    assert all("too noisy" in line for line in said)


class FakeMeters:
    """Each new meter times networks at the next of ``slownesses``: latencies and copies alike."""

    def __init__(self, slownesses):
        self.slownesses = list(slownesses)
        self.started = 0

    def __call__(self, device, classes, say):
        self.started += 1
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def time(self, genomes, max_seconds, half_width_percent, limit_ms):
        slowness = self.slownesses[self.started - 1]
        return Timing([measurement(10.0 * slowness) for _ in genomes], round(1e6 * slowness), 1_000_000)


@pytest.mark.parametrize(
    ("slownesses", "started", "latency_ms", "trusted"),
    [
        ([1.0, 1.01, 1.02], 3, 10.1, True),
        ([1.3, 1.0, 1.2, 1.02, 1.01], 5, 10.1, True),  # the slow ones do not count
        ([1.3, 1.2, 1.12, 1.25, 1.1, 1.08], MOST_PROCESSES, 11.0, False),
        ([1.3, 1.2, 1.1, 1.25, 1.05, 1.08], MOST_PROCESSES, 10.8, True),
    ],
)
def test_processes_with_quick_memory_count(monkeypatch, slownesses, started, latency_ms, trusted):
    meters = FakeMeters(slownesses)
    monkeypatch.setattr(processes, "Meter", meters)
    shares = []
    (result,) = measure_in_processes(open_device("cpu"), [None], 10, on_progress=shares.append)
    assert meters.started == started
    assert result.latency_ms == pytest.approx(latency_ms)
    assert result.trusted == trusted
    assert shares[-1] == 1.0


def test_the_first_processes_on_a_device_are_held_to_what_later_ones_find(monkeypatch):
    """On a device that nothing is known of, each process knows the best copy so far: its own at first."""
    known_ns = []

    class LearningMeters(FakeMeters):
        def time(self, genomes, max_seconds, half_width_percent, limit_ms):
            timing = super().time(genomes, max_seconds, half_width_percent, limit_ms)
            known_ns.append(timing.copy_ns)
            return replace(timing, best_copy_ns=min(known_ns))

    meters = LearningMeters([1.3, 1.25, 1.0, 1.01, 1.02])
    monkeypatch.setattr(processes, "Meter", meters)
    (result,) = measure_in_processes(open_device("cpu"), [None], 10)
    assert meters.started == 5
    assert result.latency_ms == pytest.approx(10.1)
    assert result.trusted


def test_real_processes_measure_in_turn():
    network = Genome(square_input(32, 1), (Block((SpatialConv(16, 3, 2, "relu"),)),))
    shares = []
    small, same = measure_in_processes(open_device("cpu"), [network, network], 10, 0.9, shares.append)
    assert PROCESSES <= len(shares) <= MOST_PROCESSES
    assert shares[-1] == 1.0
    for result in (small, same):
        if result.ci_low_ms is not None:
            assert 0 < result.ci_low_ms <= result.latency_ms <= result.ci_high_ms
        assert result.samples + result.disturbed >= PROCESSES
