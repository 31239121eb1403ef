"""Trained networks scored by their data set's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.exported import IN_TORCH
from tvnsearch.api.files import check_text_place, write_text
from tvnsearch.api.genomes import listed
from tvnsearch.api.kept_clips import kept_clips
from tvnsearch.api.trained_model import TrainedModel, load_model
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.cores import training_threads
from tvnsearch.errors import UserError
from tvnsearch.export.formats import format_of
from tvnsearch.files import as_text
from tvnsearch.search.run_folder import winner_folder
from tvnsearch.seeds import require_seed
from tvnsearch.workers import EnvironmentFailedError, Worker

if TYPE_CHECKING:
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.catalog import Scored
    from tvnsearch.data.dataset import Dataset
    from tvnsearch.data.manifest import Manifest
    from tvnsearch.training.metrics import Scores
    from tvnsearch.training.report import Report

SPLITS = ("test", "validation", "train", "all")


class ModelReport(Struct, frozen=True):
    """What the network in the folder ``model`` scores on a split of ``data``, in full.

    It ran in ``runtime``: torch, or that of its exported ``file``.
    """

    model: str
    data: str
    report: Report
    runtime: str = IN_TORCH
    file: str | None = None


class Evaluation(Struct, frozen=True):
    """Each model's report in the order that was given, and the mean of their scores."""

    models: list[ModelReport]
    mean: Scores


def evaluate(
    models: str | Path | Sequence[str | Path],
    *,
    data: str | Path | None = None,
    split: Scored = "test",
    split_seed: int | None = None,
    views: str = "1x1",
    confusion: str | Path | None = None,
    file: str | Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    watch: Watch = SILENT,
) -> Evaluation:
    """Score trained networks or runs' winners on a ``split`` of ``data``, or of what each was trained on.

    No other clips are needed or decoded; "all" are those of every split. Classes are known by their names, so
    ``data`` may have some of the network's only. Where data come without a split it is the one that the
    network was trained with, unless a ``split_seed`` is given. ``views`` are the starts x crops of each clip
    that are scored together. Of a single model the confusion matrix is drawn into the file ``confusion``.
    With ``file``, an exported one of a single model, that is scored, in its runtime and in its own numbers.
    Without ``threads`` all cores that it may use work, or OMP_NUM_THREADS of them.

    Raises:
        UserError: there is no such model, split, or data, or the clips show classes that the network was not
            trained for; or ``file`` is none of the model's.
    """
    from tvnsearch.data.views import parse_views
    from tvnsearch.training.metrics import mean_scores

    if split not in SPLITS:
        raise UserError(f"expected --split to be one of {', '.join(SPLITS)}, got '{split}'")
    if split_seed is not None:
        require_seed(split_seed, "--split-seed")
    folders: Sequence[str | Path] = listed(models)
    if confusion is not None and len(folders) > 1:
        raise UserError(f"expected one MODEL for the picture of --confusion, got {len(folders)}")
    if file is not None and (len(folders) > 1 or device != "cpu"):
        raise UserError(
            f"expected one MODEL, on the cpu, with the file {file} that it was exported to, but got "
            f"{len(folders)} on {device}; leave the others out, or --file"
        )
    parse_views(views)
    if confusion is not None:
        check_text_place(confusion)
    reports = []
    runtime = IN_TORCH if file is None else format_of(Path(file)).runtime
    for path, model in [(path, load_model(path)) for path in folders]:
        if file is not None:
            _require_file_of(model, Path(file))
        address = str(data or model.card.data)
        seed = model.card.split_seed if split_seed is None else split_seed
        kept = None if data or split_seed is not None else kept_of(Path(path))
        cache = clips_to_score(model, address, kept, split, seed)
        exported = None if file is None else Path(file)
        scored = _report(model, exported, cache, split, views, device, threads or training_threads(), watch)
        reports.append(
            ModelReport(str(path), address, scored, runtime, None if file is None else as_text(file))
        )
    if confusion is not None:
        write_text(confusion, _picture(reports[0].report, f"{as_text(reports[0].model)}, {split} clips"))
        watch.say(f"picture: {confusion}")
    return Evaluation(reports, mean_scores([each.report.scores for each in reports]))


def kept_of(model: Path) -> Manifest | None:
    """The clips that a training, or a run, keeps in its folder: what it was trained on is no test."""
    folder = model.resolve()
    is_winner = folder == winner_folder(folder.parent)
    return kept_clips(folder.parent if is_winner else folder)


def clips_to_score(
    model: TrainedModel, address: str, kept: Manifest | None, split: Scored, seed: int
) -> ClipCache:
    """The clips to score, in the split that they are asked for, all of them in ``test``.

    Those that are ``kept`` are in the splits of the training.
    """
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.catalog import open_dataset
    from tvnsearch.data.scored import scored_part
    from tvnsearch.data.stored_sizes import size_to_store

    card, resolution, folder = model.card, model.genome.input.long_side, clip_cache_folder()
    if kept is not None and split != "all":
        return open_clips(kept.address, folder, resolution, kept.seed, kept)[0]
    if not address:
        raise UserError(
            "expected to know what this network was trained on, but its folder does not say; give --data"
        )
    dataset = scored_part(open_dataset(address, seed, split), split, card.classes, card.multi_label)
    return ClipCache(dataset, resolution, folder, size=size_to_store(resolution), seed=seed)


def _require_file_of(model: TrainedModel, file: Path) -> None:
    """Refuse an exported file that is not of the model before any clip is decoded."""
    from tvnsearch.training.exported_file import ExportedFile

    ExportedFile(file, model.genome, model.card.classes)


def _report(
    model: TrainedModel,
    file: Path | None,
    cache: ClipCache,
    split: Scored,
    views: str,
    device: str,
    threads: int,
    watch: Watch,
) -> Report:
    from tvnsearch.api.trained_fitness import TRAINING_MODULE, worker_params
    from tvnsearch.training.report import Report
    from tvnsearch.training.task import source_of

    part = "test" if split == "all" else split
    prepare_clips(cache, watch, use=_use(cache.dataset, split, part), splits=(part,))
    source = source_of(cache)
    params = {
        **worker_params(model.genome, source, model.weights.resolve(), device),
        "split": part,
        "views": views,
        "precision": model.card.precision,
        "file": None if file is None else str(file.absolute()),
    }
    with Worker(TRAINING_MODULE, threads, shares_cores=True) as worker:
        try:
            answer = worker.call(
                "report", params, lambda state: watch.progress("score", state["done"] / state["total"], "")
            )
        except EnvironmentFailedError as error:
            raise UserError(
                f"expected to score the network in {model.weights.parent}, but that ended for what is none "
                f"of its fault ({error}); mend that, and score it again"
            ) from None
    watch.progress("score", 1.0, "")
    return msgspec.convert(answer, Report)


def _use(dataset: Dataset, split: Scored, part: str) -> str:
    """What is scored of a data set, for people."""
    clips = dataset.splits[part]
    shown = len({label for clip in clips for label in clip.labels})
    which = "clips of any split" if split == "all" else f"{split} clips"
    return f"{len(clips)} {which}, of {shown} of the network's {len(dataset.classes)} classes"


def _picture(report: Report, title: str) -> str:
    from tvnsearch.training.confusion import confusion_svg

    if report.confusion is None:
        raise UserError(
            "expected clips with one label each for a confusion matrix, but these have any number; "
            "leave out --confusion"
        )
    return confusion_svg(report.confusion, [each.name for each in report.classes], title)
