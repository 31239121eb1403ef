"""Fit a predictor to profiled genomes, and find out how good it is on genomes that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TypeAlias

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray
from scipy.stats import theilslopes
from sklearn.model_selection import GroupKFold

from latency_db import LatencyStore, StoredProfile
from predictors.booster import Booster, train_booster
from predictors.calibration import Calibration
from predictors.call_table import CallTable, FloatArray
from predictors.evaluation import held_out_report
from predictors.features import CATEGORICAL, MODEL_COLUMNS, CallInContext, in_context
from predictors.kinds import KIND_NAMES, call_kinds
from predictors.parts import divided, first_divided
from predictors.phases import FEWEST_NETWORKS, slowdown
from predictors.predictor import SHORTEST_MS, LatencyPredictor, model_columns
from predictors.prior import RooflinePrior, fit_prior
from predictors.record import FORMAT, PredictorRecord, SumCorrection, rows_digest, text_digest
from predictors.transfer import SourceDevice, TransferredPrior, fit_transfer
from tvnsearch.errors import UserError
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace

MIN_NETWORKS = 10
FOLDS = 5
DIVISION_ROUNDS = 4
PHASE_FOLDS = 2
"""Phases are common to many networks: models of half of them show them well enough."""


SLOPES = (0.8, 1.25)
"""A network's latency grows with the sum of its layers', nearly in proportion, whatever few networks say."""

Prior: TypeAlias = RooflinePrior | TransferredPrior

LIBRARIES = ("tvnsearch", "lightgbm", "numpy")


def fit_from_store(
    store: LatencyStore, digest: str, seed: int = 0, origin: SourceDevice | None = None
) -> LatencyPredictor:
    """Fit a predictor to all that ``store`` holds of the device ``digest``.

    With an ``origin`` it is fitted from there as well as without, and the one stays that has the smaller mean
    error on networks that it did not learn from.

    Raises:
        UserError: the store holds nothing of the device, or too little.
    """
    profiles, fingerprint = store.profiles(digest), store.device(digest).fingerprint
    predictor = fit_predictor(profiles, fingerprint, seed)
    if origin is None:
        return predictor
    adapted = fit_predictor(profiles, fingerprint, seed, origin)
    return min(predictor, adapted, key=lambda fitted: fitted.heldout.mape_percent)


def fit_predictor(
    profiles: Sequence[StoredProfile],
    fingerprint: Mapping[str, str],
    seed: int = 0,
    origin: SourceDevice | None = None,
) -> LatencyPredictor:
    """Fit a predictor to profiled genomes of one device; the same for the same profiles and seed.

    It starts from the roofline prior, or from what another device's predictor knows, the ``origin``.

    Networks without a single undisturbed sample are left out: they tell of the machine's other work. What the
    predictor holds of its own accuracy comes from folds by genome: the rows of a network are predicted by
    models that saw no row of that network. In profiles of many networks the machine's slow phases are taken
    out of all latencies first (:mod:`predictors.phases`).

    Raises:
        UserError: fewer than ten different genomes remain.
    """
    profiles = [profile for profile in profiles if profile.network.samples > 0]
    genome_ids = [genome_id(profile.genome) for profile in profiles]
    if len(set(genome_ids)) < MIN_NETWORKS:
        raise UserError(
            f"expected at least {MIN_NETWORKS} profiled networks to learn from, but there are "
            f"{len(set(genome_ids))} undisturbed ones; run `tvnsearch profile` for longer, say --minutes 10"
        )
    rows = TrainingRows.of(profiles)
    networks_ms = np.array([profile.network.latency_ms for profile in profiles])
    if len(profiles) >= FEWEST_NETWORKS:
        rows, networks_ms = _without_phases(rows, networks_ms, genome_ids, seed, origin)
    held_out = _predict_held_out(rows, networks_ms, genome_ids, seed, origin)
    everything = np.arange(len(rows.calls))
    prior, model = fit_rows(rows, everything, seed, origin)
    return LatencyPredictor(
        PredictorRecord(
            format=FORMAT,
            columns=MODEL_COLUMNS,
            fingerprint=dict(fingerprint),
            versions={name: version(name) for name in LIBRARIES},
            seed=seed,
            rows=len(rows.calls),
            rows_digest=rows_digest((profile.uid, profile.network.latency_ms) for profile in profiles),
            heldout=held_out_report(held_out.predicted_ms, networks_ms),
            heldout_prior=held_out_report(held_out.prior_ms, networks_ms),
            correction=held_out.correction,
            prior_correction=held_out.prior_correction,
            calibration=_calibration(held_out.predicted_ms, networks_ms),
            prior_calibration=_calibration(held_out.prior_ms, networks_ms),
            prior=prior,
            model_digest=text_digest(model),
            model=model,
        )
    )


class TrainingRows(Struct, frozen=True):
    """Measured layer calls, the network that each was part of (counted from 0), and how much it counts.

    Calls of one of the ``parts`` were executed as one: only the sum of their latencies was measured.
    """

    calls: list[CallInContext]
    latencies_ms: FloatArray
    networks: NDArray[np.intp]
    parts: NDArray[np.intp]
    weights: FloatArray

    @staticmethod
    def of(profiles: Sequence[StoredProfile]) -> TrainingRows:
        """The rows of profiled networks, weighted by their share in their network in units of the mean share.

        So every network counts as much as it has layers, and within it a millisecond as much as any other.
        """
        counts = np.array([len(profile.latencies_ms) for profile in profiles])
        networks = np.repeat(np.arange(len(profiles)), counts)
        starts = np.cumsum(counts) - counts
        parts = np.concatenate(
            [start + np.array(profile.parts) for start, profile in zip(starts, profiles, strict=True)]
        )
        measured_ms = np.array([latency_ms for profile in profiles for latency_ms in profile.latencies_ms])
        calls = [
            context for profile in profiles for context in in_context(trace(profile.genome, profile.classes))
        ]
        divided_ms = first_divided([context.call for context in calls], measured_ms, parts)
        latencies_ms = np.maximum(divided_ms, SHORTEST_MS)
        shares = latencies_ms / np.bincount(networks, latencies_ms)[networks]
        return TrainingRows(
            calls=calls,
            latencies_ms=latencies_ms,
            networks=networks,
            parts=parts,
            weights=shares * counts[networks],
        )

    def sums(self, values: FloatArray) -> FloatArray:
        """``values``, one a row, summed over each network."""
        return np.asarray(np.bincount(self.networks, values), dtype=np.float64)


class _HeldOut(Struct, frozen=True):
    """Each network as predicted by models that never saw it, in ms."""

    prior_ms: FloatArray
    predicted_ms: FloatArray
    prior_correction: SumCorrection
    correction: SumCorrection


def fit_rows(
    rows: TrainingRows, chosen: NDArray[np.intp], seed: int, origin: SourceDevice | None = None
) -> tuple[Prior, str]:
    """The prior, and the LightGBM model of the log-ratio to it, fitted to the ``chosen`` rows.

    Where calls were executed as one, the prior and the division of their time are fitted in turns.
    """
    calls = [rows.calls[row] for row in chosen]
    latencies_ms, parts = rows.latencies_ms[chosen], rows.parts[chosen]
    are_divided = len(np.unique(parts)) < len(parts)
    prior = _fit_prior(calls, latencies_ms, origin)
    for _ in range(DIVISION_ROUNDS if are_divided else 0):
        latencies_ms = divided(latencies_ms, model_columns(prior, calls)[0], parts)
        prior = _fit_prior(calls, latencies_ms, origin)
    prior_ms, columns = model_columns(prior, calls)
    if are_divided:
        latencies_ms = divided(latencies_ms, prior_ms, parts)
    log_ratios = np.log(latencies_ms / prior_ms)
    return prior, train_booster(columns, log_ratios, rows.weights[chosen], MODEL_COLUMNS, CATEGORICAL, seed)


def _fit_prior(
    calls: Sequence[CallInContext], latencies_ms: FloatArray, origin: SourceDevice | None
) -> Prior:
    if origin is None:
        return fit_prior([context.call for context in calls], latencies_ms)
    return fit_transfer(origin, calls, latencies_ms)


def _without_phases(
    rows: TrainingRows,
    networks_ms: FloatArray,
    genome_ids: Sequence[str],
    seed: int,
    origin: SourceDevice | None,
) -> tuple[TrainingRows, FloatArray]:
    """The rows, and the networks' latencies in ms, as they would have been in the machine's fast phases."""
    _, _, predicted_ms = _held_out_rows(rows, genome_ids, seed, origin, PHASE_FOLDS)
    kinds = KIND_NAMES[call_kinds(CallTable([context.call for context in rows.calls]))].tolist()
    slower = slowdown(rows.latencies_ms, predicted_ms, rows.networks, kinds)
    quick = structs.replace(rows, latencies_ms=rows.latencies_ms * np.exp(-slower.rows))
    return quick, networks_ms * np.exp(-slower.networks)


def _predict_held_out(
    rows: TrainingRows,
    networks_ms: FloatArray,
    genome_ids: Sequence[str],
    seed: int,
    origin: SourceDevice | None,
) -> _HeldOut:
    folds, rows_prior_ms, rows_ms = _held_out_rows(rows, genome_ids, seed, origin, FOLDS)
    prior_sums_ms, sums_ms = rows.sums(rows_prior_ms), rows.sums(rows_ms)
    prior_networks_ms, predicted_ms = np.empty(len(networks_ms)), np.empty(len(networks_ms))
    for learnt, tested in folds:
        known, new = np.unique(rows.networks[learnt]), np.unique(rows.networks[tested])
        for raw_ms, corrected_ms in ((prior_sums_ms, prior_networks_ms), (sums_ms, predicted_ms)):
            corrected_ms[new] = _fit_correction(raw_ms[known], networks_ms[known]).apply(raw_ms[new])
    return _HeldOut(
        prior_networks_ms,
        predicted_ms,
        _fit_correction(prior_sums_ms, networks_ms),
        _fit_correction(sums_ms, networks_ms),
    )


def _held_out_rows(
    rows: TrainingRows, genome_ids: Sequence[str], seed: int, origin: SourceDevice | None, count: int
) -> tuple[list[tuple[NDArray[np.intp], NDArray[np.intp]]], FloatArray, FloatArray]:
    """``count`` folds (rows learnt from, rows tested), and each row in ms by the prior and by the model."""
    rows_prior_ms, rows_ms = np.empty(len(rows.calls)), np.empty(len(rows.calls))
    row_genomes = np.array(genome_ids)[rows.networks]
    folds = list(GroupKFold(count, shuffle=True, random_state=seed).split(rows.calls, groups=row_genomes))
    for learnt, tested in folds:
        prior, model = fit_rows(rows, learnt, seed, origin)
        prior_ms, columns = model_columns(prior, [rows.calls[row] for row in tested])
        rows_prior_ms[tested] = prior_ms
        rows_ms[tested] = prior_ms * np.exp(Booster(model, len(MODEL_COLUMNS)).predict(columns))
    return folds, rows_prior_ms, rows_ms


def _calibration(predicted_ms: FloatArray, networks_ms: FloatArray) -> Calibration:
    log_errors = np.log(networks_ms / predicted_ms)
    return Calibration(tuple(predicted_ms.tolist()), tuple(log_errors.tolist()))


def _fit_correction(sums_ms: FloatArray, networks_ms: FloatArray) -> SumCorrection:
    """From held-out sums to measured networks, by medians (Theil 1950, Sen 1968) against outliers."""
    log_sums, log_networks = np.log(sums_ms), np.log(networks_ms)
    slope = float(np.clip(theilslopes(log_networks, log_sums).slope, *SLOPES))
    return SumCorrection(intercept=float(np.median(log_networks - slope * log_sums)), slope=slope)
