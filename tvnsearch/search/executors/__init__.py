"""Where networks are trained: one after the other, in several processes, or all over a Ray cluster."""

from tvnsearch.search.executors.dealing import MEASURED_GPU
from tvnsearch.search.executors.executor import (
    OF_ENVIRONMENT,
    ClusterLostError,
    Executor,
    RemoteWorker,
    StartWorker,
    WorkerLostError,
    undisturbed,
)
from tvnsearch.search.executors.opening import check_gpus, open_executor
from tvnsearch.search.executors.parallel import ParallelExecutor
from tvnsearch.search.executors.serial import SerialExecutor

__all__ = [
    "MEASURED_GPU",
    "OF_ENVIRONMENT",
    "ClusterLostError",
    "Executor",
    "ParallelExecutor",
    "RemoteWorker",
    "SerialExecutor",
    "StartWorker",
    "WorkerLostError",
    "check_gpus",
    "open_executor",
    "undisturbed",
]
