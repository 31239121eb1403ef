"""`tvnsearch evolve`: search for a network inside a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import (
    AddressOption,
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    ExecutorOption,
    JsonOption,
    LevelOption,
    MaxGflopsOption,
    MaxMbOption,
    MaxMsOption,
    MaxParamsOption,
    SeedOption,
    SpaceOption,
    ThreadsOption,
    WorkersOption,
)

if TYPE_CHECKING:
    from tvnsearch.api.search_options import SearchOptions


def evolve(
    context: typer.Context,
    max_ms: MaxMsOption | None = None,
    max_params: MaxParamsOption = None,
    max_gflops: MaxGflopsOption = None,
    max_mb: MaxMbOption = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="PATH or FORMAT:PATH of the clips; by default moving digits are generated."
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="The run's folder; one that exists is gone on with.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Scale the plan to this much time; else the paper's.")
    ] = None,
    strategy: Annotated[
        str, typer.Option("--strategy", help="tournament (the paper's), ageing, random, or pareto.")
    ] = "tournament",
    population: Annotated[int, typer.Option("--population", min=1, help="The size of the pool.")] = 200,
    tournament: Annotated[
        int, typer.Option("--tournament", min=1, help="Of strategies tournament and ageing.")
    ] = 50,
    trainings: Annotated[int, typer.Option("--trainings", min=1, help="Networks to train in all.")] = 1000,
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Of each training.")] = 10_000,
    inherit: Annotated[
        bool, typer.Option("--inherit", help="A child begins its training with its parent's weights.")
    ] = False,
    early_stopping: Annotated[
        bool, typer.Option("--early-stopping", help="Pause trainings that cannot become the best.")
    ] = False,
    fitness_predictor: Annotated[
        bool, typer.Option("--fitness-predictor", help="Train the network that promises most of many.")
    ] = False,
    space: SpaceOption = "paper",
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    level: LevelOption = 0.99,
    seed: SeedOption = 0,
    db: DbOption = None,
    workers: WorkersOption = 1,
    executor: ExecutorOption = "local",
    address: AddressOption = "auto",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="A TOML file with settings; what is given beside it wins."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the search would do and take, and begin nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Evolve a network that keeps the budget: predicted, then measured, only then trained."""
    from cli.given import given_options
    from tvnsearch.search.settings import settings_of

    options = given_options(context, config)
    if dry_run:
        _show_plan(config, run, options, as_json)
    else:
        _search(config, run, options, settings_of(options, config).budget.max_ms, as_json)


def _search(
    config: Path | None, run: Path | None, options: SearchOptions, max_ms: float, as_json: bool
) -> None:
    from msgspec import to_builtins

    from cli.output import print_json, watching
    from cli.reports import print_summary
    from cli.search_view import SearchView
    from tvnsearch.api.evolve import evolve as search

    with watching() as watch, SearchView(max_ms) as view:
        report = search(config=config, run=run, watch=watch, on_progress=view.show, **options)
    if as_json:
        print_json(report)
    else:
        print_summary(to_builtins(report))


def _show_plan(config: Path | None, run: Path | None, options: SearchOptions, as_json: bool) -> None:
    from cli.output import print_json, watching
    from cli.plan_view import print_plan
    from tvnsearch.api.dry_run import plan_search

    with watching() as watch:
        report = plan_search(config=config, run=run, watch=watch, **options)
    if as_json:
        print_json(report)
    else:
        print_plan(report)
