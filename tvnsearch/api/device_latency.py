"""The latency of a search: predicted by the device's predictor, measured by a meter on the device."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from predictors.calibration import DEFAULT_LEVEL
from predictors.predictor import LatencyPredictor
from tvnsearch.api.kept_predictors import keep, kept_or, other_path, own_path
from tvnsearch.api.latency_predictors import load_predictor
from tvnsearch.api.other_devices import predictor_of_other
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.devices.meter import Meter, changed_names
from tvnsearch.devices.processes import (
    MOST_PROCESSES,
    measure_in_one_process,
    measure_until_trusted,
)
from tvnsearch.devices.timing import MIN_SAMPLES
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.search.protocols import (
    LatencyEstimate,
    MeasuredGenome,
    MeasurementFailed,
)
from tvnsearch.workers import EnvironmentFailedError, WorkerFailedError

MEASURE_SECONDS = 4.0
"""The longest that a search measures one candidate, unless its passes are long."""

TIMES_FOR_PROMISE = 3
"""So many times as long all processes together measure it once more before it is promised."""

PASSES_AT_LEAST = 3 * MIN_SAMPLES
"""So many passes as long as the budget have to fit: a third of them must be undisturbed."""


class Promises(NamedTuple):
    """Measurements on ``device``, of networks with so many ``classes``, that a budget can be promised by."""

    device: Device
    classes: int
    watch: Watch

    def measure_for_promise(self, genomes: Sequence[Genome], max_ms: float) -> list[Measurement]:
        """Run networks in several fresh processes; what is not to be trusted some seconds later again.

        The latest measurement of each counts.

        Raises:
            MeasurementFailed: one does not run there.
        """
        seconds = max(TIMES_FOR_PROMISE * MEASURE_SECONDS, MOST_PROCESSES * _seconds_each(max_ms, 0.0))
        with _failing_as_a_measurement():
            return measure_until_trusted(self.device, genomes, self.classes, seconds, max_ms, self.watch.say)


class DeviceLatency:
    """The search's latency model: a predictor's estimates, a meter's measurements; a context manager.

    ``on_others`` predicts for other devices of the budget, by the names that it gives them; networks of
    ``max_ms``, the budget, are given the time that they take to measure. ``judged`` counts the genomes that
    it was asked about whether the budget rejects them, and ``judging_seconds`` is what that took.
    """

    def __init__(
        self,
        predictor: LatencyPredictor,
        meter: Meter,
        on_others: Mapping[str, LatencyPredictor],
        max_ms: float,
        watch: Watch = SILENT,
    ) -> None:
        self._predictor = predictor
        self._meter = meter
        self._others = on_others
        self._watch = watch
        self._seconds_each = _seconds_each(max_ms)
        self.judged = 0
        self.judging_seconds = 0.0

    @classmethod
    def open(
        cls,
        device: Device,
        db: Path,
        classes: int,
        max_ms: float,
        on_others: Iterable[str] = (),
        level: float = DEFAULT_LEVEL,
        kept: Path | None = None,
        *,
        watch: Watch = SILENT,
    ) -> DeviceLatency:
        """Start a meter on ``device`` and load its predictor, and those of devices ``on_others``.

        Those that the folder ``kept`` has are not asked of ``db``. Their bounds hold for a share of ``level``
        of networks.

        Raises:
            UserError: there is no such predictor, or no such device.
        """
        meter = Meter(device, classes, say=watch.say)
        try:
            predictor = kept_or(
                kept and own_path(kept), level, lambda: load_predictor(db, meter, level, watch=watch)
            )
            others = {
                name: kept_or(
                    kept and other_path(kept, name),
                    level,
                    partial(predictor_of_other, db, name, meter.fingerprint, level, watch=watch),
                )
                for name in on_others
            }
            return cls(predictor, meter, others, max_ms, watch)
        except BaseException:
            meter.close()
            raise

    @property
    def digest(self) -> str:
        """The device's name in latency databases."""
        return self._meter.digest

    @property
    def differences(self) -> list[str]:
        """What of the device its predictor was not fitted for, each as ``torch was 2.12 and is 2.13``."""
        return changed_names(self._predictor.record.fingerprint, self._meter.fingerprint)

    def keep_predictors(self, folder: Path) -> None:
        """Write the predictors to ``folder``, as they were loaded; those that are there stay.

        Raises:
            UserError: one cannot be written.
        """
        keep(folder, self._predictor, self._others)

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """Predict latencies, in milliseconds."""
        return self._predictor.estimate(genomes, self._meter.classes)

    def estimate_over(self, genomes: Sequence[Genome], max_ms: float) -> list[LatencyEstimate | None]:
        """Estimates of those that ``max_ms`` rejects."""
        begun = time.perf_counter()
        over = self._predictor.estimate_over(genomes, max_ms, self._meter.classes)
        self.judging_seconds += time.perf_counter() - begun
        self.judged += len(genomes)
        return over

    def estimate_on_other(self, device: str, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """Predict latencies on another device, in milliseconds."""
        return self._others[device].estimate(genomes, self._meter.classes)

    def learn(self, measured: Sequence[MeasuredGenome], predicted_ms: Sequence[float]) -> str | None:
        """Let measurements count in later estimates; a sentence where they have drifted.

        ``predicted_ms`` were the estimates of all candidates since: where they are, budgets can be strict.
        """
        self._predictor.meet(predicted_ms)
        said = [
            self._predictor.observe(genome, measurement.latency_ms, self._meter.classes)
            for genome, measurement in measured
            if measurement.samples
        ]
        return next((sentence for sentence in said if sentence), None)

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """Run a network on the device, for seconds at most; for less where it is far below ``limit_ms``.

        Raises:
            MeasurementFailed: it does not run there.
        """
        with _failing_as_a_measurement():
            return measure_in_one_process(self._meter, genome, self._seconds_each, limit_ms)

    def measure_afresh(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """As :meth:`measure`, in a fresh process, which goes on to measure from then on.

        Raises:
            MeasurementFailed: it does not run there.
        """
        self._meter.restart()
        return self.measure(genome, limit_ms)

    def measure_for_promise(self, genomes: Sequence[Genome], max_ms: float) -> list[Measurement]:
        """As :meth:`Promises.measure_for_promise`.

        Raises:
            MeasurementFailed: one does not run there.
        """
        return Promises(self._meter.device, self._meter.classes, self._watch).measure_for_promise(
            genomes, max_ms
        )

    def close(self) -> None:
        """End the meter's process."""
        self._meter.close()

    def __enter__(self) -> DeviceLatency:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _seconds_each(max_ms: float, at_least: float = MEASURE_SECONDS) -> float:
    """The longest that a network of about ``max_ms`` is measured in one process."""
    return max(at_least, PASSES_AT_LEAST * max_ms / 1000)


@contextmanager
def _failing_as_a_measurement() -> Iterator[None]:
    """Let what goes wrong on the device be said of the network."""
    try:
        yield
    except EnvironmentFailedError as error:
        raise UserError(str(error)) from None
    except (UserError, WorkerFailedError) as error:
        raise MeasurementFailed(str(error)) from None
