"""The profiler: sample genomes, stamp their layers on the device, keep the rows."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

import msgspec

from latency_db.rough_cost import RoughCost
from latency_db.store import LatencyStore
from tvnsearch.devices.meter import Meter
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace
from tvnsearch.genome.trace import trace

LOWEST_MS = 0.5
HIGHEST_OVER_BUDGET = 3.0
"""Profile up to this many times the budget: the predictor must know what it rejects."""

CANDIDATES = 64
NEAR, NEAR_ENOUGH = math.log(1.1), math.log(2.0)
"""Log-ratio of guess and aim at which a candidate is taken at once, and beyond which none is taken."""

ROUND_GENOMES = 8
MAX_SKIPPED = 100
MAX_FAILURES = 3
GOLDEN = (math.sqrt(5) - 1) / 2


class ProfileProgress(msgspec.Struct, frozen=True):
    """How much a store holds of the device that is being profiled."""

    rows: int
    genomes: int
    minutes: float
    minutes_wanted: float
    noise_floor_percent: float | None


def profile(
    store: LatencyStore,
    meter: Meter,
    space: SearchSpace,
    minutes: float,
    max_ms: float,
    seed: int,
    on_progress: Callable[[ProfileProgress], None],
    between_rounds: Callable[[], None] | None = None,
) -> ProfileProgress:
    """Profile genomes of ``space`` until ``store`` holds ``minutes`` in all for the meter's device.

    Latencies are aimed at evenly in their logarithm from 0.5 ms to three times ``max_ms``. Genome number i of
    a ``seed`` is drawn from that pair alone; a later run goes on after the last number in the store. A
    genome's rows are written in one transaction, so whatever ends this early, what ``on_progress`` reported
    stays. After every eighth genome an earlier one is measured again, for the noise floor, and
    ``between_rounds`` is called.

    Raises:
        UserError: the space has no networks of such latencies, or one network after the other cannot be run.
    """
    digest = meter.digest
    progress = _progress(store, digest, minutes)
    if progress.minutes >= minutes:
        return progress
    session = store.start_session(meter.fingerprint, msgspec.json.encode(space).decode(), seed, max_ms)
    cost = RoughCost()
    if progress.genomes:
        for known in store.profiles(digest):
            cost.learn(trace(known.genome, known.classes), known.network.latency_ms)
    seed_index = store.next_seed_index(digest, seed)
    failures = 0
    while progress.minutes < minutes:
        start = time.monotonic()
        genome, seed_index = _next_genome(space, seed, seed_index, cost, meter.classes, max_ms)
        try:
            measured = meter.profile(genome)
        except UserError:
            failures += 1
            if failures == MAX_FAILURES:
                raise
            seed_index += 1
            continue
        failures = 0
        store.add_profile(session, seed_index, genome, meter.classes, measured, time.monotonic() - start)
        seed_index += 1
        cost.learn(trace(genome, meter.classes), measured.network.latency_ms)
        progress = _progress(store, digest, minutes)
        on_progress(progress)
        if progress.genomes % ROUND_GENOMES == 0:
            _repeat_oldest(store, meter)
            progress = _progress(store, digest, minutes)
            on_progress(progress)
            if between_rounds is not None:
                between_rounds()
    return progress


def _next_genome(
    space: SearchSpace, seed: int, seed_index: int, cost: RoughCost, classes: int, max_ms: float
) -> tuple[Genome, int]:
    """The next number that gives a genome near the latency aimed at, and that genome."""
    for index in range(seed_index, seed_index + MAX_SKIPPED):
        genome = _draw(space, seed, index, cost, classes, HIGHEST_OVER_BUDGET * max_ms)
        if genome is not None:
            return genome, index
    raise UserError(
        f"expected a search space with networks between {LOWEST_MS:g} and "
        f"{HIGHEST_OVER_BUDGET * max_ms:g} ms, "
        f"but {MAX_SKIPPED * CANDIDATES} random ones were all outside; widen the space or change --max-ms"
    )


def _draw(
    space: SearchSpace, seed: int, seed_index: int, cost: RoughCost, classes: int, highest_ms: float
) -> Genome | None:
    rng = random.Random(f"{seed}/{seed_index}")
    share = seed_index * GOLDEN % 1.0
    aim_ms = LOWEST_MS * (highest_ms / LOWEST_MS) ** share
    nearest, nearest_gap = None, NEAR_ENOUGH
    for _ in range(CANDIDATES):
        genome = sample_genome(space, rng)
        gap = abs(math.log(cost.estimate_ms(trace(genome, classes)) / aim_ms))
        if gap < nearest_gap:
            nearest, nearest_gap = genome, gap
        if gap < NEAR:
            break
    return nearest


def _repeat_oldest(store: LatencyStore, meter: Meter) -> None:
    row = store.unrepeated(meter.digest)[0]
    start = time.monotonic()
    again = meter.profile(store.genome(row)).network
    store.add_repeat(row, again, time.monotonic() - start)


def _progress(store: LatencyStore, digest: str, minutes_wanted: float) -> ProfileProgress:
    held = next((device for device in store.devices() if device.digest == digest), None)
    return ProfileProgress(
        rows=held.rows if held else 0,
        genomes=held.genomes if held else 0,
        minutes=held.minutes if held else 0.0,
        minutes_wanted=minutes_wanted,
        noise_floor_percent=store.noise_floor_percent(digest),
    )
