"""One network trained on its own, in a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.api.fitted_order import train_alone, train_together
from tvnsearch.api.genomes import GenomeLike, name_of, resolve_genome
from tvnsearch.api.loggers import LoggerLike, require_loggers
from tvnsearch.api.starting_weights import START, require_weights, share_taken
from tvnsearch.api.trained_model import ModelCard, load_model, write_model
from tvnsearch.api.training_order import RESULT, TrainingOrder, begin, read_order, write_record
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.cores import training_threads
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.errors import UserError
from tvnsearch.files import as_text, require_text, writing
from tvnsearch.genome.genome import Genome
from tvnsearch.seeds import require_seed
from tvnsearch.training.recipe import Recipe, load_recipe
from tvnsearch.training.validation import Validation

if TYPE_CHECKING:
    from tvnsearch.training.trainer import TrainingResult


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
    begin(order, folder)
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
    order = read_order(folder)
    path = folder / RESULT
    if not path.is_file():
        if _is_in_a_team():
            result, dataset = train_together(order, folder, loggers, watch)
        else:
            threads = threads or training_threads()
            result, dataset = train_alone(order, folder, threads, loggers, watch)
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
        write_record(path, replace(result, inherited_share=share_taken(folder)))
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
