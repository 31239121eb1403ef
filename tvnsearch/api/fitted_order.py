"""The network of an order trained: in a process of its own, or in those that torchrun started."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.kept_clips import kept_clips
from tvnsearch.api.loggers import Logger, LoggerLike, opened_loggers
from tvnsearch.api.starting_weights import START, starting_weights
from tvnsearch.api.teachers import taught_by
from tvnsearch.api.trained_model import WEIGHTS, load_model
from tvnsearch.api.training_order import TrainingOrder
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.genome.trace import trace
from tvnsearch.search.run_folder import clips_path
from tvnsearch.workers import EnvironmentFailedError, Worker

if TYPE_CHECKING:
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.dataset import Dataset
    from tvnsearch.training.iterating import TrainingProgress
    from tvnsearch.training.task import DataSource
    from tvnsearch.training.teacher import Teacher
    from tvnsearch.training.trainer import TrainingResult

METRICS = "metrics.jsonl"

CLIPS_READY = ".clips-are-ready"
"""There while the processes that torchrun started gather: the first has prepared the clips."""


def train_alone(
    order: TrainingOrder, folder: Path, threads: int, loggers: Sequence[LoggerLike], watch: Watch
) -> tuple[TrainingResult, Dataset]:
    """In a process of its own, on so many threads.

    Raises:
        UserError: there are no clips, or it ended for what is none of the network's fault.
    """
    from tvnsearch.api.trained_fitness import TRAINING_MODULE, worker_params
    from tvnsearch.training.iterating import TrainingProgress
    from tvnsearch.training.trainer import TrainingResult

    cache, source = _open_clips(order, folder)
    teacher = _teacher(order, cache.dataset)
    source = replace(source, reads=_reads(order, cache.dataset))
    prepare_clips(cache, watch, source.reads)
    start = _start(order, folder, cache, watch)
    watch.say(_plan(order, len(cache.dataset.classes), f"{threads} thread(s)"))
    params = {
        **worker_params(order.genome, source, (folder / WEIGHTS).resolve(), order.device),
        "recipe": msgspec.to_builtins(order.recipe),
        "teacher": msgspec.to_builtins(teacher),
        "checkpoints": str(folder.resolve()),
        "initial_weights": None if start is None else str(start.resolve()),
        "validation": msgspec.to_builtins(order.validation),
        "with_validation": order.with_validation,
        "metrics": str((folder / METRICS).resolve()),
        "tell_metrics": bool(loggers),
    }
    with (
        opened_loggers(loggers, folder, msgspec.to_builtins(order)) as hearing,
        Worker(TRAINING_MODULE, threads, shares_cores=True) as worker,
    ):

        def hear(told: dict[str, Any]) -> None:
            if "metrics" in told:
                _log(hearing, told["metrics"])
            else:
                _tell(watch, TrainingProgress(**told))

        try:
            answer = worker.call("train", params, hear)
        except EnvironmentFailedError as error:
            raise UserError(
                f"expected to train in {folder}, but that ended for what is none of the network's fault "
                f"({error}); mend that, and `tvnsearch train {folder} --resume` goes on"
            ) from None
    return msgspec.convert(answer, TrainingResult), cache.dataset


def train_together(
    order: TrainingOrder, folder: Path, loggers: Sequence[LoggerLike], watch: Watch
) -> tuple[TrainingResult | None, Dataset]:
    """In this process, which is one of those that torchrun started.

    The first prepares the clips, which may take hours; the others wait for that before they join the team,
    whose members wait for each other for minutes only.
    """
    from tvnsearch.data.cache import open_prepared
    from tvnsearch.data.stored_sizes import size_to_store
    from tvnsearch.training.checkpoint import Checkpoints
    from tvnsearch.training.team import leads_torchrun, say_ready, team_of_torchrun, wait_until_ready
    from tvnsearch.training.trainer import train as fit_network

    resolution, ready = _resolution(order), folder / CLIPS_READY
    if leads_torchrun():
        ready.unlink(missing_ok=True)
        cache, _ = _open_clips(order, folder)
        _teacher(order, cache.dataset)  # refused before anything is decoded
        prepare_clips(cache, watch, _reads(order, cache.dataset))
        _start(order, folder, cache, watch)
        say_ready(ready)
    else:
        wait_until_ready(ready)
    with (
        team_of_torchrun(order.device) as (team, device),
        opened_loggers(loggers if team.leads else (), folder, msgspec.to_builtins(order)) as hearing,
    ):
        if team.leads:
            ready.unlink(missing_ok=True)
            watch.say(_plan(order, len(cache.dataset.classes), f"{team.size} processes"))
        else:
            path, size = clips_path(folder), size_to_store(resolution)
            cache = open_prepared(path, clip_cache_folder(), resolution, size)
        result = fit_network(
            order.genome,
            cache,
            order.recipe,
            folder / WEIGHTS,
            initial_weights=None if order.weights is None else folder / START,
            teacher=_teacher(order, cache.dataset),
            checkpoints=Checkpoints(folder),
            validation=order.validation,
            with_validation=order.with_validation,
            device=device,
            team=team,
            on_progress=partial(_tell, watch) if team.leads else None,
            metrics=folder / METRICS,
            on_metrics=partial(_log, hearing) if hearing else None,
        )
    return result if team.leads else None, cache.dataset


def _open_clips(order: TrainingOrder, folder: Path) -> tuple[ClipCache, DataSource]:
    """The clips that a training began with, which its folder keeps, or those that it begins with now."""
    kept, path = kept_clips(folder), clips_path(folder)
    return open_clips(order.data, clip_cache_folder(), _resolution(order), order.split_seed, kept, path)


def _resolution(order: TrainingOrder) -> int:
    """Of the clips that the network looks at, and its teacher."""
    longest = order.genome.input.long_side
    return (
        longest if order.teacher is None else max(longest, load_model(order.teacher).genome.input.long_side)
    )


def _teacher(order: TrainingOrder, dataset: Dataset) -> Teacher | None:
    return None if order.teacher is None else taught_by(load_model(order.teacher), dataset)


def _reads(order: TrainingOrder, dataset: Dataset) -> float:
    """How often a training reads each of the clips that it learns from."""
    learnt = len(dataset.train) + (len(dataset.validation) if order.with_validation else 0)
    return order.recipe.iterations * order.recipe.batch_size / learnt


def _start(order: TrainingOrder, folder: Path, cache: ClipCache, watch: Watch) -> Path | None:
    if order.weights is None:
        return None
    classes, seed = cache.dataset.classes, order.recipe.seed
    return starting_weights(order.weights, order.genome, classes, folder, seed, watch)


def _plan(order: TrainingOrder, classes: int, where: str) -> str:
    from tvnsearch.training.precision import choose_precision
    from tvnsearch.training.smoothing import smoothed_place

    recipe, network = order.recipe, trace(order.genome, classes)
    precision = choose_precision(recipe.precision, order.device, network)
    said = (
        f"training: {order.network}, {recipe.iterations:,} iterations of {recipe.batch_size} clips in "
        f"{precision}, on {order.device}, {where}"
    )
    if order.teacher is not None:
        said += f"; it learns from {order.teacher}"
    if recipe.grw_weight and smoothed_place(network, recipe.grw_frames) is None:
        said += "; it sees too few frames for grw_weight, and nothing is smoothed"
    return said


def _tell(watch: Watch, state: TrainingProgress) -> None:
    watch.progress("train", state.share, f"iteration {state.iteration:,}, loss {state.loss:.3f}")


def _log(loggers: Sequence[Logger], line: dict[str, Any]) -> None:
    for logger in loggers:
        logger.log(line, step=line["iteration"])
