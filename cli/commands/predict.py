"""`tvnsearch predict`: latency without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import (
    MAX_MS_HELP,
    BackendOption,
    BatchOption,
    ClassesOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    GenomeArguments,
    JsonOption,
    LevelOption,
    ThreadsOption,
)
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

if TYPE_CHECKING:
    from predictors.predictor import LatencyPredictor
    from tvnsearch.genome.genome import Genome
    from tvnsearch.search.protocols import LatencyEstimate

HINTS_SHOWN = 8


def predict(
    genomes: GenomeArguments,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    classes: ClassesOption = MOMENTS_IN_TIME_CLASSES,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show slowest layers first, and the changes that would save most."),
    ] = False,
    max_ms: Annotated[
        float | None,
        typer.Option(
            "--max-ms", "-m", metavar="MS", min=0.0, help=f"{MAX_MS_HELP}; says which layer calls break it."
        ),
    ] = None,
    level: LevelOption = 0.99,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the latency of networks without running them.

    Each layer's milliseconds, those of the whole network, and the bounds that they lie in.
    """
    from cli.output import print_json
    from tvnsearch.api.genomes import resolve_genome
    from tvnsearch.api.latency_predictors import database_path, load_predictor
    from tvnsearch.devices.device import open_device
    from tvnsearch.devices.meter import Meter

    found = [resolve_genome(name) for name in genomes]
    with Meter(open_device(device, threads, backend, dtype, batch)) as meter:
        predictor = load_predictor(database_path(db), meter, level)
    estimates = predictor.estimate(found, classes)
    reports = [
        _report(predictor, name, genome, estimate, classes, explain, max_ms)
        for name, genome, estimate in zip(genomes, found, estimates, strict=True)
    ]
    if as_json:
        print_json(reports)
        return
    for report in reports:
        _print_report(report, device, level, explain)
        if max_ms is not None:
            _print_verdict(report, max_ms)
        if explain:
            _print_hints(report, max_ms)


def _report(
    predictor: LatencyPredictor,
    name: str,
    genome: Genome,
    estimate: LatencyEstimate,
    classes: int,
    explain: bool,
    max_ms: float | None,
) -> dict[str, Any]:
    import msgspec

    from cli.output import say
    from predictors.explain import hints, over_budget
    from tvnsearch.genome.trace import trace

    network = trace(genome, classes)
    unknown = predictor.never_profiled(genome)
    if unknown:
        say(
            f"{name} has layers that were never profiled on this device ({', '.join(unknown)}): neither "
            "their milliseconds nor the interval can be relied on; `tvnsearch measure` knows"
        )
    layers = predictor.layers(genome, classes)
    report = {
        "name": name,
        "latency_ms": estimate.latency_ms,
        "lower_ms": estimate.lower_ms,
        "upper_ms": estimate.upper_ms,
        "params": network.params,
        "macs": network.macs,
        "never_profiled": unknown,
        "layers": msgspec.to_builtins(layers),
    }
    if max_ms is not None:
        report["over_budget"] = msgspec.to_builtins(over_budget(layers, max_ms))
    if explain:
        report["hints"] = msgspec.to_builtins(hints(predictor, genome, classes))
    return report


def _print_report(report: dict[str, Any], device: str, level: float, slowest_first: bool) -> None:
    from cli.output import print_table

    layers = report["layers"]
    if slowest_first:
        layers = sorted(layers, key=lambda layer: -layer["latency_ms"])
    print_table(
        f"{report['name']} on {device}: {report['latency_ms']:.2f} ms, with {100 * level:g} % confidence "
        f"between {report['lower_ms']:.2f} and {report['upper_ms']:.2f} ms",
        ["layer call", "latency ms", "share %"],
        [
            [
                layer["name"],
                f"{layer['latency_ms']:.3f}",
                f"{100 * layer['latency_ms'] / report['latency_ms']:.1f}",
            ]
            for layer in layers
        ],
    )


def _print_verdict(report: dict[str, Any], max_ms: float) -> None:
    over_ms = report["latency_ms"] - max_ms
    if over_ms <= 0:
        _print_line(f"{-over_ms:.2f} ms under {max_ms:g} ms")
        return
    gone = ", ".join(f"{layer['name']} ({layer['latency_ms']:.2f} ms)" for layer in report["over_budget"])
    _print_line(f"{over_ms:.2f} ms over {max_ms:g} ms; the others keep it without {gone}")


def _print_hints(report: dict[str, Any], max_ms: float | None) -> None:
    for hint in report["hints"][:HINTS_SHOWN]:
        kept = " and keeps the budget" if max_ms is not None and hint["latency_ms"] <= max_ms else ""
        _print_line(f"{hint['change']} saves {hint['saves_ms']:.2f} ms{kept}")


def _print_line(text: str) -> None:
    from cli.output import out

    out.print(f"- {text}", highlight=False, markup=False, soft_wrap=True)
