"""`tvnsearch evolve`: search for a network inside a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    SEARCH,
    SEED,
    SPACE,
    TRAINING,
    AddressOption,
    BackendOption,
    BatchOption,
    DbOption,
    DeviceOption,
    DtypeOption,
    ExecutorOption,
    ThreadsOption,
    WorkersOption,
    in_panel,
    parse_count,
    parse_max_ms,
)
from cli.choices import StrategyName

if TYPE_CHECKING:
    from tvnsearch.api.request import Request


def evolve(
    max_ms: Annotated[str, in_panel(BUDGET, MAX_MS)],
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
    iterations: Annotated[
        int,
        typer.Option(
            "--iterations", metavar="N", min=1, help="Steps of each training.", rich_help_panel=TRAINING
        ),
    ] = 10_000,
    inherit: Annotated[
        bool,
        typer.Option(
            "--inherit",
            help="Begin the training of a child with its parent's weights.",
            rich_help_panel=ACCELERATIONS,
        ),
    ] = False,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping",
            help="Pause trainings that cannot become the best.",
            rich_help_panel=ACCELERATIONS,
        ),
    ] = False,
    fitness_predictor: Annotated[
        bool,
        typer.Option(
            "--fitness-predictor",
            help="Draw many children for each training, and train the one that promises most.",
            rich_help_panel=ACCELERATIONS,
        ),
    ] = False,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    backend: BackendOption = "eager",
    dtype: DtypeOption = "float32",
    batch: BatchOption = 1,
    db: DbOption = None,
    workers: WorkersOption = 1,
    executor: ExecutorOption = "local",
    address: AddressOption = "auto",
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
    as_json: Annotated[bool, in_panel(OUTPUT, JSON)] = False,
) -> None:
    """Evolve a network that keeps a latency budget.

    Networks are predicted first, then measured, then trained. Needs what `tvnsearch profile` learns.
    """
    from cli.output import print_json
    from cli.reports import print_summary
    from tvnsearch.api.request import Request
    from tvnsearch.search.executors import Workforce

    here_max_ms, others_max_ms = parse_max_ms(max_ms, device)
    request = Request(
        max_ms=here_max_ms,
        others_max_ms=others_max_ms,
        max_params=parse_count(max_params, "--max-params"),
        max_gflops=max_gflops,
        max_mb=max_mb,
        data=data,
        minutes=minutes,
        strategy=strategy,
        population=population,
        tournament=tournament,
        trainings=trainings,
        iterations=iterations,
        inherit=inherit,
        early_stopping=early_stopping,
        fitness_predictor=fitness_predictor,
        space=space,
        device=device,
        threads=threads,
        backend=backend,
        dtype=dtype,
        batch=batch,
        level=level,
        seed=seed,
        db=None if db is None else str(db),
        workforce=Workforce(workers, executor, address),
    )
    _refuse_mistakes(request, run)
    report = _carried_out(request, run)
    if as_json:
        print_json(report)
        return
    print_summary(report)


def _refuse_mistakes(request: Request, run: Path | None) -> None:
    """Tell before anything heavy is loaded if a request cannot be carried out, or is not that of ``run``."""
    from tvnsearch.api.request import check_same_request, draft

    if run is None or not check_same_request(request, run):
        draft(request)


def _carried_out(request: Request, run: Path | None) -> dict[str, Any]:
    """Search as asked for, in a new run or the one that was begun so; the run's report."""
    from tvnsearch.api.evolve import carry_out
    from tvnsearch.api.planning import start

    return carry_out(start(request, run), request.workforce)
