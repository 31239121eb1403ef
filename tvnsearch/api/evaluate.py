"""Trained networks scored by their data set's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.files import write_text
from tvnsearch.api.genomes import listed
from tvnsearch.api.kept_clips import kept_clips
from tvnsearch.api.trained_model import TrainedModel, load_model
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.cores import training_threads
from tvnsearch.errors import UserError
from tvnsearch.search.run_folder import winner_folder
from tvnsearch.workers import Worker

if TYPE_CHECKING:
    from tvnsearch.data.manifest import Manifest
    from tvnsearch.training.metrics import Scores
    from tvnsearch.training.report import Report

SPLITS = ("test", "validation", "train")


class ModelReport(Struct, frozen=True):
    """What the network in the folder ``model`` scores on a split of ``data``, in full."""

    model: str
    data: str
    report: Report


class Evaluation(Struct, frozen=True):
    """Each model's report in the order that was given, and the mean of their scores."""

    models: list[ModelReport]
    mean: Scores


def evaluate(
    models: str | Path | Sequence[str | Path],
    *,
    data: str | Path | None = None,
    split: str = "test",
    views: str = "1x1",
    confusion: str | Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    watch: Watch = SILENT,
) -> Evaluation:
    """Score trained networks or runs' winners on a ``split`` of ``data``, or of what each was trained on.

    ``views`` are the starts x crops of each clip that are scored together. Of a single model the confusion
    matrix is drawn into the file ``confusion``. Without ``threads`` all cores that it may use
    work, or OMP_NUM_THREADS of them.

    Raises:
        UserError: there is no such model, split, or data, or the data have other classes.
    """
    from tvnsearch.data.views import parse_views
    from tvnsearch.training.metrics import mean_scores

    if split not in SPLITS:
        raise UserError(f"expected --split to be one of {', '.join(SPLITS)}, got '{split}'")
    folders: Sequence[str | Path] = listed(models)
    if confusion is not None and len(folders) > 1:
        raise UserError(f"expected one MODEL for the picture of --confusion, got {len(folders)}")
    parse_views(views)
    reports = []
    for path, model in [(path, load_model(path)) for path in folders]:
        address = str(data or model.card.data)
        kept = None if data else _kept(Path(path))
        scored = _report(model, address, kept, split, views, device, threads or training_threads(), watch)
        reports.append(ModelReport(str(path), address, scored))
    if confusion is not None:
        write_text(confusion, _picture(reports[0].report, f"{reports[0].model}, {split} clips"))
        watch.say(f"picture: {confusion}")
    return Evaluation(reports, mean_scores([each.report.scores for each in reports]))


def _kept(model: Path) -> Manifest | None:
    """The clips that a training, or a run, keeps in its folder: what it was trained on is no test."""
    folder = model.resolve()
    is_winner = folder == winner_folder(folder.parent)
    return kept_clips(folder.parent if is_winner else folder)


def _report(
    model: TrainedModel,
    address: str,
    kept: Manifest | None,
    split: str,
    views: str,
    device: str,
    threads: int,
    watch: Watch,
) -> Report:
    from tvnsearch.api.trained_fitness import TRAINING_MODULE, worker_params
    from tvnsearch.training.report import Report

    if not address:
        raise UserError(
            "expected to know what this network was trained on, but its folder does not say; give --data"
        )
    cache, source = open_clips(address, clip_cache_folder(), model.genome.input.long_side, seed=0, kept=kept)
    _check_classes(model.card.classes, cache.dataset.classes, address)
    prepare_clips(cache, watch)
    params = {
        **worker_params(model.genome, source, model.weights.resolve(), device),
        "split": split,
        "views": views,
        "dtype": model.card.dtype,
    }
    with Worker(TRAINING_MODULE, threads, shares_cores=True) as worker:
        answer = worker.call(
            "report", params, lambda state: watch.progress("score", state["done"] / state["total"], "")
        )
    watch.progress("score", 1.0, "")
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


def _picture(report: Report, title: str) -> str:
    from tvnsearch.training.confusion import confusion_svg

    if report.confusion is None:
        raise UserError(
            "expected clips with one label each for a confusion matrix, but these have any number; "
            "leave out --confusion"
        )
    return confusion_svg(report.confusion, [each.name for each in report.classes], title)
