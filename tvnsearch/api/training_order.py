"""What a training was asked for, kept in its folder."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from tvnsearch.api.starting_weights import START
from tvnsearch.api.trained_model import CARD
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace_blocks
from tvnsearch.search.run_folder import clips_path, journal_path
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.validation import Validation

ORDER, RESULT = "training.json", "training-result.json"


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


def begin(order: TrainingOrder, folder: Path) -> None:
    """Claim a folder for a training; one that was begun there with the same order is taken up again.

    Raises:
        UserError: the network cannot be built, or the folder holds something else that would be lost.
    """
    from tvnsearch.training.checkpoint import CHECKPOINT

    trace_blocks(order.genome)
    path = folder / ORDER
    if path.is_file() and read_order(folder) == order:
        return
    others = (folder / CHECKPOINT, folder / RESULT, folder / CARD, journal_path(folder))
    if any(other.exists() for other in others):
        raise UserError(
            f"expected a new folder, or one of a training with the same settings, but {folder} holds "
            f"something else; go on with that by `tvnsearch train {folder} --resume`, or give another --out"
        )
    (folder / START).unlink(missing_ok=True)
    clips_path(folder).unlink(missing_ok=True)  # of another order, of which nothing else is left
    write_record(path, order)


def read_order(folder: Path) -> TrainingOrder:
    """What the training in a folder was asked for.

    Raises:
        UserError: there is none, or it is malformed.
    """
    path = folder / ORDER
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainingOrder)
    except (OSError, msgspec.DecodeError) as error:
        reason = "there is none" if isinstance(error, OSError) else f"it is malformed ({error})"
        raise UserError(
            f"expected the folder of a training, with a file {path}, but {reason}; "
            "begin one with `tvnsearch train NAME --data DATA`"
        ) from None


def write_record(path: Path, record: Struct) -> None:
    """Write down what a training was asked for, or came to, whole.

    Raises:
        UserError: that cannot be written.
    """
    with writing(path):
        write_whole(path, msgspec.json.format(msgspec.json.encode(record), indent=1))
