"""The profiler: draw genomes, stamp their layers on the device, keep the rows, as long as that teaches."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from statistics import fmean, median, stdev

import msgspec

from latency_db.aiming import MAX_SKIPPED, Drawn, Estimator, GenomeSource, Learn
from latency_db.store import LatencyStore
from tvnsearch.devices.meter import Meter
from tvnsearch.devices.remote.connection import ConnectionLostError
from tvnsearch.errors import UserError
from tvnsearch.genome.space import SearchSpace
from tvnsearch.genome.trace import trace
from tvnsearch.workers import WorkerDiedError, WorkerFailedError

ROUND_GENOMES = 8
FIRST_LEARNT, LEARN_GROWTH = 24, 1.25
"""Learn first from so many genomes, then whenever there are this many times as many."""

STEPS_OF_A_DOUBLING = 3
"""The latest estimator is compared with that of so many steps before, which learnt from half as many."""

COMPARED_NETWORKS, MOST_COMPARED = 60, 240
"""Both predict the same random networks before either learns from them; fewer tell too little."""

WORTHWHILE_GAIN = 0.1
"""The share by which the mean error must fall while the genomes double, or profiling ends."""

SURE_DEVIATIONS = 1.645
"""Standard errors that the gain must lie below a worthwhile one: errors differ widely between networks, and a
gain that chance hid (one time in twenty) would end a profile half way.
"""

MAX_FAILURES = 3
"""In a row: then nothing runs, and the profile ends."""


class ProfileProgress(msgspec.Struct, frozen=True):
    """How much a store holds of the device that is being profiled, and how well it predicts meanwhile.

    ``heldout_error_percent`` is the median error on the latest random networks before they were learnt from,
    None before the first step. ``levelled_off`` tells that twice as many genomes no longer lower it.
    """

    rows: int
    genomes: int
    minutes: float
    minutes_wanted: float
    noise_floor_percent: float | None
    layer_types: int
    heldout_error_percent: float | None
    levelled_off: bool


def has_levelled_off(store: LatencyStore, digest: str, space: SearchSpace, max_ms: float) -> bool:
    """Whether an earlier profile of that space and budget ended because predictions no longer got better."""
    return store.has_levelled_off(digest, _as_json(space), max_ms)


def profile(
    store: LatencyStore,
    meter: Meter,
    space: SearchSpace,
    minutes: float,
    max_ms: float,
    seed: int,
    learn: Learn,
    on_progress: Callable[[ProfileProgress], None],
) -> ProfileProgress:
    """Profile genomes of ``space`` until ``store`` holds ``minutes`` in all for the meter's device.

    Ends earlier when what ``learn`` makes of them no longer improves while the genomes double, and does
    nothing where an earlier profile of this space and budget ended so. Every other genome is drawn from the
    whole space, latencies even in their logarithm from 0.5 ms (less in a space or with a budget of less) to
    three times ``max_ms``; the others are near ``max_ms`` and made of layer calls that are most in doubt. A
    genome's rows are written in one transaction, so whatever ends this early, what ``on_progress`` reported
    stays; a later run goes on behind the last number in the store, and behind those that may have failed
    after it. After every eighth genome an earlier one is measured again, for the noise floor.

    Raises:
        UserError: the space has no networks of such latencies, or one network after the other cannot be run.
        WorkerFailedError, WorkerDiedError: one network after the other fails.
    """
    run = _Run(store, meter, minutes, GenomeSource(space, meter.classes, max_ms, seed), learn)
    progress = run.progress()
    if has_levelled_off(store, meter.digest, space, max_ms):
        return msgspec.structs.replace(progress, levelled_off=True)
    if progress.minutes >= minutes:
        return progress
    run.recall()
    seed_index = store.next_seed_index(meter.digest, seed)
    # so many numbers may have failed, or been passed over, after the last that was kept
    seed_index += MAX_FAILURES * MAX_SKIPPED * store.sessions_at_the_end(meter.digest, seed)
    session = store.start_session(meter.fingerprint, _as_json(space), seed, max_ms)
    failures = 0
    while progress.minutes < minutes and not progress.levelled_off:
        drawn = run.source.draw(seed_index)
        seed_index = drawn.seed_index + 1
        try:
            run.profile(drawn, session)
            failures = 0
            progress = run.progress()
            on_progress(progress)
            if progress.genomes % ROUND_GENOMES == 0:
                run.repeat_oldest()
                progress = run.progress()
                on_progress(progress)
        except (UserError, WorkerFailedError, WorkerDiedError) as error:
            failures += 1
            if failures == MAX_FAILURES or isinstance(error, ConnectionLostError):
                raise
    if progress.levelled_off:
        store.note_levelled_off(session)
    return progress


class _Run:
    """One profile on its way: what was learnt, and how well that predicted what came next."""

    def __init__(
        self, store: LatencyStore, meter: Meter, minutes: float, source: GenomeSource, learn: Learn
    ) -> None:
        self.source = source
        self._store, self._meter, self._minutes, self._learn = store, meter, minutes, learn
        self._learn_at = float(FIRST_LEARNT)
        self._estimators: deque[Estimator] = deque(maxlen=STEPS_OF_A_DOUBLING + 1)
        self._errors = Errors()
        self._repeated: set[int] = set()
        self._counted_until = time.monotonic()

    def recall(self) -> None:
        """Learn from what the store holds of the device."""
        if not self._store.minutes(self._meter.digest):
            return
        for known in self._store.profiles(self._meter.digest):
            self.source.learn(known.genome, known.network.latency_ms)
        self._learn_if_due()

    def profile(self, drawn: Drawn, session: int) -> None:
        """Profile one genome, keep it, learn from it."""
        measured = self._meter.profile(drawn.genome)
        classes = self._meter.classes
        latency_ms = measured.network.latency_ms
        if drawn.is_random and measured.passes and self._estimators:
            network = trace(drawn.genome, classes)
            now, before = (
                abs(sum(estimator.estimate(network).latencies_ms) / latency_ms - 1)
                for estimator in (self._estimators[-1], self._estimators[0])
            )
            self._errors.add(now, before if len(self._estimators) > STEPS_OF_A_DOUBLING else None)
        self._store.add_profile(
            session, drawn.seed_index, drawn.genome, classes, measured, self._uncounted_seconds()
        )
        self.source.learn(drawn.genome, latency_ms)
        self._learn_if_due()

    def repeat_oldest(self) -> None:
        """Measure a genome again that was measured once; each is tried once."""
        waiting = (row for row in self._store.unrepeated(self._meter.digest) if row not in self._repeated)
        row = next(waiting, None)
        if row is None:
            return
        self._repeated.add(row)
        again = self._meter.profile(self._store.genome(row)).network
        self._store.add_repeat(row, again, self._uncounted_seconds())

    def progress(self) -> ProfileProgress:
        """Where the profile stands."""
        digest = self._meter.digest
        held = next((device for device in self._store.devices() if device.digest == digest), None)
        return ProfileProgress(
            rows=held.rows if held else 0,
            genomes=held.genomes if held else 0,
            minutes=held.minutes if held else 0.0,
            minutes_wanted=self._minutes,
            noise_floor_percent=self._store.noise_floor_percent(digest),
            layer_types=self.source.layer_types,
            heldout_error_percent=self._errors.median_percent,
            levelled_off=self._errors.have_levelled_off,
        )

    def _learn_if_due(self) -> None:
        if self.source.genomes < self._learn_at:
            return
        self._learn_at = LEARN_GROWTH * self.source.genomes
        estimator = self._learn(self._store.profiles(self._meter.digest))
        if estimator is not None:
            self._estimators.append(estimator)
            self.source.estimator = estimator

    def _uncounted_seconds(self) -> float:
        """Since the last measurement was kept: what learning and failures took counts with the next one."""
        now = time.monotonic()
        seconds, self._counted_until = now - self._counted_until, now
        return seconds


class Errors:
    """Relative errors on the latest random networks, of the latest estimator and of one with half as much."""

    def __init__(self) -> None:
        self._now: deque[float] = deque(maxlen=COMPARED_NETWORKS)
        self._pairs: deque[tuple[float, float]] = deque(maxlen=MOST_COMPARED)

    def add(self, now: float, before: float | None) -> None:
        """The errors on one network; ``before`` where there is an estimator to compare with."""
        self._now.append(now)
        if before is not None:
            self._pairs.append((now, before))

    @property
    def median_percent(self) -> float | None:
        """The median error of the latest estimators."""
        return 100 * median(self._now) if self._now else None

    @property
    def have_levelled_off(self) -> bool:
        """Whether it is sure that twice as many genomes made the same networks hardly better predicted."""
        if len(self._pairs) < COMPARED_NETWORKS:
            return False
        gains = [before - now for now, before in self._pairs]
        likely_gain = fmean(gains) + SURE_DEVIATIONS * stdev(gains) / math.sqrt(len(gains))
        return likely_gain < WORTHWHILE_GAIN * fmean(before for _, before in self._pairs)


def _as_json(space: SearchSpace) -> str:
    return msgspec.json.encode(space).decode()
