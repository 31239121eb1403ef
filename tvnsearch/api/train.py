"""One network trained on its own, in a folder of its own."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.genomes import GenomeLike, name_of, resolve_genome
from tvnsearch.api.teachers import taught_by
from tvnsearch.api.trained_model import CARD, WEIGHTS, ModelCard, load_model, write_model
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.devices.container import training_threads
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace, trace_blocks
from tvnsearch.search.run_folder import journal_path
from tvnsearch.seeds import require_seed
from tvnsearch.training.recipe import Recipe, load_recipe
from tvnsearch.workers import Worker

if TYPE_CHECKING:
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.training.task import DataSource
    from tvnsearch.training.teacher import Teacher
    from tvnsearch.training.trainer import TrainingProgress, TrainingResult

ORDER, RESULT = "training.json", "training-result.json"


class TrainingOrder(Struct, frozen=True):
    """What the user asked a training for; kept in its folder, so that going on needs nothing else.

    ``teacher`` is the folder of the network that it learns from, if there is one.
    """

    network: str
    genome: Genome
    data: str
    recipe: Recipe
    device: str = "cpu"
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
    teacher: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    seed: int | None = None,
    watch: Watch = SILENT,
) -> Trained | None:
    """Train ``genome`` on clips, in the folder ``out``; what was begun there with the same is gone on with.

    ``head`` and ``seed`` take the place of the genome's and the recipe's. From the network of ``teacher``,
    the folder of a training or a run, it learns besides the labels, as the recipe says. Without ``threads``
    it trains on all cores that it may use, or OMP_NUM_THREADS of them. None comes in all processes but the
    first where torchrun started several.

    Raises:
        UserError: there is no such genome, recipe, teacher or data, the teacher knows other classes, the seed
            is no good, ``out`` holds something else, or the training ended without a network.
    """
    if seed is not None:
        require_seed(seed)
    if out is None and _is_in_a_team():
        raise UserError("expected --out, so that all processes of torchrun work in the same folder")
    folder = Path("runs") / time.strftime("train-%Y%m%d-%H%M%S") if out is None else Path(out)
    found, where, wanted = resolve_genome(genome), parse_address(data), _recipe(recipe)
    order = TrainingOrder(
        network=name_of(genome),
        genome=found if head is None else _with_head(found, head),
        data=f"{where.name}:{where.path}",
        recipe=wanted if seed is None else replace(wanted, seed=seed),
        device=device,
        teacher=None if teacher is None else str(Path(teacher).resolve()),
    )
    if order.teacher is not None:
        load_model(order.teacher)
    _begin(order, folder)
    watch.say(f"folder: {folder}; after an interruption: tvnsearch train {folder} --resume")
    return resume_training(folder, threads=threads, watch=watch)


def resume_training(
    folder: str | Path, *, threads: int | None = None, watch: Watch = SILENT
) -> Trained | None:
    """Go on with the training that was begun in ``folder``, from where it stands, as it began.

    None comes in all processes but the first where torchrun started several.

    Raises:
        UserError: there is no training or no data, or the training ended without a network.
    """
    from tvnsearch.training.checkpoint import Checkpoints
    from tvnsearch.training.trainer import TrainingResult

    folder = Path(folder)
    order = _read_order(folder)
    path = folder / RESULT
    if not path.is_file():
        model = None if order.teacher is None else load_model(order.teacher)
        inputs = [order.genome.input] if model is None else [order.genome.input, model.genome.input]
        resolution = max(each.long_side for each in inputs)
        cache, source = open_clips(order.data, clip_cache_folder(), resolution, seed=0)
        teacher = None if model is None else taught_by(model, cache.dataset)
        if _is_in_a_team():
            result = _train_together(order, folder, cache, teacher, watch)
        else:
            cores = threads or training_threads()
            result = _train_alone(order, folder, cache, source, teacher, cores, watch)
        if result is None:
            return None
        if result.begun_afresh is not None:
            watch.say(result.begun_afresh)
        watch.progress("train", 1.0, f"{result.iterations:,} iterations")
        if result.failed is not None:
            Checkpoints(folder).clear()
            raise UserError(
                f"expected a network, but the training ended without one: {result.failed}; "
                "change the recipe (learning_rate, batch_size) and train again"
            )
        dataset = cache.dataset
        card = ModelCard(dataset.classes, dataset.multi_label, data=dataset.address)
        with writing(folder, f"then `tvnsearch train {folder} --resume`"):
            write_model(folder, order.genome, card)
        _write(path, result)
        Checkpoints(folder).clear()
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


def _train_alone(
    order: TrainingOrder,
    folder: Path,
    cache: ClipCache,
    source: DataSource,
    teacher: Teacher | None,
    threads: int,
    watch: Watch,
) -> TrainingResult:
    from tvnsearch.api.trained_fitness import TRAINING_MODULE, worker_params
    from tvnsearch.training.trainer import TrainingProgress, TrainingResult

    prepare_clips(cache, watch)
    watch.say(_plan(order, len(cache.dataset.classes), f"{threads} thread(s)"))
    params = {
        **worker_params(order.genome, source, (folder / WEIGHTS).resolve(), order.device),
        "recipe": msgspec.to_builtins(order.recipe),
        "teacher": msgspec.to_builtins(teacher),
        "checkpoints": str(folder.resolve()),
    }
    with Worker(TRAINING_MODULE, threads, shares_cores=True) as worker:
        answer = worker.call("train", params, lambda state: _tell(watch, TrainingProgress(**state)))
    return msgspec.convert(answer, TrainingResult)


def _train_together(
    order: TrainingOrder, folder: Path, cache: ClipCache, teacher: Teacher | None, watch: Watch
) -> TrainingResult | None:
    """In this process, which is one of those that torchrun started."""
    from torch import distributed

    from tvnsearch.training.checkpoint import Checkpoints
    from tvnsearch.training.team import team_of_torchrun
    from tvnsearch.training.trainer import train as fit_network

    with team_of_torchrun(order.device) as (team, device):
        if team.leads:
            prepare_clips(cache, watch)
            watch.say(_plan(order, len(cache.dataset.classes), f"{team.size} processes"))
        distributed.barrier()
        cache.prepare()
        result = fit_network(
            order.genome,
            cache,
            order.recipe,
            folder / WEIGHTS,
            teacher=teacher,
            checkpoints=Checkpoints(folder),
            device=device,
            team=team,
            on_progress=partial(_tell, watch) if team.leads else None,
        )
    return result if team.leads else None


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


def _write(path: Path, record: Struct) -> None:
    with writing(path):
        write_whole(path, msgspec.json.format(msgspec.json.encode(record), indent=1))
