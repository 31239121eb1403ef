"""The latency predictor: milliseconds of genomes that nobody has run, with bounds, in microseconds a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from predictors.calibration import DEFAULT_LEVEL
from predictors.call_table import FloatArray
from predictors.evaluation import HeldOutReport
from predictors.features import (
    CallInContext,
    in_context,
    model_row,
    table_of,
)
from predictors.memo import LatencyMemo
from predictors.prior import RooflinePrior
from predictors.recalibration import Recalibration
from predictors.record import PredictorRecord, read_record, write_record
from predictors.rough import RoughLatency
from predictors.transfer import SourceDevice, TransferredPrior
from tvnsearch.devices.device import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, Trace, trace
from tvnsearch.search.protocols import LatencyEstimate

if TYPE_CHECKING:
    from predictors.booster import Booster


SHORTEST_MS = 1e-4
"""Clocks may read 0 for what hardly runs; logarithms need more."""

SENT_LEVEL = 0.9
"""The level of rough upper bounds: to let through wrongly costs a measurement, and loses no network."""

BATCH_CALLS = 1024
"""Calls predicted at a time; the arrays of more are new memory each time, which takes as long as they do."""


class LayerLatency(Struct, frozen=True):
    """The predicted latency of one layer call; ``name`` is its place in the genome."""

    name: str
    latency_ms: float


class LatencyPredictor:
    """Predicts latencies on the device that it was fitted for (:func:`predictors.fit.fit_predictor`).

    The bounds of an estimate hold for a share of ``level`` of networks like those that were profiled.
    """

    def __init__(self, record: PredictorRecord, level: float = DEFAULT_LEVEL) -> None:
        self.record = record
        self.level = level
        self._bounds = Recalibration(record.calibration, level)
        self._memo = LatencyMemo(self._predict_calls)
        self._rough_bounds = Recalibration(record.prior_calibration, level)
        self._rough_sent_bounds = Recalibration(record.prior_calibration, SENT_LEVEL)
        # Where the prior itself is another device's predictor, it is not quicker.
        self._rough = RoughLatency(record.prior) if isinstance(record.prior, RooflinePrior) else None

    @classmethod
    def load(cls, path: Path, level: float = DEFAULT_LEVEL) -> LatencyPredictor:
        """Read a predictor that :meth:`save` wrote; it predicts the same to the last bit.

        Raises:
            UserError: there is none, the file is damaged, or it comes from a release with other features.
        """
        return cls(read_record(path), level)

    def save(self, path: Path) -> None:
        """Write one JSON file, whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        write_record(path, self.record)

    @property
    def adapted_from(self) -> str | None:
        """The digest of the device that it started from, None where it started from nothing."""
        prior = self.record.prior
        return prior.origin.digest if isinstance(prior, TransferredPrior) else None

    @property
    def origin(self) -> SourceDevice:
        """What another device's predictor can start from.

        Raises:
            UserError: this one itself started from another.
        """
        digest = fingerprint_digest(self.record.fingerprint)
        prior = self.record.prior
        if isinstance(prior, TransferredPrior):
            raise UserError(
                f"expected a device that was profiled by itself, but {digest} was adapted from "
                f"{prior.origin.digest}; name that one"
            )
        return SourceDevice(digest, prior, self.record.model, self.record.model_digest)

    @property
    def heldout(self) -> HeldOutReport:
        """Its accuracy on networks that it did not learn from."""
        return self.record.heldout

    def require_device(self, fingerprint: Mapping[str, str]) -> None:
        """Make sure that the predictor was fitted for this device.

        Raises:
            UserError: it was fitted for another; the sentence names what differs.
        """
        if fingerprint_digest(fingerprint) == fingerprint_digest(self.record.fingerprint):
            return
        differences = "; ".join(
            f"{name}: {self.record.fingerprint.get(name, 'none')} there, {fingerprint.get(name, 'none')} here"
            for name in sorted({*fingerprint, *self.record.fingerprint})
            if fingerprint.get(name) != self.record.fingerprint.get(name)
        )
        raise UserError(
            f"expected a latency predictor of this device, but it was fitted for another ({differences}); "
            f"run `tvnsearch profile` on this device"
        )

    def estimate(
        self, genomes: Sequence[Genome], classes: int = MOMENTS_IN_TIME_CLASSES
    ) -> list[LatencyEstimate]:
        """Predict each genome's latency and its bounds, in the order given."""
        if not genomes:
            return []
        return self._bounds.estimates(self._unmoved_ms([trace(genome, classes) for genome in genomes]))

    def estimate_over(
        self, genomes: Sequence[Genome], max_ms: float, classes: int = MOMENTS_IN_TIME_CLASSES
    ) -> list[LatencyEstimate | None]:
        """Each genome's estimate where it rejects the genome, None for the others.

        Of the genomes that keep ``max_ms`` no more than a share of 1 - ``level`` is rejected. The prior alone
        settles what it can; LightGBM is asked for the rest. Each of both may lose half of that. What the
        prior lets through need not be as sure: it will be measured.
        """
        traces = [trace(genome, classes) for genome in genomes]
        over: list[LatencyEstimate | None] = [None] * len(traces)
        unsettled = list(range(len(traces)))
        if self._rough and traces:
            rough_ms = self._rough_unmoved_ms(self._rough, traces)
            over = self._rough_bounds.over(rough_ms, max_ms)
            _, _, sent_upper_ms = self._rough_sent_bounds.with_bounds(rough_ms)
            unsettled = [
                place for place in np.flatnonzero(sent_upper_ms > max_ms).tolist() if over[place] is None
            ]
        if unsettled:
            unmoved_ms = self._unmoved_ms([traces[place] for place in unsettled])
            for place, estimate in zip(unsettled, self._bounds.over(unmoved_ms, max_ms), strict=True):
                over[place] = estimate
        return over

    def meet(self, predicted_ms: Sequence[float]) -> None:
        """Let the latencies count that were predicted for all genomes which a search came upon.

        They tell how many networks are near its budget, and so how near it a prediction may reject.
        """
        self._bounds.meet(predicted_ms)
        self._rough_bounds.meet(predicted_ms)

    def observe(
        self, genome: Genome, latency_ms: float, classes: int = MOMENTS_IN_TIME_CLASSES
    ) -> str | None:
        """Let a measurement count from now on; a sentence the first time that predictions have drifted."""
        traces = [trace(genome, classes)]
        if self._rough:
            rough_ms = float(self._rough_unmoved_ms(self._rough, traces)[0])
            self._rough_bounds.observe(rough_ms, latency_ms)
            self._rough_sent_bounds.observe(rough_ms, latency_ms)
        return self._bounds.observe(float(self._unmoved_ms(traces)[0]), latency_ms)

    def layers(self, genome: Genome, classes: int = MOMENTS_IN_TIME_CLASSES) -> list[LayerLatency]:
        """Predict each layer call, in the order of execution; they add up to the genome's estimate."""
        network_trace = trace(genome, classes)
        calls_ms = self._memo.calls_ms(in_context(network_trace))
        sum_ms = sum(calls_ms)
        factor = float(self._bounds.moved(self.record.correction.apply(np.array([sum_ms])))[0]) / sum_ms
        return [
            LayerLatency(name, factor * call_ms)
            for (name, _), call_ms in zip(network_trace.named_calls(), calls_ms, strict=True)
        ]

    def never_profiled(self, genome: Genome) -> list[str]:
        """The types of its layer calls that no profiled network had: their milliseconds are a mere guess."""
        profiled = {kind.partition(":")[0] for kind in self.record.prior.kinds}
        return sorted({call.type for call in trace(genome).calls} - profiled)

    def _unmoved_ms(self, networks: Sequence[Trace]) -> FloatArray:
        """Each network's latency as the profile alone predicts it, whatever was measured since."""
        return self.record.correction.apply(self._memo.networks_ms(networks))

    def _rough_unmoved_ms(self, rough: RoughLatency, networks: Sequence[Trace]) -> FloatArray:
        """The same by the prior alone."""
        return self.record.prior_correction.apply(rough.networks_ms(networks))

    def _predict_calls(self, calls: Sequence[CallInContext]) -> FloatArray:
        batches_ms: list[FloatArray] = []
        for start in range(0, len(calls), BATCH_CALLS):
            prior_ms, columns = model_columns(self.record.prior, calls[start : start + BATCH_CALLS])
            batches_ms.append(prior_ms * np.exp(self._booster.predict(columns)))
        return np.concatenate(batches_ms)

    @cached_property
    def _booster(self) -> Booster:
        from predictors.booster import Booster  # noqa: PLC0415 - LightGBM takes a second to import

        return Booster(self.record.model, len(self.record.columns))


def model_columns(
    prior: RooflinePrior | TransferredPrior, calls: Sequence[CallInContext]
) -> tuple[FloatArray, FloatArray]:
    """The prior in ms for each call, and a row of :data:`MODEL_COLUMNS` for each."""
    table = table_of(calls)
    prior_ms, prior_shares = prior.in_context(calls, table)
    return prior_ms, model_row(calls, table, prior_ms, prior_shares)
