"""One network trained on its own, in a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.genomes import GenomeLike, name_of, resolve_genome
from tvnsearch.api.kept_clips import kept_clips
from tvnsearch.api.loggers import Logger, LoggerLike, opened_loggers, require_loggers
from tvnsearch.api.starting_weights import START, require_weights, share_taken, starting_weights
from tvnsearch.api.teachers import taught_by
from tvnsearch.api.trained_model import CARD, WEIGHTS, ModelCard, load_model, write_model
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.cores import training_threads
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.errors import UserError
from tvnsearch.files import as_text, require_text, write_whole, writing
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace, trace_blocks
from tvnsearch.search.run_folder import clips_path, journal_path
from tvnsearch.seeds import require_seed
from tvnsearch.training.recipe import Recipe, load_recipe
from tvnsearch.training.validation import Validation
from tvnsearch.workers import EnvironmentFailedError, Worker

if TYPE_CHECKING:
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.dataset import Dataset
    from tvnsearch.training.task import DataSource
    from tvnsearch.training.teacher import Teacher
    from tvnsearch.training.trainer import TrainingProgress, TrainingResult

ORDER, RESULT, METRICS = "training.json", "training-result.json", "metrics.jsonl"

CLIPS_READY = ".clips-are-ready"
"""There while the processes that torchrun started gather: the first has prepared the clips."""


class TrainingOrder(Struct, frozen=True):
    """What the user asked a training for; kept in its folder, so that going on needs nothing else.

    ``weights`` are those that it begins with, ``validation`` is when it is scored before its end, ``teacher``
    the folder of the network that it learns from, if there is one.
    """

    network: str
    genome: Genome
    data: str
    recipe: Recipe
    device: str = "cpu"
    split_seed: int = 0
    weights: str | None = None
    validation: Validation | None = None
    with_validation: bool = False
    teacher: str | None = None


class Trained(Struct, frozen=True):
    """A training that ended; ``model`` is its folder, which other verbs take for the network."""

    model: str
    network: str
    data: str
    result: TrainingResult
    files: list[str]


def train(
    genome: GenomeLike,
    data: str | Path,
    *,
    recipe: str | Path | Recipe = "paper",
    head: str | None = None,
    weights: str | Path | None = None,
    validate_every: int | None = None,
    keep_best: bool = False,
    with_validation: bool = False,
    teacher: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    seed: int | None = None,
    split_seed: int = 0,
    loggers: Sequence[LoggerLike] = (),
    watch: Watch = SILENT,
) -> Trained | None:
    """Train ``genome`` on clips, in the folder ``out``; what was begun there with the same is gone on with.

    It begins with ``weights``, as far as they fit: those of a training, of a run's winner, or in a file. It
    is scored on the validation clips at its end and, where that is given, after every ``validate_every``
    iterations; with ``keep_best`` the weights that scored best are handed over. ``with_validation`` it learns
    from these clips as well, and is scored on the test clips. From the network of ``teacher``, the folder of
    a training or a run, it learns besides the labels, as the recipe says. Its ``metrics.jsonl`` has a line an
    iteration; ``loggers`` hear each: "tensorboard", "wandb", or objects with wandb's ``log(data, step=)``.

    ``head`` and ``seed`` take the place of the genome's and the recipe's; ``split_seed`` decides the splits
    that the data come without, here and where the network is scored. Without ``threads`` it trains on all
    cores that it may use, or OMP_NUM_THREADS of them. None comes in all processes but the first where
    torchrun started several.

    Raises:
        UserError: there is no such genome, recipe, weights, teacher, data or logger, the teacher knows other
            classes, the seed is no good, options exclude each other, ``out`` holds something else, or the
            training ended without a network.
    """
    require_loggers(loggers)
    if weights is not None:
        require_weights(str(weights))
    if seed is not None:
        require_seed(seed)
    require_seed(split_seed, "--split-seed")
    if out is None and _is_in_a_team():
        raise UserError("expected --out, so that all processes of torchrun work in the same folder")
    folder = Path("runs") / time.strftime("train-%Y%m%d-%H%M%S") if out is None else Path(out)
    found, where, wanted = resolve_genome(genome), parse_address(data), _recipe(recipe)
    address = f"{where.name}:{where.path}"
    require_text(address, "--data")
    order = TrainingOrder(
        network=as_text(name_of(genome)),
        genome=found if head is None else _with_head(found, head),
        data=address,
        recipe=wanted if seed is None else replace(wanted, seed=seed),
        device=device,
        split_seed=split_seed,
        weights=None if weights is None else str(Path(weights).resolve()),
        validation=_validation(validate_every, keep_best, with_validation),
        with_validation=with_validation,
        teacher=None if teacher is None else str(Path(teacher).resolve()),
    )
    if order.teacher is not None:
        load_model(order.teacher)
    _begin(order, folder)
    watch.say(f"folder: {folder}; after an interruption: tvnsearch train {folder} --resume")
    return resume_training(folder, threads=threads, loggers=loggers, watch=watch)


def resume_training(
    folder: str | Path,
    *,
    threads: int | None = None,
    loggers: Sequence[LoggerLike] = (),
    watch: Watch = SILENT,
) -> Trained | None:
    """Go on with the training that was begun in ``folder``, from where it stands, as it began.

    ``loggers`` hear the metrics from there on. None comes in all processes but the first where torchrun
    started several.

    Raises:
        UserError: there is no training, no data or no such logger, or the training ended without a network.
    """
    from tvnsearch.training.checkpoint import Checkpoints
    from tvnsearch.training.trainer import TrainingResult

    require_loggers(loggers)
    folder = Path(folder)
    order = _read_order(folder)
    path = folder / RESULT
    if not path.is_file():
        if _is_in_a_team():
            result, dataset = _train_together(order, folder, loggers, watch)
        else:
            threads = threads or training_threads()
            result, dataset = _train_alone(order, folder, threads, loggers, watch)
        if result is None:
            return None
        if result.begun_afresh is not None:
            watch.say(result.begun_afresh)
        if result.set_back is not None:
            watch.say(result.set_back)
        watch.progress("train", 1.0, f"{result.iterations:,} iterations")
        if result.failed is not None:
            Checkpoints(folder).clear()
            (folder / START).unlink(missing_ok=True)
            raise UserError(
                f"expected a network, but the training ended without one: {result.failed}; "
                "change the recipe (learning_rate, batch_size) and train again"
            )
        card = ModelCard(
            dataset.classes, dataset.multi_label, data=dataset.address, split_seed=order.split_seed
        )
        with writing(folder, f"then `tvnsearch train {folder} --resume`"):
            write_model(folder, order.genome, card)
        _write(path, replace(result, inherited_share=share_taken(folder)))
        Checkpoints(folder).clear()
        (folder / START).unlink(missing_ok=True)
    result = msgspec.json.decode(path.read_bytes(), type=TrainingResult)
    files = sorted(str(file) for file in folder.iterdir())
    return Trained(str(folder), order.network, order.data, result, files)


def _is_in_a_team() -> bool:
    from tvnsearch.training.team import started_by_torchrun

    return started_by_torchrun()


def _recipe(recipe: str | Path | Recipe) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))


def _with_head(genome: Genome, head: str) -> Genome:
    try:
        return msgspec.convert({**msgspec.to_builtins(genome), "head": head}, Genome)
    except msgspec.ValidationError:
        raise UserError(f"expected --head to be mean or per_frame, got '{head}'") from None


def _validation(every: int | None, keep_best: bool, with_validation: bool) -> Validation | None:
    if every is None and not keep_best:
        return None
    if with_validation:
        raise UserError(
            "expected --with-validation alone, but got --validate-every or --keep-best with it; clips that "
            "are learnt from choose nothing"
        )
    if every is None or every < 1:
        came = "--keep-best alone" if every is None else f"{every}"
        raise UserError(
            f"expected --validate-every of 1 or more iterations, but got {came}; say after how many the "
            "network is scored on the validation clips"
        )
    return Validation(every, keep_best)


def _begin(order: TrainingOrder, folder: Path) -> None:
    """Claim a folder for a training; one that was begun there with the same order is taken up again.

    Raises:
        UserError: the network cannot be built, or the folder holds something else that would be lost.
    """
    from tvnsearch.training.checkpoint import CHECKPOINT

    trace_blocks(order.genome)
    path = folder / ORDER
    if path.is_file() and _read_order(folder) == order:
        return
    others = (folder / CHECKPOINT, folder / RESULT, folder / CARD, journal_path(folder))
    if any(other.exists() for other in others):
        raise UserError(
            f"expected a new folder, or one of a training with the same settings, but {folder} holds "
            f"something else; go on with that by `tvnsearch train {folder} --resume`, or give another --out"
        )
    (folder / START).unlink(missing_ok=True)
    clips_path(folder).unlink(missing_ok=True)  # of another order, of which nothing else is left
    _write(path, order)


def _read_order(folder: Path) -> TrainingOrder:
    path = folder / ORDER
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainingOrder)
    except (OSError, msgspec.DecodeError) as error:
        reason = "there is none" if isinstance(error, OSError) else f"it is malformed ({error})"
        raise UserError(
            f"expected the folder of a training, with a file {path}, but {reason}; "
            "begin one with `tvnsearch train NAME --data DATA`"
        ) from None


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


def _train_alone(
    order: TrainingOrder, folder: Path, threads: int, loggers: Sequence[LoggerLike], watch: Watch
) -> tuple[TrainingResult, Dataset]:
    from tvnsearch.api.trained_fitness import TRAINING_MODULE, worker_params
    from tvnsearch.training.trainer import TrainingProgress, TrainingResult

    cache, source = _open_clips(order, folder)
    source = replace(source, reads=_reads(order.recipe, cache))
    prepare_clips(cache, watch, source.reads)
    start = _start(order, folder, cache, watch)
    watch.say(_plan(order, len(cache.dataset.classes), f"{threads} thread(s)"))
    params = {
        **worker_params(order.genome, source, (folder / WEIGHTS).resolve(), order.device),
        "recipe": msgspec.to_builtins(order.recipe),
        "teacher": msgspec.to_builtins(_teacher(order, cache.dataset)),
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


def _train_together(
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
        prepare_clips(cache, watch, _reads(order.recipe, cache))
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


def _reads(recipe: Recipe, cache: ClipCache) -> float:
    """How often a training reads each of its clips."""
    return recipe.iterations * recipe.batch_size / len(cache.dataset.train)


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


def _write(path: Path, record: Struct) -> None:
    with writing(path):
        write_whole(path, msgspec.json.format(msgspec.json.encode(record), indent=1))
