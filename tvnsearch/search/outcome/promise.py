"""Fresh measurements that a budget can be promised by: in several processes, some networks together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvnsearch.devices.measurement import Measurement, written_interval
from tvnsearch.search.protocols import MeasurementFailed, PromisingMeter
from tvnsearch.search.records import Individual


def measure_for_promise(
    individuals: Sequence[Individual],
    max_ms: float,
    latency: PromisingMeter,
    on_failure: Callable[[Individual, str], None],
) -> dict[int, Measurement]:
    """Measurements of ``individuals`` by their numbers; ``on_failure`` hears of those that do not run.

    A search picks what measured fast, so the measurement that an individual was accepted on flatters it:
    only one that had no part in the choice may be promised.
    """
    try:
        measurements = latency.measure_for_promise([one.genome for one in individuals], max_ms)
    except MeasurementFailed as error:
        if len(individuals) == 1:
            on_failure(individuals[0], str(error))
            return {}
        return {
            number: measurement
            for one in individuals
            for number, measurement in measure_for_promise([one], max_ms, latency, on_failure).items()
        }
    return {one.number: measured for one, measured in zip(individuals, measurements, strict=True)}


def written_miss(measurement: Measurement, max_ms: float) -> str:
    """Why a fresh measurement promises nothing, for people."""
    came = (
        f"it takes {measurement.latency_ms:.3g} ms "
        f"({written_interval(measurement.ci_low_ms, measurement.ci_high_ms, '.3g')})"
    )
    if measurement.trusted:
        return f"{came}, over {max_ms:g} ms"
    return f"{came}, and that is not to be trusted: {measurement.reason}"
