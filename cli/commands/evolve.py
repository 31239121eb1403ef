"""`tvnsearch evolve`: search for a network inside a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    parse_count,
    parse_max_ms,
)

if TYPE_CHECKING:
    from tvnsearch.api.request import Request


def evolve(
    max_ms: MaxMsOption,
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
    as_json: JsonOption = False,
) -> None:
    """Evolve a network that keeps the budget: predicted, then measured, only then trained."""
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
