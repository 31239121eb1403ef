"""Which GPU of this machine each local worker trains on, beside the one that is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvnsearch.errors import UserError
from tvnsearch.workers import Worker

MEASURED_GPU = 0
"""The place, among the GPUs that torch sees, of the one that ``--device cuda`` measures."""

ROUNDING = 1e-9


def chosen_gpus(train_on: str, here: int) -> list[int]:
    """The places among the ``here`` GPUs of this machine that ``cuda`` or ``cuda:1`` names.

    Raises:
        UserError: there is no such GPU here.
    """
    _, _, place = train_on.partition(":")
    if here == 0:
        raise UserError(
            f"expected a GPU for --train-on {train_on}, but torch sees none here, only a CPU; "
            "say --train-on cpu"
        )
    if not place:
        return list(range(here))
    if int(place) >= here:
        known = ", ".join(f"cuda:{one}" for one in range(here))
        raise UserError(
            f"expected a GPU of this machine for --train-on {train_on}, but it has {known}; "
            "say --train-on cuda"
        )
    return [int(place)]


def deal(workers: int, gpus: Sequence[int], gpus_per_worker: float, measured: int | None) -> list[int]:
    """The GPU of each worker, one after the other over those that are left, so that all have as many.

    The ``measured`` GPU is left out as long as there is another. As many workers share one as have their
    ``gpus_per_worker`` of it.

    Raises:
        UserError: there are fewer places than workers.
    """
    others = [gpu for gpu in gpus if gpu != measured]
    free = others or list(gpus)
    places_each = int(1 / gpus_per_worker + ROUNDING)
    fit = places_each * len(free)
    if fit < workers:
        kept = f", cuda:{measured} being kept for measurements" if len(free) < len(gpus) else ""
        raise UserError(
            f"expected places on GPUs for {workers} workers, but {fit} fit on {len(free)} GPU(s) with "
            f"{gpus_per_worker:g} for each{kept}; say --workers {fit}, or fewer --gpus-per-worker"
        )
    return [free[place % len(free)] for place in range(workers)]


def visible_name(gpu: int, visible: str | None) -> str:
    """What CUDA_VISIBLE_DEVICES has to be for a worker that shall see only the GPU at this place.

    ``visible`` is its value in this process, whose GPUs are counted among those that it names.
    """
    return str(gpu) if visible is None else visible.split(",")[gpu].strip()


class WorkersOnGpus:
    """Starts local workers, each to see the one of ``gpus`` that no worker has which still runs."""

    def __init__(self, start: Callable[[str], Worker], gpus: Sequence[str]) -> None:
        self._start = start
        self._gpus = gpus
        self._running: dict[int, Worker] = {}

    def __call__(self) -> Worker:
        """Another worker, on a GPU that one which has ended had, if all are dealt out."""
        self._running = {place: worker for place, worker in self._running.items() if not worker.has_ended}
        place = next(place for place in range(len(self._gpus)) if place not in self._running)
        self._running[place] = self._start(self._gpus[place])
        return self._running[place]
