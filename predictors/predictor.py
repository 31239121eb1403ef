"""The latency predictor: milliseconds of genomes that nobody has run, with bounds, in microseconds a call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct

from predictors.calibration import DEFAULT_LEVEL, Calibration
from predictors.call_table import FloatArray
from predictors.evaluation import HeldOutReport
from predictors.features import (
    MODEL_COLUMNS,
    WORK_NAMES,
    CallInContext,
    in_context,
    model_row,
    table_of,
)
from predictors.memo import LatencyMemo
from predictors.prior import RooflinePrior
from predictors.recalibration import Recalibration
from predictors.transfer import Origin, TransferredPrior
from tvnsearch.devices.device import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, trace
from tvnsearch.search.protocols import LatencyEstimate

if TYPE_CHECKING:
    from predictors.booster import Booster

FORMAT = 4

SHORTEST_MS = 1e-4
"""Clocks may read 0 for what hardly runs; logarithms need more."""


def predictor_path(store_path: Path, digest: str) -> Path:
    """Where the predictor of a device is kept: beside the store that it was fitted from."""
    return store_path.with_name(f"{store_path.stem}.{digest}.predictor.json")


class LayerLatency(Struct, frozen=True):
    """The predicted latency of one layer call; ``name`` is its place in the genome."""

    name: str
    latency_ms: float


class SumCorrection(Struct, frozen=True):
    """From the sum of a network's layer latencies to the network's: ``exp(intercept) * sum_ms ** slope``."""

    intercept: float
    slope: float

    def apply(self, sums_ms: FloatArray) -> FloatArray:
        """Network latencies in ms."""
        corrected: FloatArray = np.exp(self.intercept + self.slope * np.log(sums_ms))
        return corrected


class PredictorRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """All that a predictor is, as it is written to its file.

    ``heldout`` is its accuracy on networks that it did not learn from, ``heldout_prior`` that of the prior
    alone on the same ones. ``rows_digest`` names the training rows.
    """

    format: int
    columns: tuple[str, ...]
    fingerprint: dict[str, str]
    versions: dict[str, str]
    seed: int
    rows: int
    rows_digest: str
    heldout: HeldOutReport
    heldout_prior: HeldOutReport
    correction: SumCorrection
    calibration: Calibration
    prior: RooflinePrior | TransferredPrior
    model_digest: str
    model: str


class LatencyPredictor:
    """Predicts latencies on the device that it was fitted for (:func:`predictors.fit.fit_predictor`).

    The bounds of an estimate hold for a share of ``level`` of networks like those that were profiled.
    """

    def __init__(self, record: PredictorRecord, level: float = DEFAULT_LEVEL) -> None:
        self.record = record
        self.level = level
        self._bounds = Recalibration(record.calibration, level)
        self._memo = LatencyMemo(self._predict_calls)

    @classmethod
    def load(cls, path: Path, level: float = DEFAULT_LEVEL) -> LatencyPredictor:
        """Read a predictor that :meth:`save` wrote; it predicts the same to the last bit.

        Raises:
            UserError: there is none, the file is damaged, or it comes from a release with other features.
        """
        try:
            record = msgspec.json.decode(path.read_bytes(), type=PredictorRecord)
        except FileNotFoundError:
            raise UserError(
                f"expected a latency predictor at {path}, but there is none; run `tvnsearch profile` first"
            ) from None
        except OSError as error:
            raise UserError(
                f"expected a latency predictor at {path}, but it cannot be read ({error.strerror})"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(
                f"expected a latency predictor at {path}, but it is not one ({error}); "
                f"run `tvnsearch fit` to write it anew"
            ) from None
        _require_sound(record, path)
        return cls(record, level)

    def save(self, path: Path) -> None:
        """Write one JSON file, whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(self.record), indent=1))
            unfinished.replace(path)
        except OSError as error:
            raise UserError(
                f"expected to write the latency predictor {path}, but that failed ({error.strerror}); "
                f"make room for it, or choose another file with --db"
            ) from None

    @property
    def adapted_from(self) -> str | None:
        """The digest of the device that it started from, None where it started from nothing."""
        prior = self.record.prior
        return prior.origin.digest if isinstance(prior, TransferredPrior) else None

    @property
    def origin(self) -> Origin:
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
        return Origin(digest, prior, self.record.model, self.record.model_digest)

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
        predicted_ms = self._bounds.moved(self._unmoved_ms(genomes, classes))
        stretch = np.exp(self._bounds.half_widths(predicted_ms))
        return [
            LatencyEstimate(latency_ms, lower_ms, upper_ms)
            for latency_ms, lower_ms, upper_ms in zip(
                predicted_ms.tolist(),
                (predicted_ms / stretch).tolist(),
                (predicted_ms * stretch).tolist(),
                strict=True,
            )
        ]

    def observe(
        self, genome: Genome, latency_ms: float, classes: int = MOMENTS_IN_TIME_CLASSES
    ) -> str | None:
        """Let a measurement count from now on; a sentence the first time that predictions have drifted."""
        [predicted_ms] = self._unmoved_ms([genome], classes).tolist()
        return self._bounds.observe(predicted_ms, latency_ms)

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

    def _unmoved_ms(self, genomes: Sequence[Genome], classes: int) -> FloatArray:
        """Each genome's latency as the profile alone predicts it, whatever was measured since."""
        sums_ms = self._memo.networks_ms([trace(genome, classes) for genome in genomes])
        return self.record.correction.apply(sums_ms)

    def _predict_calls(self, calls: Sequence[CallInContext]) -> FloatArray:
        prior_ms, columns = model_columns(self.record.prior, calls)
        predicted_ms: FloatArray = prior_ms * np.exp(self._booster.predict(columns))
        return predicted_ms

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


def text_digest(text: str) -> str:
    """Sixteen hex digits that change with the text."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def rows_digest(measured: Iterable[tuple[int, float]]) -> str:
    """Sixteen hex digits that name training rows, by row number and latency in ms of each of their networks.

    No other network gets that number in a store, and its rows never change.
    """
    return blake2b(msgspec.json.encode(list(measured)), digest_size=8).hexdigest()


def _require_sound(record: PredictorRecord, path: Path) -> None:
    if record.format != FORMAT or record.columns != MODEL_COLUMNS:
        raise UserError(
            f"expected a latency predictor of this release at {path}, but tvnsearch "
            f"{record.versions.get('tvnsearch', 'unknown')} fitted it with other features; "
            f"run `tvnsearch fit` to write it anew"
        )
    origin = record.prior.origin if isinstance(record.prior, TransferredPrior) else None
    roofline = origin.prior if origin else record.prior
    assert isinstance(roofline, RooflinePrior)
    complete = all(len(rates) == len(WORK_NAMES) for rates in roofline.rates_ms.values())
    complete &= origin is None or text_digest(origin.model) == origin.model_digest
    calibrated = len(record.calibration.predicted_ms) == len(record.calibration.log_errors) > 0
    if text_digest(record.model) != record.model_digest or not (complete and calibrated):
        raise UserError(
            f"expected a latency predictor at {path}, but it was damaged or edited after it was written; "
            f"run `tvnsearch fit` to write it anew"
        )
