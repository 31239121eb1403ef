"""Where networks are trained: one after the other, in several processes, or all over a Ray cluster."""

from tvnsearch.search.executors.executor import Executor, RemoteWorker, StartWorker, WorkerLostError
from tvnsearch.search.executors.opening import open_executor
from tvnsearch.search.executors.parallel import ParallelExecutor
from tvnsearch.search.executors.serial import SerialExecutor

__all__ = [
    "Executor",
    "ParallelExecutor",
    "RemoteWorker",
    "SerialExecutor",
    "StartWorker",
    "WorkerLostError",
    "open_executor",
]
