"""Who hears the metrics of a training while it goes: TensorBoard, wandb, or an object with wandb's calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from tvnsearch.errors import UserError

LoggerName = Literal["tensorboard", "wandb"]

PACKAGES = {"tensorboard": "tvnsearch[tensorboard]", "wandb": "wandb"}
"""What pip installs for each."""

MODULES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}

PROJECT = "tvnsearch"


class Logger(Protocol):
    """What a run of wandb is: it takes the figures of an iteration, by their names."""

    def log(self, data: dict[str, Any], /, *, step: int) -> object:
        """Take in the figures of iteration ``step``."""


LoggerLike = LoggerName | Logger


def require_loggers(loggers: Sequence[LoggerLike]) -> None:
    """Refuse, before anything begins, a name that nothing is installed for.

    Raises:
        UserError: there is no such logger, or its package is not installed.
    """
    for name in loggers:
        if isinstance(name, str):
            _module(name)


@contextmanager
def opened_loggers(
    loggers: Sequence[LoggerLike], folder: Path, settings: dict[str, Any]
) -> Iterator[list[Logger]]:
    """Those that have a name are opened for the training in ``folder``, and closed in the end.

    TensorBoard's files are in its folder ``tensorboard``. A run of wandb gets the folder's name and the
    ``settings``, and is the same one each time that the training is gone on with.

    Raises:
        UserError: there is no such logger, or its package is not installed.
    """
    opened: list[Logger] = []
    own: list[_TensorBoard | _Wandb] = []
    try:
        for logger in loggers:
            if isinstance(logger, str):
                module = _module(logger)
                is_board = logger == "tensorboard"
                own.append(_TensorBoard(module, folder) if is_board else _Wandb(module, folder, settings))
                opened.append(own[-1])
            else:
                opened.append(logger)
        yield opened
    finally:
        for one in own:
            one.close()


class _TensorBoard:
    """Event files in a folder; where a training goes back, what came after that place is shown no more."""

    def __init__(self, module: Any, folder: Path) -> None:
        self._module = module
        self._folder = folder / "tensorboard"
        self._writer: Any = None
        self._step = 0

    def log(self, data: dict[str, Any], /, *, step: int) -> None:
        if self._writer is None or step < self._step:
            self.close()
            self._writer = self._module.SummaryWriter(str(self._folder), purge_step=step)
        self._step = step
        for name, value in data.items():
            if name != "iteration":
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class _Wandb:
    """A run of wandb, gone on with under an identity that the folder and the time of its beginning decide."""

    def __init__(self, module: Any, folder: Path, settings: dict[str, Any]) -> None:
        order = folder / "training.json"  # written when the training begins, and never again
        began = f"{order.resolve()} {order.stat().st_mtime_ns}"
        identity = blake2b(began.encode(errors="surrogateescape"), digest_size=8).hexdigest()
        self._run = module.init(
            project=PROJECT, name=folder.name, id=identity, resume="allow", config=settings, dir=str(folder)
        )

    def log(self, data: dict[str, Any], /, *, step: int) -> None:
        self._run.log(data, step=step)

    def close(self) -> None:
        self._run.finish()


def _module(name: str) -> Any:
    if name not in MODULES:
        raise UserError(
            f"expected a logger out of {', '.join(get_args(LoggerName))}, or an object with wandb's log(), "
            f"but got '{name}'; give one of these"
        )
    try:
        return import_module(MODULES[name])
    except ImportError:
        raise UserError(
            f"expected {name} for the metrics, but it is not installed; run `pip install '{PACKAGES[name]}'`"
        ) from None
