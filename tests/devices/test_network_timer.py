from __future__ import annotations

from types import SimpleNamespace

import pytest

from tvnsearch.control_groups import Container
from tvnsearch.devices import Device, Meter, fingerprint_digest, network_timer, reference
from tvnsearch.devices.clocks import HostClock
from tvnsearch.devices.fingerprint import fingerprint
from tvnsearch.devices.layer_profiler import LayerProfiler
from tvnsearch.devices.timing import Interval, Plan, Yardstick
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import SpatialConv, TemporalConv


@pytest.fixture
def gpu_timer(tmp_path, monkeypatch):
    """A timer whose device is said to be a GPU; what it would set for the whole process is left alone."""
    monkeypatch.setattr(reference.platformdirs, "user_state_path", lambda name: tmp_path / name)
    monkeypatch.setattr(network_timer, "require_memory", lambda *arguments: None)
    monkeypatch.setattr(network_timer.torch, "set_num_threads", lambda threads: None)
    monkeypatch.setattr(network_timer.torch, "set_flush_denormal", lambda flush: None)
    monkeypatch.setattr(network_timer.os, "sched_setaffinity", lambda process, cores: None)
    made = network_timer.NetworkTimer(Device("cpu"))
    made.device = Device("cuda")
    monkeypatch.setattr(made, "_prepared", lambda genome, classes: SimpleNamespace(run=None))
    monkeypatch.setattr(made, "_warmed", lambda run: lambda: Interval(1_000_000, 0, 0))
    return made


def test_the_best_of_a_gpu_is_kept_for_later_processes(gpu_timer):
    digest = fingerprint_digest(fingerprint(Device("cpu")))
    assert reference.known_best_ns(digest) is None
    timing = gpu_timer.measure([None], 10, Plan(max_seconds=0.05))
    assert (timing.copy_ns, timing.best_copy_ns) == (None, None)
    best_ns = reference.known_best_ns(digest)
    assert best_ns is not None
    reference.keep_best_ns(digest, best_ns // 2)  # a process that saw the GPU before it was throttled
    throttled = network_timer.NetworkTimer(Device("cpu"))
    throttled.device, throttled._warmed = gpu_timer.device, gpu_timer._warmed
    throttled._prepared = gpu_timer._prepared
    (measured,) = throttled.measure([None], 10, Plan(max_seconds=0.05)).measurements
    assert not measured.trusted
    assert "of its best speed" in measured.reason


def test_what_a_container_stopped_meanwhile_is_not_trusted(gpu_timer, monkeypatch):
    """Passes of a GPU do not show it one by one."""
    counts = iter((3, 5))
    monkeypatch.setattr(network_timer, "read_container", lambda: Container(4.0, next(counts)))
    (measured,) = gpu_timer.measure([None], 10, Plan(max_seconds=0.05)).measurements
    assert (measured.trusted, measured.samples) == (False, 0)
    assert "used up its CPU quota of 4 cores, and was stopped 2 times meanwhile" in measured.reason


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("method", ["profile", "time_layers"])
def test_a_runtimes_own_nodes_divide_the_latency_of_passes_that_nobody_counted(backend, method):
    pytest.importorskip(backend)
    layers = SpatialConv(8, 3, 1, "relu"), TemporalConv(8, 2)
    genome = Genome(square_input(24, 3), (Block(layers, 2, "identity"),))
    calls = trace(genome, 5).calls
    with Meter(Device("cpu", backend=backend), 5) as meter:
        found = getattr(meter, method)(genome, max_seconds=0.2)
    assert len(found.latencies_ms) == len(found.parts) == len(calls)
    assert sum(found.latencies_ms) == pytest.approx(found.network.latency_ms)
    assert all(found.latencies_ms[place] == 0 for place, part in enumerate(found.parts) if part != place)
    convolutions_ms = sum(
        latency_ms for call, latency_ms in zip(calls, found.latencies_ms, strict=True) if "conv" in call.type
    )
    assert convolutions_ms > found.network.latency_ms / 3


def test_a_network_that_tells_nothing_of_its_inside_is_one_part():
    class Silent:
        def run(self):
            sum(range(20_000))

    clock = HostClock(1)
    layers = LayerProfiler(clock, Yardstick(lambda: clock.time(Silent().run)), "network")
    found = layers.profile(Silent(), 4, 0.2)
    assert found.parts == (0, 0, 0, 0)
    assert found.latencies_ms == (found.network.latency_ms, 0, 0, 0)
