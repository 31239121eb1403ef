"""The winner of a run for its page: the promise, what it is and takes, from whom it descends."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tvnsearch.api.exported import exported_line
from tvnsearch.api.status import HandedOver, RunReport
from tvnsearch.drawing import block_lines, network_svg
from tvnsearch.drawing.labels import call_name, sizes, times
from tvnsearch.genome.trace import trace
from tvnsearch.reporting.records import Ancestor, LayerRow, Promise, Score, WinnerPart
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.progress.status import NetworkSummary
from tvnsearch.search.records import Individual
from tvnsearch.search.run_folder import winner_folder

LAYERS = "layers_ms.json"


class _LayerTimes(msgspec.Struct):
    """What the winner's folder says of its layers: the share of each of the exported file's time."""

    runtime: str
    latency_ms: float
    layers_ms: dict[str, float]


def promise_of(report: RunReport, plan: SearchPlan) -> Promise | None:
    """Whether the winner keeps the budget; None as long as there is no winner."""
    winner = report.winner
    if winner is None:
        return None
    exported = winner.exported if isinstance(winner, HandedOver) else None
    return Promise(
        number=winner.number,
        genome_id=winner.genome_id,
        max_ms=report.max_ms,
        latency_ms=winner.latency_ms,
        ci_low_ms=winner.ci_low_ms,
        ci_high_ms=winner.ci_high_ms,
        is_kept=report.promised,
        reason=winner.reason,
        measured_on=measured_on(plan),
        exported="" if exported is None else exported_line(exported.file, exported),
    )


def measured_on(plan: SearchPlan) -> str:
    """What latencies of a run are of, for people."""
    device = plan.device
    told = [device.backend, device.precision]
    if device.processor == "cpu":
        told.append(f"{device.threads} thread{'s' if device.threads > 1 else ''}")
    if device.batch > 1:
        told.append(f"{device.batch} clips a pass")
    return f"{device.name} ({', '.join(told)}; device {plan.device_digest})"


def winner_part(report: RunReport, plan: SearchPlan) -> WinnerPart | None:
    """What the winner is, and what its layers take; None as long as there is no winner."""
    winner = report.winner
    if winner is None:
        return None
    told = _layer_times(Path(report.run)) if isinstance(winner, HandedOver) else None
    layers_ms = {} if told is None else told.layers_ms
    network = trace(winner.genome, plan.classes)
    layers = [
        LayerRow(
            place=name.rpartition(".")[0].replace("block", "").replace("repeat", ""),
            layer=" ".join(
                filter(
                    None,
                    [
                        call_name(call),
                        times(sizes(call.type, call.kernel, call.kernel_frames, call.kernel_width)),
                    ],
                )
            ),
            out=times(call.out_shape),
            params=call.params,
            macs=call.macs,
            latency_ms=layers_ms.get(name, None if told is None else 0.0),
        )
        for name, call in network.named_calls()
    ]
    return WinnerPart(
        genome=winner.genome,
        words=block_lines(winner.genome),
        svg=network_svg(winner.genome, f"individual {winner.number}", plan.classes),
        params=winner.params,
        macs=winner.macs,
        scores=_scores(winner),
        layers=layers,
        timed_in="" if told is None else f"{told.runtime}, {told.latency_ms:.2f} ms in all",
    )


def _layer_times(run: Path) -> _LayerTimes | None:
    try:
        return msgspec.json.decode((winner_folder(run) / LAYERS).read_bytes(), type=_LayerTimes)
    except (OSError, msgspec.DecodeError):
        return None  # an extra that the winner's folder may lack; the page says that they are not known


def _scores(winner: NetworkSummary) -> list[Score]:
    unseen = f"{winner.clips:,} clips it never saw" if isinstance(winner, HandedOver) else "validation clips"
    named = (
        ("top-1", winner.top1),
        ("top-5", winner.top5),
        ("mean average precision", winner.mean_average_precision),
    )
    scores = [Score(name, f"{value:.1%}", unseen) for name, value in named if value is not None]
    if isinstance(winner, HandedOver):
        scores.append(Score("chance", f"{winner.chance:.1%}", unseen))
    return [*scores, Score("fitness", f"{winner.fitness:.3f}", "validation clips")]


def lineage_of(number: int, known: Mapping[int, Individual]) -> list[Ancestor]:
    """The individuals from the first that was drawn at random to ``number``."""
    line: list[Individual] = []
    at: int | None = number
    while at is not None and at in known:
        line.append(known[at])
        at = known[at].parent
    lineage: list[Ancestor] = []
    parent: Individual | None = None
    for individual in reversed(line):
        known_lines = [] if parent is None else block_lines(parent.genome)
        lineage.append(
            Ancestor(
                number=individual.number,
                genome_id=individual.genome_id,
                fitness=individual.fitness.value,
                gain=None if parent is None else individual.fitness.value - parent.fitness.value,
                latency_ms=individual.measurement.latency_ms,
                params=individual.params,
                changed=[words for words in block_lines(individual.genome) if words not in known_lines],
            )
        )
        parent = individual
    return lineage
