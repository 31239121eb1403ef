"""The weights that a training begins with, of another one that learnt other labels perhaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tvnsearch.api.trained_model import CARD, WEIGHTS, load_card, load_model
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.files import writing
from tvnsearch.genome.genome import Genome

if TYPE_CHECKING:
    from tvnsearch.training.fine_tuning import Taken

START = "start.safetensors"
"""In the folder of a training, what it began with; as long as it lasts."""

SHOWN_NEW = 4


def require_weights(weights: str) -> None:
    """Refuse, before anything begins, what is no training, no winner and no file.

    Raises:
        UserError: it is none of these.
    """
    source, _ = _source(Path(weights))
    if not source.is_file():
        raise UserError(
            f"expected weights in {source}, but there is no such file; give the folder of a training or of a "
            "run, or a file of weights"
        )


def starting_weights(
    weights: str, genome: Genome, classes: Sequence[str], folder: Path, seed: int, watch: Watch
) -> Path:
    """The file with which the training in ``folder`` begins: ``weights`` as far as they fit, the rest new.

    ``weights`` are the folder of a training or of a run, whose winner is meant, or a file of tensors. The
    head is new where the classes are others. A file that is there already stays, whatever became of
    ``weights``: a training that goes on began with it.

    Raises:
        UserError: there are no such weights, nothing of them fits, or the file cannot be written.
    """
    from tvnsearch.training.fine_tuning import read_start, write_start

    start = folder / START
    if read_start(start) is not None:
        return start
    source, learnt = _source(Path(weights))
    same_classes = None if learnt is None else tuple(learnt) == tuple(classes)
    with writing(folder):
        taken = write_start(genome, len(classes), source, start, same_classes=same_classes, seed=seed)
    watch.say(_said(weights, taken))
    return start


def share_taken(folder: Path) -> float | None:
    """The share of the parameters that the training in ``folder`` began with from others, if it did."""
    from tvnsearch.training.fine_tuning import read_start

    taken = read_start(folder / START)
    return None if taken is None else taken.share


def _source(path: Path) -> tuple[Path, tuple[str, ...] | None]:
    """The file of the weights, and the classes that they tell apart where that is known."""
    if path.is_dir():
        model = load_model(path)
        return model.weights, model.card.classes
    card = path.parent / CARD
    if path.name == WEIGHTS and card.is_file():
        return path, load_card(card).classes
    return path, None


def _said(weights: str, taken: Taken) -> str:
    said = f"weights: {100 * taken.share:.1f} % of the parameters are those of {weights}"
    if not taken.new:
        return said
    shown = ", ".join(taken.new[:SHOWN_NEW])
    more = f" and {len(taken.new) - SHOWN_NEW} more" if len(taken.new) > SHOWN_NEW else ""
    return f"{said}; new: {shown}{more}"
