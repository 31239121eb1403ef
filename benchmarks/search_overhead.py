"""What the search itself costs: time of its workers that nothing fills, and time that is no work of theirs.

    python benchmarks/search_overhead.py [--predictor FILE] [--space paper] [--max-ms 50] [--trainings 240]

Workers are real processes that sleep instead of training, between 1 and 10 s, by the network: a tenfold
spread. Latencies are predicted by a fitted predictor (``--predictor``, of any device), else by a formula of
multiply-adds and bytes; a measurement sleeps for ``--measure-seconds`` and says what was predicted.

1. ``busy_share``: with ``--workers`` workers, the share of their time for which they train, until the last
   training begins (``busy_share_whole``: until the last ends, when some have nothing left to do).
   Measurements take no time here: how long workers have to stand still is the device's matter.
2. ``overhead_share``: with one worker, the share of the wall time that is neither training nor measuring:
   drawing, predicting, journal, transport. Real trainings take longer, so it is less there;
   ``overhead_ms_per_training`` says what it is of.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, to_builtins

from predictors.predictor import LatencyPredictor
from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome import Genome, genome_id, trace
from tvnsearch.genome.space import load_space
from tvnsearch.search import (
    Fitness,
    Journal,
    LatencyEstimate,
    SearchPlan,
    SearchProgress,
    TrainingRequest,
    run_search,
)
from tvnsearch.search.executors import RemoteWorker, open_executor
from tvnsearch.search.plan import plan_of
from tvnsearch.search.protocols import MeasuredGenome, TrainingProgress
from tvnsearch.search.settings import Workforce, changed, settings_of

REPOSITORY = Path(__file__).parents[1]
MODULE = "benchmarks.sleeping_worker"
CLASSES = 40
SHORTEST_SECONDS = 1.0


class SleepingLatency:
    """Predicts as a predictor does, or by a formula; a measurement sleeps and says what was predicted."""

    def __init__(self, predictor: LatencyPredictor | None, measure_seconds: float) -> None:
        self._predictor = predictor
        self._measure_seconds = measure_seconds
        self.measured_seconds = 0.0

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """In the order given."""
        if self._predictor is not None:
            return self._predictor.estimate(genomes, CLASSES)
        traces = [trace(genome, CLASSES) for genome in genomes]
        latencies_ms = [traced.macs / 40e6 + traced.bytes_moved / 10e6 for traced in traces]
        return [LatencyEstimate(ms, 0.9 * ms, 1.1 * ms) for ms in latencies_ms]

    def estimate_over(self, genomes: Sequence[Genome], max_ms: float) -> list[LatencyEstimate | None]:
        """As a predictor does, or by the formula."""
        if self._predictor is not None:
            return self._predictor.estimate_over(genomes, max_ms, CLASSES)
        return [known if known.lower_ms > max_ms else None for known in self.estimate(genomes)]

    def estimate_on_other(self, device: str, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """No budget here is of another device."""
        raise NotImplementedError(device)

    def learn(self, measured: Sequence[MeasuredGenome], predicted_ms: Sequence[float]) -> str | None:
        """As a search with this predictor does."""
        if self._predictor is not None:
            self._predictor.meet(predicted_ms)
            for genome, measurement in measured:
                self._predictor.observe(genome, measurement.latency_ms, CLASSES)
        return None

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """Sleep."""
        began = time.perf_counter()
        [estimate] = self.estimate([genome])
        time.sleep(self._measure_seconds)
        self.measured_seconds += time.perf_counter() - began
        ms = estimate.latency_ms
        return Measurement(ms, ms, ms, ms, ms, ms, samples=30, disturbed=0, trusted=True)

    def measure_afresh(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """As :meth:`measure`."""
        return self.measure(genome, limit_ms)

    def measure_for_promise(self, genomes: Sequence[Genome], max_ms: float) -> list[Measurement]:
        """As :meth:`measure`, one after the other."""
        return [self.measure(genome) for genome in genomes]


class SleepingFitness:
    """Has a worker sleep, and notes from when to when; the fitness is a draw by the network."""

    def __init__(self) -> None:
        self.slept: list[tuple[float, float]] = []

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        """Between 1 and 10 s."""
        rng = random.Random(genome_id(request.genome))
        seconds = SHORTEST_SECONDS * 10 ** rng.random()
        slept_seconds = worker.call("sleep", {"seconds": seconds}, on_progress)["seconds"]
        now = time.perf_counter()
        self.slept.append((now - slept_seconds, now))
        request.weights.touch()
        return Fitness(rng.random(), None, None, None, seconds=slept_seconds, iterations=1)

    def slept_seconds(self, began: float, ended: float) -> float:
        """What all workers slept between two moments."""
        return sum(max(0.0, min(end, ended) - max(start, began)) for start, end in self.slept)


class Run(Struct, frozen=True):
    """A search of sleepers, and how busy they were."""

    trainings: int
    sampled: int
    wall_seconds: float
    trained_seconds: float
    measured_seconds: float
    busy_share: float
    busy_share_whole: float


def search(plan: SearchPlan, workers: int, latency: SleepingLatency) -> Run:
    """Carry out a plan with workers that sleep."""
    fitness = SleepingFitness()
    begins: list[float] = []
    events: list[SearchProgress] = []

    def hear(event: SearchProgress) -> None:
        events.append(event)
        if event.kind == "training" and event.text:
            begins.append(time.perf_counter())

    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.create(Path(folder) / "run", plan) as journal,
        open_executor(Workforce(workers), MODULE) as executor,
    ):
        for awake in [executor.submit(_wake) for _ in range(workers)]:
            awake.result()
        began = time.perf_counter()
        run_search(journal, latency, fitness, executor, hear)
        ended = time.perf_counter()
    last_begin, whole = begins[-1], ended - began
    return Run(
        trainings=events[-1].counts.trained,
        sampled=events[-1].counts.sampled,
        wall_seconds=whole,
        trained_seconds=fitness.slept_seconds(began, ended),
        measured_seconds=latency.measured_seconds,
        busy_share=fitness.slept_seconds(began, last_begin) / (workers * (last_begin - began)),
        busy_share_whole=fitness.slept_seconds(began, ended) / (workers * whole),
    )


def main() -> None:
    """Run both searches, and print what they cost."""
    parser = argparse.ArgumentParser(description="Busy workers and the overhead of the engine.")
    parser.add_argument("--predictor", type=Path, help="A predictor's file; else a formula.")
    parser.add_argument("--space", default="paper")
    parser.add_argument("--max-ms", type=float, default=50.0)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--trainings", type=int, default=240)
    parser.add_argument("--serial-trainings", type=int, default=20)
    parser.add_argument("--measure-seconds", type=float, default=0.5)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    asked = {
        "max_ms": arguments.max_ms,
        "max_params": 12_000_000,
        "population": 20,
        "tournament": 5,
        "trainings": arguments.trainings,
    }
    plan = plan_of(settings_of(asked), load_space(arguments.space), CLASSES)

    def predictor() -> LatencyPredictor | None:
        return arguments.predictor and LatencyPredictor.load(arguments.predictor)

    parallel = search(plan, arguments.workers, SleepingLatency(predictor(), 0.0))
    print(
        f"{parallel.trainings} trainings of a tenfold spread with {arguments.workers} workers in "
        f"{parallel.wall_seconds:.1f} s: {100 * parallel.busy_share:.1f} % of their time busy until the last "
        f"one begins, {100 * parallel.busy_share_whole:.1f} % until it ends"
    )
    shorter = changed(plan, trainings=arguments.serial_trainings)
    serial = search(shorter, 1, SleepingLatency(predictor(), arguments.measure_seconds))
    overhead_seconds = serial.wall_seconds - serial.trained_seconds - serial.measured_seconds
    share = overhead_seconds / serial.wall_seconds
    print(
        f"{serial.trainings} trainings with one worker, {serial.sampled} genomes sampled: "
        f"{100 * share:.2f} % of {serial.wall_seconds:.1f} s is neither training nor measuring, "
        f"{1000 * overhead_seconds / serial.trainings:.1f} ms a training"
    )
    figures = {
        "busy_share": parallel.busy_share,
        "busy_share_whole": parallel.busy_share_whole,
        "overhead_share": share,
        "overhead_ms_per_training": 1000 * overhead_seconds / serial.trainings,
        "parallel": to_builtins(parallel),
        "serial": to_builtins(serial),
    }
    print(json.dumps({**figures, **vars(arguments), "predictor": str(arguments.predictor)}))


def _wake(worker: RemoteWorker) -> None:
    """Let a worker start before anything is timed; long enough that each gets one."""
    worker.call("sleep", {"seconds": 1.0})


if __name__ == "__main__":
    main()
