from __future__ import annotations

import pytest

from tests.latency_db.fakes import measurement
from tvnsearch.devices import measure_in_processes, open_device
from tvnsearch.devices.several import PROCESSES, combined
from tvnsearch.genome import Block, Genome, InputSpec
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
    together = combined([measurement(10.0), measurement(10.0, trusted=False), measurement(10.0)])
    assert (together.trusted, together.reason) == (False, "too noisy")


def test_real_processes_measure_in_turn():
    network = Genome(InputSpec(32, 1), (Block((SpatialConv(16, 3, 2, "relu"),)),))
    shares = []
    small, same = measure_in_processes(open_device("cpu"), [network, network], 10, 0.9, shares.append)
    assert shares == [pytest.approx((number + 1) / PROCESSES) for number in range(PROCESSES)]
    for result in (small, same):
        assert 0 < result.ci_low_ms <= result.latency_ms <= result.ci_high_ms
        assert result.samples + result.disturbed >= PROCESSES
