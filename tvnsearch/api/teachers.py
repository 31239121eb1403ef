"""A trained network that a training learns from: whether it can be learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvnsearch.api.trained_model import TrainedModel
from tvnsearch.errors import UserError

if TYPE_CHECKING:
    from tvnsearch.data.dataset import Dataset
    from tvnsearch.training.teacher import Teacher


def taught_by(model: TrainedModel, dataset: Dataset) -> Teacher:
    """The teacher that ``model`` is to a training on ``dataset``.

    Raises:
        UserError: it does not know the same classes in the same order, or was trained for one label a clip
            where these are data of any number, or the other way round.
    """
    from tvnsearch.training.teacher import Teacher

    theirs, ours = model.card.classes, dataset.classes
    if theirs != ours:
        raise UserError(
            f"expected a teacher of the {len(ours)} classes of {dataset.address}, but {model.weights.parent} "
            f"{_difference(theirs, ours)}; train the teacher on these classes, or leave it out"
        )
    if model.card.multi_label != dataset.multi_label:
        kinds = {True: "any number of labels", False: "one label"}
        raise UserError(
            f"expected a teacher for {kinds[dataset.multi_label]} a clip, as {dataset.address} has, but "
            f"{model.weights.parent} was trained for {kinds[model.card.multi_label]}; give another teacher"
        )
    return Teacher(model.genome, str(model.weights.resolve()))


def _difference(theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    lacking = [name for name in ours if name not in set(theirs)]
    beside = [name for name in theirs if name not in set(ours)]
    if lacking:
        return f"does not know {_named(lacking)}"
    return f"knows {_named(beside)} as well" if beside else "has them in another order"


def _named(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
