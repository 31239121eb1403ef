"""Training and evaluation for another process: `python -m tvnsearch.training.task` in a `workers.Worker`.

Params are plain JSON: a genome and a recipe as their JSON objects, paths as strings. A data set is opened
when it is first asked for and kept for all later requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from torch import nn

from tvnsearch.data.cache import ClipCache, open_prepared
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.splits import stratified_subset
from tvnsearch.data.views import parse_views
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.network.build import build_network
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.evaluation import evaluate, predict
from tvnsearch.training.exported_file import ExportedFile
from tvnsearch.training.inheriting import heritable_share, inherit_weights
from tvnsearch.training.iterating import TrainingProgress
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.report import Report, report
from tvnsearch.training.teacher import Teacher
from tvnsearch.training.trainer import TrainingResult, train
from tvnsearch.training.validation import Validation
from tvnsearch.training.weights import is_whole, load_weights
from tvnsearch.workers import serve

PROGRESS_EVERY_SECONDS = 0.25

INHERITED = "inherited.safetensors"
"""Beside a checkpoint, what its training began with."""


class DataSource(msgspec.Struct, frozen=True):
    """Where a worker finds its clips: in a manifest, whose videos the cache at `cache_dir` holds.

    They are for networks that look at `resolution` pixels; what is missing is stored at `size`. A machine
    that has no such manifest lists the data set itself, by `address` and the `seed` of its split. A training
    is scored on `validation_clips` at most, chosen by `validation_seed` (None: on all of the split). `reads`
    is how often each clip will be read, as `ClipCache.prepare` asks.
    """

    manifest: str
    cache_dir: str
    resolution: int
    size: int
    address: str
    seed: int
    validation_clips: int | None = None
    validation_seed: int = 0
    reads: float | None = None


def source_of(clips: ClipCache) -> DataSource:
    """Where a worker finds the clips that this process prepares."""
    return DataSource(
        manifest=str(clips.manifest_path.absolute()),
        cache_dir=str(clips.directory.resolve()),
        resolution=clips.resolution,
        size=clips.size,
        address=clips.dataset.address,
        seed=clips.seed,
    )


class Parent(msgspec.Struct, frozen=True):
    """A trained network whose weights a child begins with; `weights` is a path."""

    genome: Genome
    weights: str


def train_task(
    *,
    genome: dict[str, Any],
    data: dict[str, Any],
    recipe: dict[str, Any],
    weights: str,
    progress: Callable[[dict[str, Any]], None],
    parent: dict[str, Any] | None = None,
    initial_weights: str | None = None,
    teacher: dict[str, Any] | None = None,
    checkpoints: str | None = None,
    until_share: float = 1.0,
    replace_others: bool = False,
    validation: dict[str, Any] | None = None,
    with_validation: bool = False,
    metrics: str | None = None,
    tell_metrics: bool = False,
    device: str = "cpu",
) -> TrainingResult:
    """`trainer.train`; `data` is a DataSource, `teacher` a Teacher, `validation` a Validation.

    `checkpoints` is a folder. Progress is a TrainingProgress, now and then; if they are asked for, each line
    of the metrics as well, as `metrics`.

    With a `parent` (a Parent) training begins with what is inherited, or with fresh weights if the parent's
    cannot be read. That is kept beside the checkpoint: the parent's own training may have gone on meanwhile.
    """
    last_sent = 0.0
    decoded = msgspec.convert(genome, Genome)
    clips = _opened(msgspec.convert(data, DataSource))
    plan = msgspec.convert(recipe, Recipe)
    share, begins_with = None, None if initial_weights is None else Path(initial_weights)
    inherited = Path(checkpoints) / INHERITED if checkpoints else None
    if parent is not None:
        start, classes = inherited or Path(weights), len(clips.dataset.classes)
        share = _inherited(msgspec.convert(parent, Parent), decoded, start, classes, plan.seed)
        begins_with = None if share is None else start

    def send(state: TrainingProgress) -> None:
        nonlocal last_sent
        if time.monotonic() - last_sent >= PROGRESS_EVERY_SECONDS:
            last_sent = time.monotonic()
            progress(state._asdict())

    def send_metrics(line: dict[str, Any]) -> None:
        progress({"metrics": line})

    result = train(
        decoded,
        clips,
        plan,
        Path(weights),
        initial_weights=begins_with,
        teacher=None if teacher is None else msgspec.convert(teacher, Teacher),
        checkpoints=Checkpoints(Path(checkpoints)) if checkpoints else None,
        until_share=until_share,
        replace_others=replace_others,
        validation=None if validation is None else msgspec.convert(validation, Validation),
        with_validation=with_validation,
        device=device,
        on_progress=send,
        metrics=Path(metrics) if metrics else None,
        on_metrics=send_metrics if tell_metrics else None,
    )
    return msgspec.structs.replace(result, inherited_share=share)


def evaluate_task(
    *,
    genome: dict[str, Any],
    data: dict[str, Any],
    weights: str,
    split: Literal["train", "validation", "test"],
    progress: Callable[[dict[str, Any]], None],
    device: str = "cpu",
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Scores:
    """`evaluation.evaluate` of trained weights on one split; `data` is a DataSource."""
    decoded = msgspec.convert(genome, Genome)
    clips = _opened(msgspec.convert(data, DataSource))
    network = build_network(decoded, len(clips.dataset.classes))
    load_weights(network, Path(weights))
    return evaluate(
        network,
        clips,
        getattr(clips.dataset, split),
        decoded.input,
        device,
        dtype=getattr(torch, precision),
    )


def report_task(
    *,
    genome: dict[str, Any],
    data: dict[str, Any],
    weights: str,
    split: Literal["train", "validation", "test"],
    views: str,
    progress: Callable[[dict[str, Any]], None],
    device: str = "cpu",
    precision: Literal["float32", "bfloat16"] = "float32",
    file: str | None = None,
) -> Report:
    """`report.report` of trained weights on one split, in views such as `10x3`. Progress: `done`, `total`.

    With a `file` it is that of this exported one, in its runtime.
    """
    decoded = msgspec.convert(genome, Genome)
    clips = _opened(msgspec.convert(data, DataSource))
    dataset = clips.dataset
    network: nn.Module
    if file is not None:
        network = ExportedFile(Path(file), decoded, dataset.classes)
    else:
        network = build_network(decoded, len(dataset.classes))
        load_weights(network, Path(weights))
    logits, labels = predict(
        network,
        clips,
        getattr(dataset, split),
        decoded.input,
        device,
        parse_views(views),
        lambda done, total: progress({"done": done, "total": total}),
        getattr(torch, precision),
    )
    return report(logits, labels, dataset.classes, dataset.protocol)


def _inherited(parent: Parent, child: Genome, weights: Path, classes: int, seed: int) -> float | None:
    """Have what a child inherits in `weights`; the share of its parameters, None if nothing can be read.

    What a training that has begun inherited stays, whatever became of the parent, unless it is damaged.
    """
    if weights.name == INHERITED and is_whole(weights):
        return heritable_share(parent.genome, child, classes)
    try:
        return inherit_weights(parent.genome, Path(parent.weights), child, weights, classes, seed).share
    except UserError:
        return None


@cache
def _opened(source: DataSource) -> ClipCache:
    directory, manifest = Path(source.cache_dir), Path(source.manifest)
    if manifest.is_file():
        clips = open_prepared(manifest, directory, source.resolution, source.size, source.reads)
    else:  # on a machine that does not share the driver's cache
        dataset = open_dataset(source.address, source.seed)
        clips = ClipCache(dataset, source.resolution, directory, size=source.size, seed=source.seed)
        clips.prepare(reads=source.reads)
    if source.validation_clips is not None:
        validation = clips.usable(clips.dataset.validation)
        scored = stratified_subset(validation, source.validation_clips, source.validation_seed)
        clips.dataset = msgspec.structs.replace(clips.dataset, validation=scored)
    return clips


if __name__ == "__main__":
    serve({"train": train_task, "evaluate": evaluate_task, "report": report_task})
