"""What a user asks a search for, in groups that plan, journal, Python, command line and files share."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from tvnsearch.devices.remote.place import whereabouts
from tvnsearch.errors import UserError
from tvnsearch.files import require_text
from tvnsearch.search.budget import Budget
from tvnsearch.search.places import absolute_address, absolute_path, absolute_space, absolute_start
from tvnsearch.seeds import require_seed

EXECUTORS = ("local", "ray")

TRAIN_ON = r"cpu|cuda(:\d+)?"
"""What networks can train on, as a regular expression."""

WITH_TOURNAMENTS = ("tournament", "ageing")
"""The strategies in which the best of some individuals is a parent."""


LARGEST_COUNT = 2**53
"""Larger whole numbers are not exact in every reader of JSON."""


def require_positive(name: str, value: int) -> None:
    """Refuse a number under 1, and one that is beyond all that anybody could mean.

    Raises:
        UserError: it is.
    """
    if value < 1:
        raise UserError(f"expected {name} of at least 1, but got {value}; give a larger number")
    if value > LARGEST_COUNT:
        raise UserError(
            f"expected {name} of at most {LARGEST_COUNT:,}, but got {value}; give a smaller number"
        )


class DeviceSettings(Struct, frozen=True, kw_only=True):
    """Where the networks that are searched for will run, and what is known of their latencies there.

    ``name`` is as a user names a device: its processor, or where it is (``ssh:pi``, ``cuda@ssh:jetson``).
    ``db`` is the latency database, by default this user's own. The bounds of predictions hold for a share of
    ``level`` of networks.

    Raises:
        UserError: the level is no share that bounds can be had for.
    """

    name: str = "cpu"
    threads: int = 1
    backend: str = "eager"
    precision: Literal["float32", "bfloat16"] = "float32"
    batch: int = 1
    level: float = 0.99
    db: str | None = None

    def __post_init__(self) -> None:
        if not 0.5 <= self.level <= 0.999:
            raise UserError(f"expected a level of 0.5 to 0.999, but got {self.level}; say --level 0.99")

    @property
    def processor(self) -> str:
        """The kind of processor: ``cpu`` or ``cuda``."""
        return whereabouts(self.name).processor

    @property
    def is_here(self) -> bool:
        """Whether it is a processor of this machine."""
        return not whereabouts(self.name).place


class SearchSettings(Struct, frozen=True, kw_only=True):
    """How networks are looked for. The defaults are the paper's (section 2).

    The paper does not give ``trainings``: all trainings, those of the random pool included. Every strategy
    keeps ``population`` individuals at most; ``tournament`` is the size of tournaments where the strategy
    leaves it open. ``minutes`` bounds the wall-clock time, over all resumes. The networks that
    ``start_from`` names, with commas between, are drawn first: zoo networks, or ``zoo`` for all of them,
    runs (their fittest) and genome files.

    Raises:
        UserError: a number is too small, or a tournament larger than the population.
    """

    space: str = "paper"
    strategy: str = "tournament"
    population: int = 200
    tournament: int = 50
    trainings: int = 1000
    minutes: float | None = None
    seed: int = 0
    start_from: str | None = None

    def __post_init__(self) -> None:
        for name in ("population", "tournament", "trainings"):
            require_positive(name, getattr(self, name))
        if self.tournament > self.population and self.strategy in WITH_TOURNAMENTS:
            raise UserError(
                f"expected a tournament no larger than the population, but got {self.tournament} from "
                f"{self.population}; give a smaller --tournament or a larger --population"
            )
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise UserError(
                f"expected more than 0 minutes and an end, but got {self.minutes}; give other --minutes, or "
                "none"
            )


class TrainingSettings(Struct, frozen=True, kw_only=True):
    """What each network is trained on, for how many ``iterations``, and how; no data are generated clips.

    ``split_seed`` decides which clips are split off where the data come without a split.

    ``recipe`` is a recipe's name, its TOML file, or the record itself, which is what a plan holds; without
    one it is the paper's. How long trainings take is the search's own matter, whatever a recipe says of that.

    Raises:
        UserError: there are no iterations.
    """

    data: str | None = None
    split_seed: int = 0
    iterations: int = 10_000
    recipe: str | dict[str, Any] | None = None

    def __post_init__(self) -> None:
        require_positive("iterations", self.iterations)


class Accelerations(Struct, frozen=True, kw_only=True):
    """What makes the same search of fewer iterations.

    With ``inherit`` a child begins with its parent's weights, until that misleads, and with
    ``early_stopping`` trainings are paused that are foretold not to become the best, or not to be on the
    front where the strategy looks for one. With ``fitness_predictor`` that network is judged, of many, which
    promises most by the same.
    """

    inherit: bool = False
    early_stopping: bool = False
    fitness_predictor: bool = False


class Workforce(Struct, frozen=True):
    """How many networks train at once, and where: here (``local``) or on the Ray cluster at ``address``.

    They ``train_on`` a ``cpu``, on GPUs (``cuda``) or on one of this machine's (``cuda:1``); without that, on
    what is searched for where that is here, and else on a ``cpu``. Each then has its ``gpus_per_worker``, a
    share of one GPU or a whole one. Each has ``train_threads``; without that number the cores are shared out
    evenly. They leave weights and checkpoints in the run's folder, or in a folder of its own within
    ``shared``, which all machines see.

    Raises:
        UserError: there is no such executor, no worker in it, or nothing of the kind to train on.
    """

    workers: int = 1
    executor: str = "local"
    address: str = "auto"
    train_on: str | None = None
    gpus_per_worker: float = 1.0
    train_threads: int | None = None
    shared: str | None = None

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS:
            raise UserError(
                f"expected an executor of {', '.join(EXECUTORS)}, but got {self.executor!r}; say "
                "--executor local"
            )
        if self.workers < 1:
            raise UserError(f"expected 1 worker or more, but got {self.workers}; say --workers 1")
        if self.train_on is not None and not re.fullmatch(TRAIN_ON, self.train_on):
            raise UserError(
                f"expected to train on cpu, cuda or one GPU such as cuda:1, but got {self.train_on!r}; say "
                "--train-on cuda"
            )
        if self.executor == "ray" and ":" in (self.train_on or ""):
            raise UserError(
                f"expected a Ray cluster to choose the GPUs of its machines, but got {self.train_on}; say "
                "--train-on cuda"
            )
        if not 0 < self.gpus_per_worker <= 1:
            raise UserError(
                f"expected more than 0 and up to 1 GPU per worker, but got {self.gpus_per_worker:g}; say "
                "--gpus-per-worker 0.5, and two workers share a GPU"
            )
        if self.train_threads is not None and self.train_threads < 1:
            raise UserError(
                f"expected 1 thread or more for each training, but got {self.train_threads}; say "
                "--train-threads 1"
            )


class Settings(Struct, frozen=True, kw_only=True):
    """All that a user asks a search for."""

    budget: Budget
    device: DeviceSettings = DeviceSettings()
    search: SearchSettings = SearchSettings()
    training: TrainingSettings = TrainingSettings()
    accelerations: Accelerations = Accelerations()
    workforce: Workforce = field(default_factory=Workforce)

    @property
    def train_on(self) -> str:
        """What networks train on: what the user said, or what is searched for, or the processor beside it."""
        return self.workforce.train_on or (self.device.name if self.device.is_here else "cpu")


GROUPS: dict[str, Any] = {
    "budget": Budget,
    "device": DeviceSettings,
    "search": SearchSettings,
    "training": TrainingSettings,
    "accelerations": Accelerations,
    "workforce": Workforce,
}

OPTIONS: dict[str, tuple[str, str]] = {
    "device" if (group, name) == ("device", "name") else name: (group, name)
    for group, record in GROUPS.items()
    for name in record.__struct_fields__
    if (group, name) != ("budget", "precision")  # the device's
}
"""The group and the field of every setting, by its name on the command line and in Python."""

Grouped = TypeVar("Grouped", bound=Struct)


def grouped(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Options in their groups.

    Raises:
        UserError: there is no such option.
    """
    found: dict[str, dict[str, Any]] = {}
    for option, value in options.items():
        if option not in OPTIONS:
            raise UserError(f"expected settings out of {', '.join(OPTIONS)}, but got {option!r}; correct it")
        group, name = OPTIONS[option]
        found.setdefault(group, {})[name] = value
    return found


