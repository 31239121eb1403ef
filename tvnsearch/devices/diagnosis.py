"""How noisy a machine is right now, and what to change about it. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from msgspec import Struct

from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.devices.meter import Meter
from tvnsearch.genome.genome import Genome

ROUNDS = 5
NOISY_PERCENT = 2.0
DISTURBED_SHARE = 0.2
WORTHWHILE_GOVERNORS = frozenset({"performance", "unknown"})


class Noise(Struct, frozen=True):
    """One network measured again and again, in one process.

    ``noise_floor_percent`` is the median difference of two measurements of it, ``disturbed_share`` the share
    of all passes that had to be set aside. ``unpinned_latency_ms`` is its latency in a process with the
    allocator as the system has it, measured in between.
    """

    latency_ms: float
    noise_floor_percent: float
    disturbed_share: float
    trusted: int
    measurements: int
    unpinned_latency_ms: float


def measure_noise(
    device: Device, genome: Genome, seconds: float, on_progress: Callable[[float], None]
) -> Noise:
    """Measure ``genome`` ten times in ``seconds``, in turns with the allocator pinned and as it is."""
    pinned: list[Measurement] = []
    unpinned: list[Measurement] = []
    with Meter(device) as meter, Meter(device, pin_allocator=False) as plain:
        for number in range(ROUNDS):
            pinned += meter.measure([genome], seconds / (2 * ROUNDS))
            on_progress((2 * number + 1) / (2 * ROUNDS))
            unpinned += plain.measure([genome], seconds / (2 * ROUNDS))
            on_progress((2 * number + 2) / (2 * ROUNDS))
    figures_ms = [measurement.latency_ms for measurement in pinned]
    differences = [
        200 * abs(one - other) / (one + other)
        for place, one in enumerate(figures_ms)
        for other in figures_ms[place + 1 :]
    ]
    disturbed = sum(measurement.disturbed for measurement in pinned)
    return Noise(
        latency_ms=median(figures_ms),
        noise_floor_percent=median(differences),
        disturbed_share=disturbed / (disturbed + sum(measurement.samples for measurement in pinned)),
        trusted=sum(measurement.trusted for measurement in pinned),
        measurements=len(pinned),
        unpinned_latency_ms=median(measurement.latency_ms for measurement in unpinned),
    )


def advice(fingerprint: Mapping[str, str], noise: Noise, doubt: str) -> list[str]:
    """What to change about the machine, one sentence each; nothing where all is well.

    ``doubt`` is why the container made the timing of the noise doubtful, and empty where it did not.
    """
    sentences = [doubt] if doubt else []
    if noise.disturbed_share > DISTURBED_SHARE and not doubt:
        sentences.append(
            f"{100 * noise.disturbed_share:.0f} % of the passes were disturbed: other work runs on these "
            "cores; end it, or measure when it is over"
        )
    if noise.noise_floor_percent > NOISY_PERCENT:
        sentences.append(
            f"one network measured again differs by {noise.noise_floor_percent:.1f} % here: no predictor can "
            "be better than that; measure longer (--max-seconds), or on a machine of your own"
        )
    governor = fingerprint.get("governor", "unknown")
    if governor not in WORTHWHILE_GOVERNORS:
        sentences.append(
            f"the frequency governor is '{governor}', which changes latencies with the load; set it to "
            "'performance' (cpupower frequency-set -g performance)"
        )
    if fingerprint.get("allocator") != "pinned":
        sentences.append(
            f"the allocator is {fingerprint.get('allocator')}; latencies then depend on the process; "
            "unset LD_PRELOAD unless you deploy with it"
        )
    return sentences
