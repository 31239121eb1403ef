"""What a search needs from outside: a model of latency and a function for fitness. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome.genome import Genome
from tvnsearch.search.executors.executor import RemoteWorker

TrainingProgress = Callable[[dict[str, Any]], None]
"""Called while a network trains, with plain JSON data; the search hands it on and reads nothing in it."""


class LatencyEstimate(Struct, frozen=True, gc=False):
    """The predicted latency of one network, and the bounds that it is calibrated to lie within."""

    latency_ms: float
    lower_ms: float
    upper_ms: float


class Fitness(Struct, frozen=True, gc=False):
    """How good a trained network is on the validation split.

    ``value`` is what the search maximises (top-1 + top-5, or mAP for multi-label data); ``seconds`` and
    ``iterations`` are what it took. A score that the data do not define is None. ``inherited_share`` is the
    share of its parameters that training began with from its parent; None where all were fresh.
    ``stopped`` says that the training is paused, without prospects: then ``reached`` is the fitness that it
    had by then, and ``value`` what that foretold for its end.
    ``stood_still_seconds`` is for how long its worker was stopped in the latest request, for measurements:
    that is not in ``seconds``. ``begun_afresh`` says why it did not go on from the checkpoint that was there,
    or went back to it.
    """

    value: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    seconds: float
    iterations: int
    inherited_share: float | None = None
    stopped: bool = False
    reached: float | None = None
    stood_still_seconds: float = 0.0
    begun_afresh: str | None = None


class ParentWeights(Struct, frozen=True):
    """A trained network whose weights another one may begin with."""

    genome: Genome
    weights: Path


class TrainingRequest(Struct, frozen=True):
    """A network to train: individual ``number`` of a run, mutated from ``parent`` (None: drawn at random).

    ``seed`` decides every random choice, and ``weights`` is the file for its weights (safetensors). The files
    of the individual and of its parent are left alone until the training has ended. It begins with what
    ``origin`` gives it, or with fresh weights where that is None or cannot be read. It is trained until
    ``until_share`` of its training is done. One that ends there, or is cut off before, goes on, when it is
    asked for again, from what it left in the folder ``checkpoints``.
    """

    number: int
    parent: int | None
    genome: Genome
    seed: int
    weights: Path
    checkpoints: Path
    origin: ParentWeights | None = None
    until_share: float = 1.0


class MeasuredGenome(NamedTuple):
    """A genome that was run on the device, and what that took."""

    genome: Genome
    measurement: Measurement


class TrainingFailed(Exception):  # noqa: N818 - said of the network, no error of the program
    """A network could not be trained (NaN, out of memory, a worker died); the message is the reason."""


def finite_fitness(fitness: Fitness) -> Fitness:
    """``fitness``, which networks can be ranked by.

    Raises:
        TrainingFailed: it is no number.
    """
    if not math.isfinite(fitness.value):
        raise TrainingFailed(f"its fitness is {fitness.value}")
    return fitness


class MeasurementFailed(Exception):  # noqa: N818 - said of the network, no error of the program
    """A network could not be run on the device (out of memory, a worker died); the message is the reason."""


class PromisingMeter(Protocol):
    """Measurements that a budget can be promised by."""

    def measure_for_promise(self, genomes: Sequence[Genome], max_ms: float) -> list[Measurement]:
        """Run networks in several processes, and again later what cannot be trusted with ``max_ms`` by that.

        Raises:
            MeasurementFailed: one of them cannot be run there.
        """
        ...


class LatencyModel(PromisingMeter, Protocol):
    """The latency of networks on the device that is measured, and predictions for others."""

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """Predict each genome's latency, in the order given; fast, and the same until :meth:`learn`."""
        ...

    def estimate_over(self, genomes: Sequence[Genome], max_ms: float) -> list[LatencyEstimate | None]:
        """For each genome that is so surely over ``max_ms`` that it is rejected its estimate, or else None.

        It is as exact as that takes: much faster than :meth:`estimate` where few are near ``max_ms``.
        """
        ...

    def estimate_on_other(self, device: str, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """Predict each genome's latency on another device of the budget; always the same."""
        ...

    def learn(self, measured: Sequence[MeasuredGenome], predicted_ms: Sequence[float]) -> str | None:
        """Let measurements count in later estimates; what there is to say about it, if anything.

        ``predicted_ms`` are the estimates of all candidates drawn meanwhile, rejected or not. The same
        measurements and estimates in the same order make the same decisions, at once or bit by bit, so that
        a resumed search decides alike.
        """
        ...

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """Run the network on the device; what is far below ``limit_ms`` no longer than that takes to see.

        Raises:
            MeasurementFailed: it cannot be run there.
            UserError: nothing can be run there at the moment.
        """
        ...

    def measure_afresh(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """As :meth:`measure`, in a process that nothing was measured in before.

        Raises:
            MeasurementFailed: it cannot be run there.
        """
        ...


class FitnessFunction(Protocol):
    """Trains one network and scores it; with several workers, called from several threads at once."""

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        """Have ``worker`` train the network and write its weights, and give the fitness.

        Called again with another worker if this one dies.

        Raises:
            TrainingFailed: the network has no fitness; the search notes the reason and goes on.
            EnvironmentFailedError: that says nothing about the network, which is trained again.
            WorkerDiedError: the worker died.
        """
        ...
