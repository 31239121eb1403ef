"""What a search measures and trains on: opened once for a command, whether a run begins or goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from msgspec.structs import replace

from tvnsearch.api.amending import NO_CHANGES, Changes, amendment, say_amended
from tvnsearch.api.built_in_clips import built_in_clips
from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.impossible_budgets import refuse_impossible_budget
from tvnsearch.api.kept_clips import keep_clips, kept_clips
from tvnsearch.api.same_run import check_unchanged, require_clips
from tvnsearch.api.search_options import WorkforceOptions
from tvnsearch.api.watching import Watch
from tvnsearch.devices.container import require_quota
from tvnsearch.devices.device import Device, open_device
from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.events import Amended
from tvnsearch.search.exchange import Exchange, open_exchange
from tvnsearch.search.executors import MEASURED_GPU, Executor, check_gpus, open_executor
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.places import absolute_path
from tvnsearch.search.plan import SearchPlan, amended, plan_of
from tvnsearch.search.progress.recorder import Recorder
from tvnsearch.search.run_folder import clips_path, predictors_folder
from tvnsearch.search.settings import DeviceSettings, Settings, TrainingSettings

if TYPE_CHECKING:
    from tvnsearch.api.device_latency import DeviceLatency
    from tvnsearch.api.trained_fitness import TrainedFitness
    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.dataset import Dataset
    from tvnsearch.training.recipe import Recipe
    from tvnsearch.training.task import DataSource


class Equipment(NamedTuple):
    """A device to measure on, clips to train on, and workers that train, on ``training_device``.

    ``source`` is where workers find the ``clips``.
    """

    latency: DeviceLatency
    clips: ClipCache
    source: DataSource
    executor: Executor
    training_device: str

    @property
    def dataset(self) -> Dataset:
        """Which clips there are."""
        return self.clips.dataset

    def fitness(self, recipe: Recipe) -> TrainedFitness:
        """Trainings on the clips by ``recipe``."""
        from tvnsearch.api.trained_fitness import TrainedFitness

        return TrainedFitness(self.source, recipe, self.training_device)

    def decode_clips(self, watch: Watch) -> None:
        """Decode the clips that are missing in the cache.

        Raises:
            UserError: every clip of a split is broken, or the disk is too small.
        """
        prepare_clips(self.clips, watch)

    def of_run(self, run: Path, plan: SearchPlan) -> Equipment:
        """The same for a run, whose clips, decoded by now, are kept in its folder and scored as it plans.

        Raises:
            UserError: they cannot be written.
        """
        source = replace(
            keep_clips(run, self.clips),
            validation_clips=plan.validation_clips,
            validation_seed=plan.search.seed,
        )
        return self._replace(source=source)

    def keep_predictors(self, run: Path) -> None:
        """Put the latency predictors in the run's folder that are not there, for whoever goes on with it.

        Raises:
            UserError: one cannot be written.
        """
        self.latency.keep_predictors(predictors_folder(run))


class OpenRun(NamedTuple):
    """A run that this process alone writes, what it goes on with, and where workers leave what they train."""

    journal: Journal
    equipment: Equipment
    exchange: Exchange

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.journal.run

    @property
    def plan(self) -> SearchPlan:
        """What the run is going to do."""
        return self.journal.plan


@contextmanager
def open_run(
    folder: Path, watch: Watch, changes: Changes = NO_CHANGES, **workforce: Unpack[WorkforceOptions]
) -> Iterator[OpenRun]:
    """Go on with the run in ``folder``, by its plan and the ``changes`` of it, which are kept in its journal.

    It trains with other workers if they are given.

    Raises:
        UserError: there is no run that this version can read, another process is writing it, its device has
            changed since it began, its clips have, or are not there, or the changes are no good.
    """
    with Journal.open(folder) as journal:
        begun, amending = journal.plan, amendment(journal.plan, changes)
        plan = amended(begun, amending)
        require_clips(folder, plan.training.data)
        given = {name: value for name, value in workforce.items() if value is not None}
        if isinstance(shared := given.get("shared"), str):
            given["shared"] = absolute_path(shared)
        settings = replace(
            plan.asked,
            workforce=replace(plan.asked.workforce, **given),
            device=plan.device,
            training=plan.training,
        )
        kept = predictors_folder(folder)
        with open_equipment(settings, plan.space, watch, kept, folder) as equipment:
            check_unchanged(folder, plan, equipment.latency, equipment.dataset)
            equipment.keep_predictors(folder)
            equipment.decode_clips(watch)
            if plan != begun:
                moved = None if amending.data is None else equipment.dataset.address
                _amend(journal, replace(amending, clips=moved))
                say_amended(begun, journal.plan, watch)
            exchange = open_exchange(folder, settings.workforce.shared)
            yield OpenRun(journal, equipment.of_run(folder, plan), exchange)


@contextmanager
def open_equipment(
    settings: Settings,
    space: SearchSpace,
    watch: Watch,
    kept: Path | None = None,
    run: Path | None = None,
) -> Iterator[Equipment]:
    """What a search in ``space`` was asked to use; its clips are found, and not decoded yet.

    Latencies are predicted by what is in the folder ``kept``, as far as it is there, and the clips are those
    that the ``run`` keeps.

    Raises:
        UserError: the device, or what is to be trained on, is not here, the device was not profiled, there
            are no clips in a format that is known, the budget of a new search is impossible, or there is no
            such cluster.
    """
    from tvnsearch.api.device_latency import DeviceLatency
    from tvnsearch.api.latency_predictors import database_path
    from tvnsearch.api.trained_fitness import TRAINING_MODULE

    device = open_settings_device(settings.device)
    check_training_device(settings)
    clips, source = find_clips(settings.training, space, watch, run)
    db, classes = database_path(settings.device.db), len(clips.dataset.classes)
    if run is None:
        refuse_impossible_budget(plan_of(settings, space, classes), db)
    opened_latency = DeviceLatency.open(
        device,
        db,
        classes,
        settings.budget.max_ms,
        settings.budget.others_max_ms,
        settings.device.level,
        kept,
        watch=watch,
    )
    train_on, measured_gpu = settings.train_on, _measured_gpu(settings)
    with (
        opened_latency as latency,
        open_executor(settings.workforce, TRAINING_MODULE, train_on, measured_gpu, watch.say) as executor,
    ):
        kind, _, _ = train_on.partition(":")  # a worker sees its own GPU alone
        yield Equipment(latency, clips, source, executor, kind)


def open_settings_device(settings: DeviceSettings) -> Device:
    """The device that is searched for.

    Raises:
        UserError: there is no such device here, or this container may use too little of it.
    """
    device = open_device(
        settings.name, settings.threads, settings.backend, settings.precision, settings.batch
    )
    require_quota(device)
    return device


def check_training_device(settings: Settings) -> None:
    """Make sure that this machine has the GPUs that its workers are to train on.

    Raises:
        UserError: it has fewer, or none.
    """
    check_gpus(settings.workforce, settings.train_on, _measured_gpu(settings))


def _measured_gpu(settings: Settings) -> int | None:
    return MEASURED_GPU if settings.device.name == "cuda" else None


def find_clips(
    training: TrainingSettings, space: SearchSpace, watch: Watch, run: Path | None = None
) -> tuple[ClipCache, DataSource]:
    """The clips of a search, or moving digits where it has none, which are made unless they are there.

    They are decoded for the largest resolution of the ``space`` that is searched. Those of a ``run`` are the
    ones that it keeps.

    Raises:
        UserError: there are no clips, or not in a format that is known.
    """
    address = built_in_clips(watch) if training.data is None else training.data
    kept = None if run is None else kept_clips(run, address)
    manifest = None if run is None else clips_path(run)
    return open_clips(
        address, clip_cache_folder(), space.longest_side, training.split_seed, kept=kept, manifest=manifest
    )


def _amend(journal: Journal, by: Amended) -> None:
    """Change the plan of a run; takes none of its time."""
    Recorder(journal, clock=lambda: 0.0).record(by)
