"""The settings of a search as keyword arguments: every one of them, by its name on the command line."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class SearchOptions(TypedDict, total=False):
    """What a search can be asked for; ``tvnsearch.search.settings`` says what each means, and its default."""

    max_ms: float
    max_params: int | None
    max_gflops: float | None
    max_mb: float | None
    others_max_ms: dict[str, float]
    device: str
    threads: int
    backend: str
    precision: Literal["float32", "bfloat16"]
    batch: int
    level: float
    db: str | None
    space: str
    strategy: str
    population: int
    tournament: int
    trainings: int
    minutes: float | None
    seed: int
    start_from: str | None
    data: str | None
    split_seed: int
    iterations: int
    recipe: str | dict[str, Any] | None
    inherit: bool
    early_stopping: bool
    fitness_predictor: bool
    workers: int
    executor: str
    address: str
    train_on: str | None
    gpus_per_worker: float
    train_threads: int | None
    shared: str | None


class WorkforceOptions(TypedDict, total=False):
    """Who trains when a run is gone on with; what is not given, or None, stays as the run began."""

    workers: int | None
    executor: str | None
    address: str | None
    train_on: str | None
    gpus_per_worker: float | None
    train_threads: int | None
    shared: str | None
