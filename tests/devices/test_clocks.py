from __future__ import annotations

import time

import pytest
import torch

from tvnsearch.devices.clocks import HostClock


def test_processor_time_stands_still_while_a_run_waits():
    interval = HostClock(threads=1).time(lambda: time.sleep(0.02))
    assert interval.wall_ns >= 20_000_000
    assert interval.cpu_ns < 10_000_000


def test_with_several_threads_there_is_no_processor_time():
    assert HostClock(threads=2).time(lambda: None).cpu_ns == 0


def test_layer_calls_are_timed_one_by_one():
    def run(stamp):
        for rounds in (1_000, 300_000):
            sum(range(rounds))
            stamp()

    for threads in (1, 2):
        short_ns, long_ns = HostClock(threads).time_calls(run).call_ns
        assert 0 <= short_ns < long_ns


@pytest.mark.skipif(not torch.cuda.is_available(), reason="events need a GPU, and torch sees none here")
def test_a_gpus_layer_calls_add_up():
    from tvnsearch.devices.cuda_clock import CudaClock

    square = torch.randn(2048, 2048, device="cuda")

    def run(stamp):
        for _ in range(4):
            torch.mm(square, square)
            stamp()

    clock = CudaClock()
    clock.time_calls(run)
    taken = clock.time_calls(run)
    assert len(taken.call_ns) == 4
    assert 0 < sum(taken.call_ns) <= taken.interval.wall_ns * 1.1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="its cache needs a GPU, and torch sees none here")
def test_a_gpu_starts_each_run_with_a_cold_cache():
    from tvnsearch.devices.cuda_clock import CudaClock

    fits_in_cache = torch.randn(2**20, device="cuda")
    clock = CudaClock()
    warm = min(_twice_in_one_run_ns(clock, fits_in_cache)[1] for _ in range(20))
    cold = min(_twice_in_one_run_ns(clock, fits_in_cache)[0] for _ in range(20))
    assert cold > warm


def _twice_in_one_run_ns(clock, values):
    def run(stamp):
        for _ in range(2):
            values.sum()
            stamp()

    return clock.time_calls(run).call_ns
