from __future__ import annotations

from msgspec.structs import replace

from tvnsearch.devices import Device
from tvnsearch.devices.diagnosis import Noise, advice, measure_noise
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv

CALM = Noise(
    latency_ms=10.0,
    noise_floor_percent=0.5,
    disturbed_share=0.05,
    trusted=5,
    measurements=5,
    unpinned_latency_ms=14.0,
)
HEALTHY = {"governor": "performance", "allocator": "pinned"}


def test_a_calm_machine_needs_no_advice():
    assert advice(HEALTHY, CALM, "") == []
    assert advice({**HEALTHY, "governor": "unknown"}, CALM, "") == []


def test_each_fault_has_a_sentence_that_says_what_to_do():
    assert "end it" in advice(HEALTHY, replace(CALM, disturbed_share=0.5), "")[0]
    assert "8.0 %" in advice(HEALTHY, replace(CALM, noise_floor_percent=8.0), "")[0]
    assert "cpupower" in advice({**HEALTHY, "governor": "powersave"}, CALM, "")[0]
    assert "LD_PRELOAD" in advice({**HEALTHY, "allocator": "preloaded x"}, CALM, "")[0]


def test_a_container_that_stops_what_is_timed_is_the_reason_to_tell():
    [told] = advice(HEALTHY, replace(CALM, disturbed_share=1.0), "this container is small; give it more")
    assert told == "this container is small; give it more"


def test_noise_is_measured_in_turns_with_and_without_the_pinned_allocator():
    genome = Genome(square_input(32, 1), (Block((SpatialConv(16, 3),)),))
    shares: list[float] = []
    noise = measure_noise(Device("cpu"), genome, seconds=1.0, on_progress=shares.append)
    assert noise.latency_ms > 0 and noise.unpinned_latency_ms > 0
    assert noise.noise_floor_percent >= 0
    assert noise.measurements == 5 >= noise.trusted
    assert shares == sorted(shares) and shares[-1] == 1.0
