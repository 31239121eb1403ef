"""Latencies of networks without running them: each layer's, the total, the interval that it lies in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from predictors.calibration import DEFAULT_LEVEL
from predictors.explain import Hint, hints, over_budget
from predictors.predictor import LatencyPredictor, LayerLatency
from tvnsearch.api.genomes import (
    GenomeLike,
    classes_of,
    grouped_by_classes,
    listed,
    name_of,
    resolve_genome,
)
from tvnsearch.api.latency_predictors import database_path, load_predictor
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.device import Device, as_device
from tvnsearch.devices.meter import Meter
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace
from tvnsearch.search.protocols import LatencyEstimate


class Prediction(Struct, frozen=True, omit_defaults=True):
    """A network's predicted latency, between ``lower_ms`` and ``upper_ms``, and that of each layer call.

    Its head has ``classes`` outputs.
    Of layer types that were ``never_profiled`` on the device the milliseconds are a mere guess.
    ``over_budget`` are the slowest layer calls, as few as the others keep the budget without; None where none
    was given. ``hints`` are the changes that save time, the best first; None where none were asked for.
    """

    name: str
    classes: int
    latency_ms: float
    lower_ms: float
    upper_ms: float
    params: int
    macs: int
    never_profiled: list[str]
    layers: list[LayerLatency]
    over_budget: list[LayerLatency] | None = None
    hints: list[Hint] | None = None


def predict(
    genomes: GenomeLike | Sequence[GenomeLike],
    device: str | Device = "cpu",
    *,
    classes: int | None = None,
    explain: bool = False,
    max_ms: float | None = None,
    level: float = DEFAULT_LEVEL,
    db: str | Path | None = None,
    watch: Watch = SILENT,
) -> list[Prediction]:
    """Predict the latencies of ``genomes`` on a ``device`` that was profiled in ``db``, in their order.

    Their heads have ``classes`` outputs; by default as many as a run's or a training's network was trained
    for, and 339 where it never was. Bounds hold for a share of ``level`` of networks. With ``explain`` come
    hints, with a budget of ``max_ms`` the layer calls that break it.

    Raises:
        UserError: there is no such genome or device, it was not profiled, or the budget has no end.
    """
    if max_ms is not None and not 0 <= max_ms < math.inf:
        raise UserError(f"expected --max-ms over 0 that has an end, but got {max_ms}; give another number")
    asked: Sequence[GenomeLike] = listed(genomes)
    found = [resolve_genome(genome) for genome in asked]
    with Meter(as_device(device)) as meter:
        predictor = load_predictor(database_path(db), meter, level, watch=watch)
    outputs = [classes_of(named, classes) for named in asked]
    estimates: dict[int, LatencyEstimate] = {}
    for count, places in grouped_by_classes(outputs):
        group = [found[place] for place in places]
        estimates |= zip(places, predictor.estimate(group, count), strict=True)
    return [
        _prediction(
            predictor, name_of(named), genome, estimates[place], outputs[place], explain, max_ms, watch
        )
        for place, (named, genome) in enumerate(zip(asked, found, strict=True))
    ]


def _prediction(
    predictor: LatencyPredictor,
    name: str,
    genome: Genome,
    estimate: LatencyEstimate,
    classes: int,
    explain: bool,
    max_ms: float | None,
    watch: Watch,
) -> Prediction:
    network = trace(genome, classes)
    unknown = predictor.never_profiled(genome)
    if unknown:
        watch.say(
            f"{name} has layers that were never profiled on this device ({', '.join(unknown)}): neither "
            "their milliseconds nor the interval can be relied on; `tvnsearch measure` knows"
        )
    layers = predictor.layers(genome, classes)
    return Prediction(
        name=name,
        classes=classes,
        latency_ms=estimate.latency_ms,
        lower_ms=estimate.lower_ms,
        upper_ms=estimate.upper_ms,
        params=network.params,
        macs=network.macs,
        never_profiled=unknown,
        layers=layers,
        over_budget=None if max_ms is None else over_budget(layers, max_ms),
        hints=hints(predictor, genome, classes) if explain else None,
    )
