"""The folder of a run: where its journal, its weights and its winner are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import msgspec


def journal_path(run: Path) -> Path:
    """The SQLite file that holds a run."""
    return run / "journal.sqlite"


def predictors_folder(run: Path) -> Path:
    """Where the latency predictors are that the run began with."""
    return run / "predictors"


def clips_path(run: Path) -> Path:
    """The list of the clips that a run, or a training, began with."""
    return run / "clips.manifest"


def exchange_note(run: Path) -> Path:
    """The file that says where workers leave what they train, if that is not the folder of the run."""
    return run / "exchange.txt"


UNFINISHED = ("checkpoints", "controls", "finalists/checkpoints", "winner-checkpoints")
"""The folders of a run, or of its exchange, with what trainings go on from."""


def weights_path(run: Path, number: int) -> Path:
    """The trained weights of an individual; there while it may still win or be a parent."""
    return run / "weights" / f"{number}.safetensors"


def checkpoints_path(run: Path, number: int) -> Path:
    """The folder in which an individual's training leaves where it stands, as long as it may go on."""
    return run / "checkpoints" / str(number)


def finalist_weights_path(run: Path, number: int, recipe: Mapping[str, Any] | None = None) -> Path:
    """The weights of an individual after a whole training; ``recipe`` is None for that of the plan."""
    return run / "finalists" / f"{_trained_name(number, recipe)}.safetensors"


def finalist_checkpoints_path(run: Path, number: int, recipe: Mapping[str, Any] | None = None) -> Path:
    """The folder in which a whole training of an individual leaves where it stands.

    One by another ``recipe`` than the plan's has a folder of its own: it goes on from no other's.
    """
    return run / "finalists" / "checkpoints" / _trained_name(number, recipe)


def _trained_name(number: int, recipe: Mapping[str, Any] | None) -> str:
    if recipe is None:
        return str(number)
    digest = blake2b(msgspec.json.encode(recipe, order="sorted"), digest_size=6).hexdigest()
    return f"{number}-{digest}"


def control_path(run: Path, number: int) -> Path:
    """The folder of a training from scratch of an individual that began with inherited weights."""
    return run / "controls" / str(number)


def trial_path(run: Path) -> Path:
    """The folder of a short training that shows whether trainings work; it goes with those of controls."""
    return run / "controls" / "trial"


def winner_folder(run: Path) -> Path:
    """Where the winner's files are handed over."""
    return run / "winner"


def new_withdrawn_folder(run: Path) -> Path:
    """Where files go that were handed over, of a network that is the winner no more; nothing is there yet."""
    folders = (run / f"winner-withdrawn-{number}" for number in count(1))
    return next(folder for folder in folders if not folder.exists())


def keep_weights(run: Path, numbers: Iterable[int]) -> None:
    """Delete the weights of all individuals but those in ``numbers``."""
    kept = {weights_path(run, number) for number in numbers}
    for path in (run / "weights").glob("*.safetensors"):
        if path not in kept:
            path.unlink()


def keep_checkpoints(run: Path, numbers: Iterable[int]) -> None:
    """Delete the checkpoints of all trainings but those of individuals in ``numbers``."""
    _keep(run / "checkpoints", {checkpoints_path(run, number) for number in numbers})


def keep_controls(run: Path, numbers: Iterable[int]) -> None:
    """Delete what all trainings from scratch have left but those of individuals in ``numbers``."""
    _keep(run / "controls", {control_path(run, number) for number in numbers})


def _keep(folder: Path, kept: set[Path]) -> None:
    for path in folder.glob("*"):
        if path not in kept:
            drop_checkpoint(path)


def drop_checkpoint(folder: Path) -> None:
    """Delete the checkpoint in a folder, if there is one: what its training came to is kept."""
    shutil.rmtree(folder, ignore_errors=True)
