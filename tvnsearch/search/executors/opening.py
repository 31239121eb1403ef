"""The executor that a user asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tvnsearch.cores import training_threads
from tvnsearch.devices.device import gpus_here
from tvnsearch.errors import UserError
from tvnsearch.search.executors.dealing import WorkersOnGpus, chosen_gpus, deal, visible_name
from tvnsearch.search.executors.executor import ClusterLostError, Executor, StartWorker
from tvnsearch.search.executors.parallel import ParallelExecutor
from tvnsearch.search.executors.serial import SerialExecutor
from tvnsearch.search.settings import Workforce
from tvnsearch.workers import Worker


def _unheard(_text: str) -> None:
    return None


@contextmanager
def open_executor(
    workforce: Workforce,
    module: str,
    train_on: str = "cpu",
    measured_gpu: int | None = None,
    say: Callable[[str], None] = _unheard,
) -> Iterator[Executor]:
    """Workers that serve ``module`` and ``train_on`` CPUs or GPUs, until the context is left.

    One local worker is waited for, several are not. Workers share the cores of this machine or of the
    cluster evenly, unless their ``train_threads`` are given. One that trains on GPUs sees its own alone,
    under the name ``cuda``, which is not the ``measured_gpu`` of this machine as long as there is another.
    ``say`` hears what a cluster lacks.

    Raises:
        UserError: there are no GPUs here for so many workers, Ray is not installed, there is no cluster at
            the address, or no machine in it for a worker, and none comes, or there is no folder to share.
    """
    if workforce.shared is not None and not Path(workforce.shared).is_dir():
        raise UserError(
            f"expected a folder that all machines see for --shared, but {workforce.shared} is none; make it, "
            "or mount it"
        )
    choose = (workforce, module, train_on, measured_gpu)
    is_local, workers = workforce.executor == "local", workforce.workers
    with nullcontext(_local_workers(*choose)) if is_local else _ray_workers(*choose, say) as start:
        one_after_the_other = is_local and workers == 1
        executor = SerialExecutor(start) if one_after_the_other else ParallelExecutor(start, workers)
        try:
            yield executor
        finally:
            executor.shutdown()


def check_gpus(workforce: Workforce, train_on: str, measured_gpu: int | None) -> list[int]:
    """The GPU of each local worker, none where they train on CPUs or on a cluster; loads torch if any do.

    Raises:
        UserError: there are no GPUs here for so many workers.
    """
    if train_on == "cpu" or workforce.executor != "local":
        return []
    gpus = chosen_gpus(train_on, gpus_here())
    return deal(workforce.workers, gpus, workforce.gpus_per_worker, measured_gpu)


def _local_workers(workforce: Workforce, module: str, train_on: str, measured_gpu: int | None) -> StartWorker:
    threads = workforce.train_threads or training_threads(workforce.workers)
    gpus = check_gpus(workforce, train_on, measured_gpu)
    if not gpus:
        return lambda: Worker(module, threads, shares_cores=True)
    names = [visible_name(gpu, os.environ.get("CUDA_VISIBLE_DEVICES")) for gpu in gpus]
    return WorkersOnGpus(lambda gpu: Worker(module, threads, gpu=gpu, shares_cores=True), names)


@contextmanager
def _ray_workers(
    workforce: Workforce, module: str, train_on: str, measured_gpu: int | None, say: Callable[[str], None]
) -> Iterator[StartWorker]:
    # Read when Ray is imported: a call after the cluster was left would begin a cluster of its own.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    try:  # an extra that may be missing
        from tvnsearch.search.executors import ray_cluster, ray_head, ray_joining, ray_room  # noqa: PLC0415
    except ModuleNotFoundError:
        raise UserError(
            "expected Ray for --executor ray, but it is not installed; run `pip install 'tvnsearch[ray]'`"
        ) from None
    ray_joining.connect(workforce.address)
    gpus_each = 0.0 if train_on == "cpu" else workforce.gpus_per_worker
    measured = None if measured_gpu is None or train_on == "cpu" else measured_gpu
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    kept_free = None if measured is None else visible_name(measured, visible)
    head = ray_head.Head(ray_joining.head_address(workforce.address), say)
    crew = ray_cluster.Crew(module, workforce, gpus_each, say, head)
    with head.watched():
        try:
            head.asked(lambda: ray_room.find_room(gpus_each, say))
        except ClusterLostError as error:
            raise UserError(f"expected a Ray cluster to train on, but {error}; start it again") from None
        with ray_room.keeping_free(kept_free, head):
            yield crew.start
