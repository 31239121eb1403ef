"""What a user asks a search for, checked as far as a moment allows. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from predictors.calibration import DEFAULT_LEVEL
from tvnsearch.api.latency_predictors import database_path, require_database
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.devices.device import Device, open_device
from tvnsearch.errors import UserError
from tvnsearch.genome.space import load_space
from tvnsearch.search.budget import Budget
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.run_folder import journal_path
from tvnsearch.search.settings import Workforce
from tvnsearch.search.strategies import check_strategy


class Request(Struct, frozen=True, kw_only=True):
    """What the user asked a search for; kept in the journal, so that a resume needs nothing else."""

    max_ms: float
    others_max_ms: dict[str, float] = {}
    max_params: int | None
    max_gflops: float | None = None
    max_mb: float | None = None
    data: str | None
    minutes: float | None
    strategy: str = "tournament"
    population: int
    tournament: int
    trainings: int
    iterations: int
    space: str
    device: str
    threads: int
    backend: str
    dtype: str = "float32"
    batch: int = 1
    level: float = DEFAULT_LEVEL
    seed: int
    inherit: bool = False
    early_stopping: bool = False
    fitness_predictor: bool = False
    db: str | None
    workforce: Workforce = Workforce()


def request_of(plan: SearchPlan) -> Request:
    """The request that a run was begun with."""
    return msgspec.convert(plan.setup, Request)


def draft(request: Request) -> SearchPlan:
    """The plan that a request comes to, short of what only the device, the clips and a timing can tell.

    Raises:
        UserError: a setting is no good, or there is no such space, strategy or device.
    """
    check_strategy(request.strategy)
    device = requested_device(request)
    budget = Budget(
        request.max_ms,
        request.max_params,
        request.max_gflops,
        request.max_mb,
        device.dtype,
        request.others_max_ms,
    )
    plan = SearchPlan(
        budget=budget,
        space=load_space(request.space),
        classes=1,
        device=request.device,
        device_digest="",
        data="",
        strategy=request.strategy,
        population=request.population,
        tournament=request.tournament,
        trainings=request.trainings,
        iterations=request.iterations,
        minutes=request.minutes,
        seed=request.seed,
        inherit=request.inherit,
        early_stopping=request.early_stopping,
        fitness_predictor=request.fitness_predictor,
        setup=msgspec.to_builtins(request),
    )
    require_database(database_path(optional_path(request.db)), device.name)
    if request.data is not None:
        parse_address(request.data)
    return plan


def check_same_request(request: Request, run: Path) -> bool:
    """Whether ``run`` was begun already; how many workers train it may change.

    Raises:
        UserError: it was begun with other settings, or its file of a search space has changed since.
    """
    if not journal_path(run).is_file():
        return False
    with Journal.read(run) as journal:
        plan = journal.plan
    what_to_do = f"go on with it by `tvnsearch resume {run}`, or give another --run"
    if msgspec.structs.replace(request_of(plan), workforce=request.workforce) != request:
        raise UserError(
            f"expected the settings that the run {run} was begun with, but some are different; {what_to_do}"
        )
    if load_space(request.space) != plan.space:
        raise UserError(
            f"expected the search space that the run {run} was begun with, but {request.space} says another "
            f"one by now; {what_to_do}"
        )
    return True


def workforce_to_resume(
    run: Path, workers: int | None, executor: str | None, address: str | None
) -> Workforce:
    """Who trains when ``run`` is gone on with: as it began, short of what is asked for anew.

    Raises:
        UserError: there is no run that this version can read, another process is writing it, or there is no
            such executor.
    """
    with Journal.open(run) as journal:
        known = request_of(journal.plan).workforce
    return Workforce(workers or known.workers, executor or known.executor, address or known.address)


def requested_device(request: Request) -> Device:
    """The device that is searched for.

    Raises:
        UserError: there is no such device here.
    """
    return open_device(request.device, request.threads, request.backend, request.dtype, request.batch)


def optional_path(text: str | None) -> Path | None:
    """A path that may not have been given."""
    return None if text is None else Path(text)
