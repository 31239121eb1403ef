"""One training, from fresh weights or a checkpoint to scored weights on disk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.genome.genome import Genome
from tvnsearch.network.build import build_network
from tvnsearch.training.checkpoint import Checkpoints, OtherTrainingError, UnreadableCheckpointError
from tvnsearch.training.fitting import Fitting
from tvnsearch.training.iterating import Iterating, OnProgress
from tvnsearch.training.metrics_log import MetricsLog, OnMetrics
from tvnsearch.training.objective import open_objective
from tvnsearch.training.randomness import forked_generators, seed_generators
from tvnsearch.training.recipe import Precision, Recipe
from tvnsearch.training.recovery import gone_back
from tvnsearch.training.scoring import Scorer
from tvnsearch.training.stopwatch import Stopwatch
from tvnsearch.training.teacher import Teacher
from tvnsearch.training.team import ALONE, Team
from tvnsearch.training.validation import Split, Validation
from tvnsearch.training.weights import load_weights, save_weights


class TrainingResult(Struct, frozen=True):
    """What a training came to, scored on `split`: the validation clips, unless it learnt from those as well.

    `failed` says why a training ended without a usable network; its fitness is 0 then, and there are neither
    scores nor weights. `loss` is that of the training, averaged over its last tenth; None when it failed.
    `precision` is what it computed in, and `parts` in how many parts each batch, for want of memory.
    `inherited_share` is the share of the parameters that it began with from a parent, None if all were fresh.
    `begun_afresh` says why it did not go on from the checkpoint that was there, None where it did, and
    `set_back` why it went back in between, None where it did not. Where the best weights were to be kept,
    `best_iteration` is the one that they are of.
    `seconds` is what all of it took, `fitting_seconds` what its iterations did. The time for which the
    process was stopped is in neither, but in `stood_still_seconds`, that of the latest call only.
    """

    fitness: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    loss: float | None
    iterations: int
    seconds: float
    failed: str | None = None
    precision: Precision = "float32"
    parts: int = 1
    inherited_share: float | None = None
    fitting_seconds: float = 0.0
    stood_still_seconds: float = 0.0
    begun_afresh: str | None = None
    set_back: str | None = None
    split: Split = "validation"
    best_iteration: int | None = None


def train(
    genome: Genome,
    cache: ClipCache,
    recipe: Recipe,
    weights_path: Path,
    *,
    initial_weights: Path | None = None,
    teacher: Teacher | None = None,
    checkpoints: Checkpoints | None = None,
    until_share: float = 1.0,
    replace_others: bool = False,
    validation: Validation | None = None,
    with_validation: bool = False,
    device: str = "cpu",
    team: Team = ALONE,
    on_progress: OnProgress | None = None,
    metrics: Path | None = None,
    on_metrics: OnMetrics | None = None,
) -> TrainingResult:
    """Train a genome's network on the train split, write its weights, and score it on the validation split.

    Or, `with_validation`, train it on both and score it on the test split; there can be no `validation`
    before the end then. The file `metrics` gets a line an iteration (`metrics_log.MetricsLog`), and
    `on_metrics` hears them.

    The cache must be prepared. Starts from `initial_weights` of the same genome and classes, if given, and
    learns from a `teacher` of the same classes besides the labels, if there is one. With `checkpoints` it
    goes on from the one that is there, and the last one stays: clear it (`Checkpoints.clear`) once the result
    is kept. Where that cannot be read it begins afresh, and with `replace_others` also where it is of another
    training. It ends when `until_share` of it is done, and can be gone on with from there with a larger one,
    to the result of a whole training. On one thread of a CPU, and without `recipe.max_seconds`, the same
    arguments give the same result, however often the training was killed and gone on with. The number of
    threads is that of the process (`torch.set_num_threads`). In a `team` rank 0 alone writes and scores.

    At the first loss that is no longer finite it goes back to its checkpoint, or to its start, and on with
    other batches; how far back that is depends on when the checkpoint was written. A second one, or a batch
    whose half does not fit in memory, ends the training as failed; it is no error.

    Raises UserError when the checkpoint is of another training, when weights do not fit their network, or
    when one of a team runs out of memory, and OSError when the disk is full or fails.
    """
    before_seconds = 0.0
    dataset = cache.dataset
    learnt = cache.usable((*dataset.train, *dataset.validation) if with_validation else dataset.train)
    writing = checkpoints if team.leads else None
    log = MetricsLog(metrics if team.leads else None, len(learnt) / recipe.batch_size, on_metrics)
    scorer = Scorer(cache, genome.input, "test" if with_validation else "validation", validation, log)
    with Stopwatch() as watch, closing(log):
        with forked_generators(device):
            fresh = partial(
                _fresh, genome, cache.dataset, learnt, recipe, initial_weights, teacher, device, team
            )
            fitting, begun_afresh = fresh(), None
            name = _name(genome, cache, learnt, fitting, initial_weights, teacher)
            try:
                if checkpoints is not None and checkpoints.read(fitting, name):
                    before_seconds = fitting.seconds
            except (UnreadableCheckpointError, OtherTrainingError) as error:
                if isinstance(error, OtherTrainingError) and not replace_others:
                    raise
                begun_afresh = f"{str(error).partition(';')[0]}: the training begins afresh"
                fitting = fresh()
            iterating = Iterating(
                cache,
                learnt,
                genome.input,
                checkpoints=writing,
                name=name,
                until_share=until_share,
                watch=watch,
                scorer=scorer,
                log=log,
                on_progress=on_progress,
            )
            failed = iterating.run(fitting)
            if fitting.diverged and fitting.set_back is None:
                fitting = gone_back(fitting, fresh, checkpoints, name)
                if writing is not None:
                    writing.write(fitting, name)
                failed = iterating.run(fitting)
        result = TrainingResult(
            fitness=0.0,
            top1=None,
            top5=None,
            mean_average_precision=None,
            loss=None,
            iterations=fitting.iterations,
            seconds=0.0,
            failed=failed,
            precision=fitting.precision,
            parts=fitting.parts,
            fitting_seconds=fitting.seconds,
            begun_afresh=begun_afresh,
            set_back=fitting.set_back,
            split=scorer.split,
        )
        if team.leads:
            if failed is None:
                result = _score(result, fitting, scorer)
            if result.failed is None:
                save_weights(fitting.result, weights_path)
        return replace(
            result,
            seconds=before_seconds + watch.seconds,
            stood_still_seconds=watch.stood_still_seconds,
        )


def _fresh(
    genome: Genome,
    dataset: Dataset,
    learnt: Sequence[Clip],
    recipe: Recipe,
    initial_weights: Path | None,
    teacher: Teacher | None,
    device: str,
    team: Team,
) -> Fitting:
    """What every training of these begins with, before any checkpoint."""
    seed_generators(device, recipe.seed)
    network = build_network(genome, len(dataset.classes))
    if initial_weights is not None:
        load_weights(network, initial_weights)
    objective = open_objective(network, recipe, dataset, learnt, teacher, device)
    return Fitting(network, recipe, device, team, objective)


def _score(result: TrainingResult, fitting: Fitting, scorer: Scorer) -> TrainingResult:
    """The result with the scores of the weights that are kept, which are in `fitting.result` then."""
    scores = scorer.score(fitting)
    if fitting.best is not None:
        fitting.result.load_state_dict(fitting.best.weights)
        scores = fitting.best.scores
    if scores is None:
        return replace(result, failed="the network's output is not finite after training")
    last_tenth = fitting.losses[-math.ceil(fitting.iterations / 10) :]
    return replace(
        result,
        fitness=scores.fitness,
        top1=scores.top1,
        top5=scores.top5,
        mean_average_precision=scores.mean_average_precision,
        loss=sum(last_tenth) / len(last_tenth),
        best_iteration=None if fitting.best is None else fitting.best.iteration,
    )


def _name(
    genome: Genome,
    cache: ClipCache,
    learnt: Sequence[Clip],
    fitting: Fitting,
    initial_weights: Path | None,
    teacher: Teacher | None,
) -> str:
    """A digest of everything that decides where a training goes from a checkpoint.

    Clips that have moved together are the same ones.
    """
    dataset = cache.dataset
    start = None if initial_weights is None else hashlib.sha256(initial_weights.read_bytes()).hexdigest()
    decisive = (
        genome,
        fitting.recipe,
        fitting.team.size,
        dataset.format,
        dataset.classes,
        cache.identity(learnt),
        cache.resolution,
        start,
        None if teacher is None else teacher.digest(),
    )
    return hashlib.sha256(msgspec.json.encode(decisive)).hexdigest()
