"""What a search measures and trains on: opened once for a command, whether a run begins or goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import platformdirs
from msgspec.structs import replace

from tvnsearch.api.clips import clip_cache_folder, open_clips, prepare_clips
from tvnsearch.api.watching import Watch
from tvnsearch.devices.container import require_quota
from tvnsearch.devices.device import Device, open_device
from tvnsearch.errors import UserError
from tvnsearch.genome.space import SearchSpace, load_space
from tvnsearch.search.executors import Executor, open_executor
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.run_folder import journal_path
from tvnsearch.search.settings import DeviceSettings, Settings, Workforce

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


class OpenRun(NamedTuple):
    """A run that this process alone writes, and what it goes on with."""

    journal: Journal
    equipment: Equipment

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
    folder: Path, workers: int | None, executor: str | None, address: str | None, watch: Watch
) -> Iterator[OpenRun]:
    """Go on with the run in ``folder``, as it was begun; it trains with other workers if they are given.

    Raises:
        UserError: there is no run that this version can read, another process is writing it, its device has
            changed since it began, or its clips have, or are not there.
    """
    with Journal.open(folder) as journal:
        plan = journal.plan
        known = plan.asked.workforce
        workforce = Workforce(
            known.workers if workers is None else workers,
            known.executor if executor is None else executor,
            known.address if address is None else address,
        )
        with open_equipment(replace(plan.asked, workforce=workforce), plan.space, watch) as equipment:
            _check_unchanged(folder, plan, equipment)
            equipment.decode_clips(watch)
            yield OpenRun(journal, equipment)


@contextmanager
def open_equipment(settings: Settings, space: SearchSpace, watch: Watch) -> Iterator[Equipment]:
    """What a search in ``space`` was asked to use; its clips are found, and not decoded yet.

    Raises:
        UserError: the device is not here or was not profiled, there are no clips in a format that is known,
            or there is no such cluster.
    """
    from tvnsearch.api.device_latency import DeviceLatency
    from tvnsearch.api.latency_predictors import database_path
    from tvnsearch.api.trained_fitness import TRAINING_MODULE

    device = open_settings_device(settings.device)
    clips, source = find_clips(settings.training.data, space, watch)
    opened_latency = DeviceLatency.open(
        device,
        database_path(settings.device.db),
        len(clips.dataset.classes),
        settings.budget.others_max_ms,
        settings.device.level,
        watch=watch,
    )
    gpus_each = int(device.name == "cuda")
    with (
        opened_latency as latency,
        open_executor(settings.workforce, TRAINING_MODULE, gpus_each) as executor,
    ):
        yield Equipment(latency, clips, source, executor, device.name)


def open_settings_device(settings: DeviceSettings) -> Device:
    """The device that is searched for.

    Raises:
        UserError: there is no such device here, or this container may use too little of it.
    """
    device = open_device(settings.name, settings.threads, settings.backend, settings.dtype, settings.batch)
    require_quota(device)
    return device


def find_clips(data: str | None, space: SearchSpace, watch: Watch) -> tuple[ClipCache, DataSource]:
    """The clips at the address ``data``, or moving digits, which are made unless they are there.

    They are decoded at the largest resolution of the ``space`` that is searched.

    Raises:
        UserError: there are no clips, or not in a format that is known.
    """
    address = _moving_digits(watch) if data is None else data
    return open_clips(address, clip_cache_folder(), space.longest_side, seed=0)


def was_begun(folder: Path, settings: Settings) -> bool:
    """Whether there is a run in ``folder``, begun as ``settings`` ask; who trains may differ.

    Raises:
        UserError: it was begun with other settings, or its file of a search space has changed since.
    """
    if not journal_path(folder).is_file():
        return False
    with Journal.read(folder) as journal:
        plan = journal.plan
    what_to_do = f"go on with it by `tvnsearch resume {folder}`, or give another --run"
    if replace(plan.asked, workforce=settings.workforce) != settings:
        raise UserError(
            f"expected the settings that the run {folder} was begun with, but some are different; "
            f"{what_to_do}"
        )
    if load_space(settings.search.space) != plan.space:
        raise UserError(
            f"expected the search space that the run {folder} was begun with, but {settings.search.space} "
            f"says another one by now; {what_to_do}"
        )
    return True


def _check_unchanged(folder: Path, plan: SearchPlan, equipment: Equipment) -> None:
    """Refuse a device on which other latencies hold, and clips with which scores mean something else."""
    digest = equipment.latency.digest
    if digest != plan.device_digest:
        raise UserError(
            f"expected the device {plan.device_digest} that the run {folder} was begun on, "
            f"but this is {digest}; go on there, or begin a new run"
        )
    dataset = equipment.dataset
    if len(dataset.classes) != plan.classes:
        raise UserError(
            f"expected the {plan.classes} classes that the run {folder} was begun with, but "
            f"{dataset.address} has {len(dataset.classes)}; restore the clips, or begin a new run"
        )


def _moving_digits(watch: Watch) -> Path:
    from tvnsearch.data.moving_digits import generate

    data = platformdirs.user_data_path("tvnsearch") / "moving-digits"
    watch.say(f"no --data given: moving digits, generated mp4 clips in {data}")
    generate(data, seed=0, on_progress=lambda done, total: watch.progress("encode clips", done / total, ""))
    return data
