"""A device that is a formula: what a layer call costs there is known exactly."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

from latency_db import LatencyStore, StoredProfile
from predictors import predictor_path
from predictors.fit import fit_from_store
from tvnsearch.devices import Meter, open_device
from tvnsearch.devices.device import fingerprint_digest
from tvnsearch.devices.measurement import LayerProfile, Measurement
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.genome.trace import trace

CLASSES = 20
FINGERPRINT = {"device": "synthetic", "threads": "1"}
OVERHEAD = 0.98
"""A network over the sum of its stamped layers."""


def call_ms(call: LayerCall) -> float:
    """A launch, then the slower of compute and memory; few channels and small maps are computed slowly.

    The many matrix products of non-local blocks are slow, and alike for all channels.
    """
    channels = call.out_shape.channels
    slowness = {"depthwise_conv": 4.0, "temporal_conv": 1.5, "non_local": 4.0}.get(call.type, 1.0)
    if call.type != "non_local":
        slowness *= math.ceil(channels / 16) * 16 / channels
        slowness *= (1 + 12 / call.in_shape.channels) * (1 + 6 / call.out_shape.height)
    swish = 1.1 if call.activation == "hswish" else 1.0
    return 0.01 + swish * max(slowness * call.macs / 5e7, call.bytes_moved / 1e7)


def network_ms(genome: Genome, classes: int = CLASSES) -> float:
    """What a network takes, without noise."""
    return OVERHEAD * sum(call_ms(call) for call in trace(genome, classes).calls)


def random_genomes(count: int, seed: int, space: str = "digits") -> list[Genome]:
    rng = random.Random(seed)
    return [sample_genome(load_space(space), rng) for _ in range(count)]


def measured(latency_ms: float, samples: int = 9) -> Measurement:
    return Measurement(*[latency_ms] * 6, samples, 0, True)


def store_profiles(store: LatencyStore, fingerprint: dict[str, str], known: Sequence[StoredProfile]) -> str:
    """Put profiles into a latency database as those of a device; its digest."""
    session = store.start_session(fingerprint, "{}", 0, 50.0)
    for index, profile in enumerate(known):
        spreads_ms = (0.0,) * len(profile.latencies_ms)
        layers = LayerProfile(profile.latencies_ms, spreads_ms, 9, 0, profile.network, profile.parts)
        store.add_profile(session, index, profile.genome, CLASSES, layers, 1.0)
    return fingerprint_digest(fingerprint)


def profiles(count: int, seed: int, noise: float = 0.02, space: str = "digits") -> list[StoredProfile]:
    """Random genomes profiled on the device with log-normal noise."""
    rng = random.Random(f"noise/{seed}")

    def noisy(latency_ms: float) -> float:
        return latency_ms * math.exp(rng.gauss(0, noise))

    return [
        StoredProfile(
            row=row,
            uid=f"{row:032x}",
            genome=genome,
            classes=CLASSES,
            latencies_ms=tuple(noisy(call_ms(call)) for call in trace(genome, CLASSES).calls),
            parts=tuple(range(len(trace(genome, CLASSES).calls))),
            network=measured(noisy(network_ms(genome))),
        )
        for row, genome in enumerate(random_genomes(count, seed, space))
    ]


def profiled_here(path: Path) -> Path:
    """A database of this device whose predictor learnt from made-up latencies, none of a 3-D layer."""
    with Meter(open_device("cpu")) as meter:
        fingerprint = meter.fingerprint
    with LatencyStore(path) as store:
        digest = store_profiles(store, fingerprint, profiles(30, seed=1))
        fit_from_store(store, digest).save(predictor_path(path, digest))
    return path
