"""Where a training stands, on disk: gone on with from there, it ends in the very same weights."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import safetensors.torch
import torch
from msgspec import Struct
from safetensors import SafetensorError
from torch import Tensor

from tvnsearch.errors import UserError
from tvnsearch.files import write_whole
from tvnsearch.training.fitting import Best, Fitting
from tvnsearch.training.metrics import Scores
from tvnsearch.training.optimization import optimizer_tensors, restore_optimizer
from tvnsearch.training.recipe import Precision
from tvnsearch.training.weights import read_tensors

CHECKPOINT = "checkpoint.json"

MOST_SHARE_OF_TIME = 0.02
"""What writing checkpoints may cost of a training's time."""


UNREADABLE = (
    FileNotFoundError,
    msgspec.DecodeError,
    SafetensorError,
    LookupError,
    RuntimeError,
    ValueError,
)
"""What a file that was cut off, overwritten or lost leads to; of a disk that fails it says nothing."""


class OtherTrainingError(UserError):
    """The checkpoint is of another training."""


class UnreadableCheckpointError(UserError):
    """The checkpoint is damaged."""


class _Best(Struct, frozen=True):
    """What is not a tensor of a `Best`."""

    iteration: int
    scores: Scores


class _Record(Struct, frozen=True):
    """What is not a tensor; `tensors` names the file of those that are, `training` what they belong to.

    `loss_scale` is the state of the gradient scaler, empty where nothing is scaled.
    """

    training: str
    iteration: int
    seconds: float
    precision: Precision
    loss_scale: dict[str, int | float]
    parts: int
    best: _Best | None
    set_back: str | None
    tensors: str


class Checkpoints:
    """The checkpoint of one training in a folder of its own, renewed every so many seconds.

    With 0 seconds it is renewed after every iteration, else never so often that it would cost a training more
    than `MOST_SHARE_OF_TIME`.

    `checkpoint.json` names the safetensors file that belongs to it, and is replaced only when that is whole:
    a kill at any moment leaves one checkpoint that can be gone on with.
    """

    def __init__(self, folder: Path, every_seconds: float = 20.0) -> None:
        self.folder = folder
        self._every_seconds = every_seconds
        self._written_at = time.monotonic()
        self._cost_seconds = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        if self._every_seconds == 0:
            return True
        pause = max(self._every_seconds, self._cost_seconds / MOST_SHARE_OF_TIME)
        return time.monotonic() - self._written_at >= pause

    def write(self, fitting: Fitting, training: str) -> None:
        """Keep where `fitting` stands; `training` tells it from other trainings."""
        began = time.monotonic()
        name = f"checkpoint-{fitting.iterations}.safetensors"
        write_whole(self.folder / name, safetensors.torch.save(_tensors(fitting)))
        best = fitting.best
        record = _Record(
            training=training,
            iteration=fitting.iterations,
            seconds=fitting.seconds,
            precision=fitting.precision,
            loss_scale=fitting.scaler.state_dict(),
            parts=fitting.parts,
            best=None if best is None else _Best(best.iteration, best.scores),
            set_back=fitting.set_back,
            tensors=name,
        )
        write_whole(self.folder / CHECKPOINT, msgspec.json.format(msgspec.json.encode(record)))
        self._remove(keep=name)
        self._written_at = time.monotonic()
        self._cost_seconds = self._written_at - began

    def read(self, fitting: Fitting, training: str) -> bool:
        """Bring `fitting`, which is fresh, to where the checkpoint stands; whether there is one.

        It goes on in the precision that it began in, also where "auto" would take another one by now.

        Raises OtherTrainingError when it is of another training, and UnreadableCheckpointError when it cannot
        be read; `fitting` is neither fresh nor at the checkpoint then.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return False
        try:
            record = msgspec.json.decode(path.read_bytes(), type=_Record)
            if record.training != training:
                raise OtherTrainingError(
                    f"expected the checkpoint of this training in {self.folder}, but it is of one with "
                    "another network, recipe, data or number of processes; "
                    "give the settings that it was begun with, or another folder"
                )
            tensors = read_tensors(self.folder / record.tensors)
            _restore(fitting, record, tensors)
        except torch.OutOfMemoryError:
            raise
        except UNREADABLE as error:
            reason = str(error).partition("\n")[0]
            raise UnreadableCheckpointError(
                f"expected a checkpoint in {self.folder}, but it cannot be read ({reason})"
            ) from error
        return True

    def clear(self) -> None:
        """Remove the checkpoint: its training is finished, and what came of it is kept."""
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        self._remove(keep="")

    def _remove(self, keep: str) -> None:
        for pattern in ("checkpoint-*.safetensors", ".checkpoint*.part"):
            for path in self.folder.glob(pattern):
                if path.name != keep:
                    path.unlink(missing_ok=True)


def _tensors(fitting: Fitting) -> dict[str, Tensor]:
    groups: dict[str, dict[str, Tensor]] = {
        "network": fitting.network.state_dict(),
        "optimizer": optimizer_tensors(fitting.optimizer),
        "average": {} if fitting.average is None else fitting.average.state_dict(),
        "best": {} if fitting.best is None else fitting.best.weights,
    }
    tensors = {
        f"{group}/{name}": value.detach().contiguous()
        for group, values in groups.items()
        for name, value in values.items()
    }
    return tensors | {"losses": torch.tensor(fitting.losses, dtype=torch.float64)}


def _restore(fitting: Fitting, record: _Record, tensors: dict[str, Tensor]) -> None:
    losses = tensors.pop("losses")
    groups: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "average": {}, "best": {}}
    for key, value in tensors.items():
        group, _, name = key.partition("/")
        groups[group][name] = value
    fitting.network.load_state_dict(groups["network"])
    restore_optimizer(fitting.optimizer, groups["optimizer"])
    if fitting.average is not None:
        fitting.average.load_state_dict(groups["average"])
    if record.best is not None:
        fitting.best = Best(record.best.iteration, record.best.scores, groups["best"])
    fitting.compute_in(record.precision)
    fitting.scaler.load_state_dict(record.loss_scale)
    fitting.losses = losses.tolist()
    fitting.seconds, fitting.parts, fitting.set_back = record.seconds, record.parts, record.set_back
