"""A meter that invents its figures at once, and devices that nobody has."""

from __future__ import annotations

import random

from latency_db.aiming import CallEstimates
from tvnsearch.devices import LayerProfile, Measurement, fingerprint_digest
from tvnsearch.genome import trace

FINGERPRINT = {
    "device": "cpu",
    "processor": "Imaginary 9000",
    "threads": "1",
    "backend": "eager",
    "torch": "2.13.0",
}
OTHER_FINGERPRINT = FINGERPRINT | {"processor": "Fictional 1"}


def measurement(latency_ms, trusted=True):
    low_ms, high_ms = latency_ms * 0.99, latency_ms * 1.01
    reason = "" if trusted else "too noisy"
    return Measurement(latency_ms, low_ms, high_ms, latency_ms, high_ms, high_ms, 12, 1, trusted, reason)


def layer_profile(genome, classes, seed=0):
    """A profile of plausible figures: a nanosecond a thousand multiply-adds, give or take 2 %."""
    rng = random.Random(seed)
    calls = trace(genome, classes).calls
    latencies_ms = tuple(
        (0.01 + call.macs / 1e8 + call.bytes_moved / 1e8) * rng.uniform(1, 1.02) for call in calls
    )
    spreads_ms = tuple(latency_ms * 0.02 for latency_ms in latencies_ms)
    return LayerProfile(
        latencies_ms, spreads_ms, 12, 3, measurement(sum(latencies_ms)), tuple(range(len(calls)))
    )


class FakeMeter:
    """Answers like a :class:`tvnsearch.devices.Meter`; ``on_profile`` is called with each genome."""

    def __init__(self, fingerprint=FINGERPRINT, classes=10, on_profile=lambda genome: None):
        self.fingerprint = fingerprint
        self.classes = classes
        self.on_profile = on_profile
        self.count = 0

    @property
    def digest(self):
        return fingerprint_digest(self.fingerprint)

    def profile(self, genome):
        self.on_profile(genome)
        self.count += 1
        return layer_profile(genome, self.classes, self.count)


class FakeLearner:
    """Learns what :func:`layer_profile` invents, but for an error that each step lowers."""

    def __init__(self, error=0.5, gain=0.1):
        self.learnt = []
        self.error = error
        self.gain = gain

    def __call__(self, profiles):
        self.learnt.append(len(profiles))
        self.error *= 1 - self.gain
        return FakeEstimator(self.error)


class FakeEstimator:
    """Wrong by ``error``; ``doubt`` tells its relative doubt about a call."""

    def __init__(self, error=0.1, doubt=lambda call: 0.1):
        self.error = error
        self.doubt = doubt

    def estimate(self, network):
        calls = network.calls
        latencies_ms = [(1 + self.error) * (0.01 + (call.macs + call.bytes_moved) / 1e8) for call in calls]
        pairs = zip(calls, latencies_ms, strict=True)
        return CallEstimates(latencies_ms, [self.doubt(call) * latency_ms for call, latency_ms in pairs])
