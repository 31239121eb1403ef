"""`tvnsearch predict`: latency without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

import tvnsearch
from cli.arguments import (
    MAX_MS_HELP,
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    GenomeArguments,
    JsonOption,
    LevelOption,
    PrecisionOption,
    ThreadsOption,
    TrainedClassesOption,
)

if TYPE_CHECKING:
    from tvnsearch.api.predict import Prediction

HINTS_SHOWN = 8


def predict(
    genomes: GenomeArguments,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    precision: PrecisionOption = "float32",
    batch: BatchOption = 1,
    classes: TrainedClassesOption = None,
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
    from cli.output import print_json, watching

    with watching() as watch:
        predictions = tvnsearch.predict(
            genomes,
            tvnsearch.open_device(device, threads, backend, precision, batch),
            classes=classes,
            explain=explain,
            max_ms=max_ms,
            level=level,
            db=db,
            watch=watch,
        )
    if as_json:
        print_json(predictions)
        return
    for prediction in predictions:
        _print_layers(prediction, device, level, explain)
        if max_ms is not None:
            _print_verdict(prediction, max_ms)
        if explain:
            _print_hints(prediction, max_ms)


def _print_layers(prediction: Prediction, device: str, level: float, slowest_first: bool) -> None:
    from cli.output import print_table

    layers = prediction.layers
    if slowest_first:
        layers = sorted(layers, key=lambda layer: -layer.latency_ms)
    print_table(
        f"{prediction.name} on {device}: {prediction.latency_ms:.2f} ms, with {100 * level:g} % confidence "
        f"between {prediction.lower_ms:.2f} and {prediction.upper_ms:.2f} ms",
        ["layer call", "latency ms", "share %"],
        [
            [
                layer.name,
                f"{layer.latency_ms:.3f}",
                f"{100 * layer.latency_ms / prediction.latency_ms:.1f}",
            ]
            for layer in layers
        ],
    )


def _print_verdict(prediction: Prediction, max_ms: float) -> None:
    over_ms = prediction.latency_ms - max_ms
    if over_ms <= 0:
        _print_line(f"{-over_ms:.2f} ms under {max_ms:g} ms")
        return
    gone = ", ".join(f"{layer.name} ({layer.latency_ms:.2f} ms)" for layer in prediction.over_budget or ())
    _print_line(f"{over_ms:.2f} ms over {max_ms:g} ms; the others keep it without {gone}")


def _print_hints(prediction: Prediction, max_ms: float | None) -> None:
    for hint in (prediction.hints or [])[:HINTS_SHOWN]:
        kept = " and keeps the budget" if max_ms is not None and hint.latency_ms <= max_ms else ""
        _print_line(f"{hint.change} saves {hint.saves_ms:.2f} ms{kept}")


def _print_line(text: str) -> None:
    from cli.output import out

    out.print(f"- {text}", highlight=False, markup=False, soft_wrap=True)