def changed(record: Grouped, **options: Any) -> Grouped:
    """``record``, whose fields are groups of settings (settings or a plan), with some of them changed."""
    return replace(
        record,
        **{group: replace(getattr(record, group), **fields) for group, fields in grouped(options).items()},
    )


def settings_of(options: Mapping[str, Any], file: Path | None = None) -> Settings:
    """The settings in a TOML ``file``, whose tables are the groups, and what ``options`` give beside.

    An option that is given wins. Networks weigh what they do in the device's precision. Paths are seen from
    the current folder, and are absolute in what is returned.

    Raises:
        UserError: the file is none, or a setting is unknown, missing or no good.
    """
    return settings_in(given_tables(options, file))


def given_tables(options: Mapping[str, Any], file: Path | None = None) -> dict[str, dict[str, Any]]:
    """What a TOML ``file`` and ``options``, which win, give, by groups; what is left out is not there.

    Raises:
        UserError: the file is none, or a setting is unknown.
    """
    tables = {} if file is None else _read_tables(file)
    for group, fields in grouped(options).items():
        tables[group] = {**tables.get(group, {}), **fields}
    return tables


def settings_in(tables: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The settings in groups of them, with defaults for what is left out.

    Raises:
        UserError: a setting is missing or no good.
    """
    if "max_ms" not in tables.get("budget", {}):
        raise UserError("expected a budget, but no max_ms came; say --max-ms 50, or write it into [budget]")
    if tables.get("device", {}).get("precision") == "int8":
        raise UserError(
            "expected a precision that networks are trained and scored in, but int8 came; search in float32, "
            "and see what int8 saves by `tvnsearch bench` and costs by `tvnsearch export --int8`"
        )
    try:
        settings = msgspec.convert(tables, Settings)
    except msgspec.ValidationError as error:
        raise UserError(_told(str(error))) from None
    require_seed(settings.search.seed)  # here and not in the record, so that a run which had another is read
    require_seed(settings.training.split_seed, "--split-seed")
    settings = _with_absolute_paths(
        replace(settings, budget=replace(settings.budget, precision=settings.device.precision))
    )
    for option, (group, name) in OPTIONS.items():
        value = getattr(getattr(settings, group), name)
        if isinstance(value, str):
            require_text(value, f"--{option.replace('_', '-')}")
    return settings


def _with_absolute_paths(settings: Settings) -> Settings:
    db, data, shared = settings.device.db, settings.training.data, settings.workforce.shared
    start_from = settings.search.start_from
    return changed(
        settings,
        db=None if db is None else absolute_path(db),
        data=None if data is None else absolute_address(data),
        shared=None if shared is None else absolute_path(shared),
        space=absolute_space(settings.search.space),
        start_from=None if start_from is None else absolute_start(start_from),
    )


def _place(name: str) -> str:
    """Where a setting belongs in a file."""
    if name in GROUPS:
        return f"write [{name}] above its settings"
    return f"write it under [{OPTIONS[name][0]}]" if name in OPTIONS else "docs/search.md lists what there is"


def _told(error: str) -> str:
    """What msgspec finds wrong, as a sentence."""
    found = re.fullmatch(r"Expected (.*), got (.*) - at `\$\.(.*)`", error)
    if found is None:
        return f"expected settings of a search, but: {error}; correct that one"
    return f"expected {found[3]} to be {found[1]}, but got {found[2]}; correct it"


def _read_tables(file: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"expected a TOML file with a plan, but {file} is none ({reason})") from None
    known = set(OPTIONS.values())
    for group, fields in tables.items():
        if not isinstance(fields, dict):
            raise UserError(
                f"expected tables of settings, but {file} has {group} outside of them; {_place(group)}"
            )
        unknown = [f"[{group}]"] if group not in GROUPS else []
        unknown += [f"{group}.{name}" for name in fields if (group, name) not in known] if not unknown else []
        if unknown:
            tables_known = ", ".join(f"[{name}]" for name in GROUPS)
            raise UserError(
                f"expected settings in the tables {tables_known}, but {file} has {unknown[0]}, which is none "
                "of them; docs/search.md lists them"
            )
    return tables
