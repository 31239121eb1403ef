"""The executor that a user asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tvnsearch.devices.container import usable_threads
from tvnsearch.errors import UserError
from tvnsearch.search.executors.executor import Executor, StartWorker
from tvnsearch.search.executors.parallel import ParallelExecutor
from tvnsearch.search.executors.serial import SerialExecutor
from tvnsearch.search.settings import Workforce
from tvnsearch.workers import Worker


@contextmanager
def open_executor(workforce: Workforce, module: str, gpus_each: int = 0) -> Iterator[Executor]:
    """Workers that serve ``module``, until the context is left.

    One local worker is waited for, several are not. Workers share the cores of this machine or of the
    cluster evenly; one on a cluster has ``gpus_each`` GPUs.

    Raises:
        UserError: Ray is not installed, there is no cluster at the address, or no machine in it for a worker.
    """
    executor = _executor(workforce, module, gpus_each)
    try:
        yield executor
    finally:
        executor.shutdown()


def _executor(workforce: Workforce, module: str, gpus_each: int) -> Executor:
    workers = workforce.workers
    if workforce.executor == "ray":
        start = _ray_workers(workforce, module, gpus_each)
        return ParallelExecutor(start, workers)
    threads = max(1, usable_threads() // workers)
    if workers == 1:
        return SerialExecutor(lambda: Worker(module, threads))
    return ParallelExecutor(lambda: Worker(module, threads), workers)


def _ray_workers(workforce: Workforce, module: str, gpus_each: int) -> StartWorker:
    try:
        from tvnsearch.search.executors import ray_cluster  # noqa: PLC0415 - an extra that may be missing
    except ModuleNotFoundError:
        raise UserError(
            "expected Ray for --executor ray, but it is not installed; run `pip install 'tvnsearch[ray]'`"
        ) from None
    ray_cluster.connect(workforce.address)
    threads = ray_cluster.cores_each(workforce.workers)
    ray_cluster.check_room(threads, gpus_each)
    return lambda: ray_cluster.RayWorker(module, threads, gpus_each)
