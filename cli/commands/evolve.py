"""`tvnsearch evolve`: search for a network inside a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import (
    ACCELERATIONS,
    BUDGET,
    JSON,
    LEVEL,
    MAX_GFLOPS,
    MAX_MB,
    MAX_MS,
    MAX_PARAMS,
    OUTPUT,
    RECIPE_HELP,
    SEARCH,
    SEED,
    SPACE,
    SPLIT_SEED,
    TRAINING,
    AddressOption,
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    EachTrainThreadsOption,
    ExecutorOption,
    GpusPerWorkerOption,
    PrecisionOption,
    SharedOption,
    ThreadsOption,
    TrainOnOption,
    WorkersOption,
    in_panel,
    recipe_names,
)
from cli.choices import StrategyName

if TYPE_CHECKING:
    from tvnsearch.api.search_options import SearchOptions


def evolve(
    context: typer.Context,
    max_ms: Annotated[str | None, in_panel(BUDGET, MAX_MS)] = None,
    max_params: Annotated[str | None, in_panel(BUDGET, MAX_PARAMS)] = None,
    max_gflops: Annotated[float | None, in_panel(BUDGET, MAX_GFLOPS)] = None,
    max_mb: Annotated[float | None, in_panel(BUDGET, MAX_MB)] = None,
    level: Annotated[float, in_panel(BUDGET, LEVEL)] = 0.99,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            "-t",
            metavar="MINUTES",
            help="Minutes of searching in all: trainings are made as long and as many as fit; by default "
            "the paper's plan, however long that takes.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    space: Annotated[str, in_panel(SEARCH, SPACE)] = "paper",
    strategy: Annotated[
        StrategyName,
        typer.Option(
            "--strategy",
            help="How the next network is chosen; tournament is the paper's way.",
            rich_help_panel=SEARCH,
        ),
    ] = "tournament",
    population: Annotated[
        int,
        typer.Option(
            "--population",
            metavar="N",
            min=1,
            help="Networks in the pool of parents.",
            rich_help_panel=SEARCH,
        ),
    ] = 200,
    tournament: Annotated[
        int,
        typer.Option(
            "--tournament",
            metavar="N",
            min=1,
            help="Networks of the pool that compete to be a parent, by tournament and ageing.",
            rich_help_panel=SEARCH,
        ),
    ] = 50,
    trainings: Annotated[
        int,
        typer.Option(
            "--trainings", metavar="N", min=1, help="Networks to train in all.", rich_help_panel=SEARCH
        ),
    ] = 1000,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--start-from",
            metavar="NAME|RUN|FILE,...",
            help="Networks that are judged first, with commas between: zoo networks (zoo for all that the "
            "space holds), the fittest of runs, genome files.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    seed: Annotated[int, in_panel(SEARCH, SEED)] = 0,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="[FORMAT:]PATH",
            help="The clips to learn from; by default moving digits are generated.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    split_seed: Annotated[int, in_panel(TRAINING, SPLIT_SEED)] = 0,
    iterations: Annotated[
        int,
        typer.Option(
            "--iterations", metavar="N", min=1, help="Steps of each training.", rich_help_panel=TRAINING
        ),
    ] = 10_000,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME|FILE",
            help=f"{RECIPE_HELP}; its iterations hold unless --iterations are given.",
            autocompletion=recipe_names,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    inherit: Annotated[
        bool,
        typer.Option(
            "--inherit/--no-inherit",
            metavar="",
            show_default=False,
            help="Begin the training of a child with its parent's weights.",
            rich_help_panel=ACCELERATIONS,
        ),
    ] = False,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping/--no-early-stopping",
            metavar="",
            show_default=False,
            help="Pause trainings that cannot become the best (with pareto: reach the front).",
            rich_help_panel=ACCELERATIONS,
        ),
    ] = False,
    fitness_predictor: Annotated[
        bool,
        typer.Option(
            "--fitness-predictor/--no-fitness-predictor",
            metavar="",
            show_default=False,
            help="Draw many children for each training, and train the one that promises most.",
            rich_help_panel=ACCELERATIONS,
        ),
    ] = False,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    precision: PrecisionOption = "float32",
    batch: BatchOption = 1,
    db: DbOption = None,
    workers: WorkersOption = 1,
    executor: ExecutorOption = "local",
    address: AddressOption = "auto",
    train_on: TrainOnOption = None,
    gpus_per_worker: GpusPerWorkerOption = 1.0,
    train_threads: EachTrainThreadsOption = None,
    shared: SharedOption = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            "-r",
            metavar="FOLDER",
            help="The folder of the run, gone on with if it exists; by default a new one in runs/.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="A TOML file with settings; what is given beside it wins.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what the search would do and take, and begin nothing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    as_json: Annotated[bool, in_panel(OUTPUT, JSON)] = False,
) -> None:
    """Evolve a network that keeps a latency budget.

    Networks are predicted first, then measured, then trained. Needs what `tvnsearch profile` learns.
    """
    from cli.given import given_options
    from tvnsearch.api.recipes import asked_settings

    options = given_options(context, config)
    if dry_run:
        _show_plan(config, run, options, as_json)
    else:
        _search(config, run, options, asked_settings(options, config).budget.max_ms, as_json)


def _search(
    config: Path | None, run: Path | None, options: SearchOptions, max_ms: float, as_json: bool
) -> None:
    from cli.interrupting import interruptible
    from cli.output import print_json, watching
    from cli.reports import print_report_hint, print_summary
    from cli.search_view import SearchView
    from tvnsearch.api.evolve import evolve as search

    with interruptible(), watching() as watch, SearchView(max_ms) as view:
        report = search(config=config, run=run, watch=watch, on_progress=view.show, **options)
    if as_json:
        print_json(report)
    else:
        print_summary(report)
        print_report_hint(report.run)


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
