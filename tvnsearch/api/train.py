"""One network trained on its own, in a folder of its own, and trained networks scored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cli.output import ProgressBar, say
from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.trained_fitness import TRAINING_MODULE
from tvnsearch.api.trained_model import ModelCard, TrainedModel, write_model
from tvnsearch.data.cache import ClipCache
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace, trace_blocks
from tvnsearch.search.run_folder import journal_path
from tvnsearch.training.checkpoint import CHECKPOINT, Checkpoints
from tvnsearch.training.precision import choose_precision
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.report import Report
from tvnsearch.training.task import DataSource
from tvnsearch.training.team import started_by_torchrun, team_of_torchrun
from tvnsearch.training.trainer import TrainingProgress, TrainingResult, train
from tvnsearch.workers import Worker

REQUEST, RESULT, WEIGHTS = "training.json", "training-result.json", "weights.safetensors"


class TrainingRequest(Struct, frozen=True):
    """What the user asked a training for; kept in its folder, so that going on needs nothing else."""

    network: str
    genome: Genome
    data: str
    recipe: Recipe
    device: str = "cpu"


def begin(request: TrainingRequest, folder: Path) -> None:
    """Claim a folder for a training; one that was begun there with the same request is taken up again.

    Raises:
        UserError: the network cannot be built, or the folder holds something else that would be lost.
    """
    trace_blocks(request.genome)
    path = folder / REQUEST
    if path.is_file() and read_request(folder) == request:
        return
    others = (folder / CHECKPOINT, folder / RESULT, folder / "model.json", journal_path(folder))
    if any(other.exists() for other in others):
        raise UserError(
            f"expected a new folder, or one of a training with the same settings, but {folder} holds "
            f"something else; go on with that by `tvnsearch train {folder} --resume`, or give another --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write(path, request)


def read_request(folder: Path) -> TrainingRequest:
    """What the training in a folder was asked for.

    Raises:
        UserError: there is no training.
    """
    path = folder / REQUEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainingRequest)
    except (OSError, msgspec.DecodeError) as error:
        reason = "there is none" if isinstance(error, OSError) else f"it is malformed ({error})"
        raise UserError(
            f"expected the folder of a training, with a file {path}, but {reason}; "
            "begin one with `tvnsearch train NAME --data DATA`"
        ) from None


def carry_out(folder: Path, threads: int | None) -> dict[str, Any] | None:
    """Train by the request in a folder, from where it stands, and write the model there.

    Returns the training's report; None in all processes but the first where torchrun started several. Raises:
        UserError: there are no clips, or the training ended without a network.
    """
    request = read_request(folder)
    path = folder / RESULT
    if not path.is_file():
        resolution = request.genome.input.long_side
        cache, source = open_clips(request.data, clip_cache_folder(), resolution, seed=0)
        if started_by_torchrun():
            result = _train_together(request, folder, cache)
        else:
            result = _train_alone(request, folder, cache, source, threads or os.cpu_count() or 1)
        if result is None:
            return None
        if result.failed is not None:
            Checkpoints(folder).clear()
            raise UserError(
                f"expected a network, but the training ended without one: {result.failed}; "
                "change the recipe (learning_rate, batch_size) and train again"
            )
        dataset = cache.dataset
        card = ModelCard(dataset.classes, dataset.multi_label, data=dataset.address)
        write_model(folder, request.genome, card)
        _write(path, result)
        Checkpoints(folder).clear()
    report: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    files = sorted(str(file) for file in folder.iterdir())
    return {"model": str(folder), "network": request.network, "data": request.data, **report, "files": files}


def _train_alone(
    request: TrainingRequest, folder: Path, cache: ClipCache, source: DataSource, threads: int
) -> TrainingResult:
    prepare_clips(cache)
    _say_plan(request, len(cache.dataset.classes), f"{threads} thread(s)")
    params = {
        "genome": msgspec.to_builtins(request.genome),
        "data": msgspec.to_builtins(source),
        "recipe": msgspec.to_builtins(request.recipe),
        "weights": str((folder / WEIGHTS).resolve()),
        "checkpoints": str(folder.resolve()),
        "device": request.device,
    }
    with ProgressBar("train") as bar, Worker(TRAINING_MODULE, threads) as worker:
        answer = worker.call("train", params, lambda state: _show(bar, TrainingProgress(**state)))
    return msgspec.convert(answer, TrainingResult)


def _train_together(request: TrainingRequest, folder: Path, cache: ClipCache) -> TrainingResult | None:
    """In this process, which is one of those that torchrun started."""
    from torch import distributed

    with team_of_torchrun(request.device) as (team, device), ExitStack() as shown:
        on_progress = None
        if team.leads:
            prepare_clips(cache)
            _say_plan(request, len(cache.dataset.classes), f"{team.size} processes")
            bar = shown.enter_context(ProgressBar("train"))
            on_progress = partial(_show, bar)
        distributed.barrier()
        cache.prepare()
        result = train(
            request.genome,
            cache,
            request.recipe,
            folder / WEIGHTS,
            checkpoints=Checkpoints(folder),
            device=device,
            team=team,
            on_progress=on_progress,
        )
    return result if team.leads else None


def _say_plan(request: TrainingRequest, classes: int, where: str) -> None:
    precision = choose_precision(request.recipe.precision, request.device, trace(request.genome, classes))
    say(
        f"training: {request.network}, {request.recipe.iterations:,} iterations of "
        f"{request.recipe.batch_size} clips in {precision}, on {request.device}, {where}"
    )


def _show(bar: ProgressBar, state: TrainingProgress) -> None:
    bar.update(state.share, f"iteration {state.iteration:,}, loss {state.loss:.3f}")


def evaluate_model(
    model: TrainedModel, data: str | None, split: str, views: str, device: str, threads: int | None
) -> Report:
    """Score a trained network on a split of `data`, or of the data that it was trained on.

    Raises:
        UserError: it is not known what it was trained on, the data have other classes, or are not there.
    """
    address = data or model.card.data
    if not address:
        raise UserError(
            "expected to know what this network was trained on, but its folder does not say; give --data"
        )
    cache, source = open_clips(address, clip_cache_folder(), model.genome.input.long_side, seed=0)
    _check_classes(model.card.classes, cache.dataset.classes, address)
    prepare_clips(cache)
    params = {
        "genome": msgspec.to_builtins(model.genome),
        "data": msgspec.to_builtins(source),
        "weights": str(model.weights.resolve()),
        "split": split,
        "views": views,
        "device": device,
    }
    with (
        ProgressBar("score") as bar,
        Worker(TRAINING_MODULE, threads or os.cpu_count() or 1) as worker,
    ):
        answer = worker.call("report", params, lambda state: bar.update(state["done"] / state["total"]))
    return msgspec.convert(answer, Report)


def _check_classes(expected: Sequence[str], found: Sequence[str], address: str) -> None:
    if tuple(expected) != tuple(found):
        odd = sorted(set(expected) ^ set(found))
        raise UserError(
            f"expected the {len(expected)} classes that the network was trained for in {address}, but it has "
            f"{len(found)}"
            + (f" (only one has '{odd[0]}')" if odd else ", in another order")
            + "; give the data that it was trained on"
        )


def _write(path: Path, record: Struct) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    part.replace(path)
