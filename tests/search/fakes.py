"""Cheap stand-ins for a device and for training: deterministic functions of the genome."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome import Genome, genome_id, trace
from tvnsearch.genome.space import load_space
from tvnsearch.search import (
    Budget,
    Fitness,
    Individual,
    Journal,
    LatencyEstimate,
    MeasurementFailed,
    SearchPlan,
    TrainingFailed,
)
from tvnsearch.search.events import Begun, Judged, Noted, Opened, Paused, Promoted
from tvnsearch.search.executors import RemoteWorker, SerialExecutor
from tvnsearch.search.plan import plan_of
from tvnsearch.search.protocols import MeasuredGenome, TrainingProgress, TrainingRequest
from tvnsearch.search.settings import Settings, changed
from tvnsearch.workers import Progress

CLASSES = 20

Hook = Callable[[str, Genome], None]


def nothing(_step: str, _genome: Genome) -> None:
    return None


def true_ms(genome: Genome) -> float:
    traced = trace(genome, CLASSES)
    return traced.macs / 20e6 + traced.bytes_moved / 2e6 + 0.02 * len(traced.calls)


def measurement(latency_ms: float) -> Measurement:
    return Measurement(
        latency_ms=latency_ms,
        ci_low_ms=latency_ms * 0.98,
        ci_high_ms=latency_ms * 1.02,
        p50_ms=latency_ms,
        p90_ms=latency_ms * 1.1,
        p99_ms=latency_ms * 1.2,
        samples=30,
        disturbed=0,
        trusted=True,
        reason="",
    )


class FakeLatency:
    """Predicts within a tenth of the truth; some networks, by their identity, cannot be run at all."""

    def __init__(self, hook: Hook = nothing, fails: bool = True) -> None:
        self.measured: list[str] = []
        self.promised: list[str] = []
        self.learnt: list[str] = []
        self.met_ms: list[float] = []
        self.judged, self.judging_seconds = 0, 0.0
        self._hook = hook
        self._fails = fails

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        estimates = []
        for genome in genomes:
            predicted_ms = true_ms(genome) * Random(genome_id(genome)).uniform(0.9, 1.1)
            width = 0.1 + 0.002 * len(self.learnt) + 0.0001 * len(self.met_ms)
            lower_ms, upper_ms = predicted_ms * (1 - width), predicted_ms * (1 + width)
            estimates.append(LatencyEstimate(predicted_ms, lower_ms, upper_ms))
        return estimates

    def estimate_over(self, genomes: Sequence[Genome], max_ms: float) -> list[LatencyEstimate | None]:
        return [known if known.lower_ms > max_ms else None for known in self.estimate(genomes)]

    def estimate_on_other(self, device: str, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """A device takes as many times as long as its name has letters."""
        latencies_ms = [len(device) * true_ms(genome) for genome in genomes]
        return [LatencyEstimate(ms, 0.8 * ms, 1.25 * ms) for ms in latencies_ms]

    def learn(self, measured: Sequence[MeasuredGenome], predicted_ms: Sequence[float]) -> str | None:
        """Each lesson widens the bounds a little, so that what is rejected depends on what was learnt."""
        self.learnt += [genome_id(genome) for genome, _ in measured]
        self.met_ms += predicted_ms
        return None

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        self._hook("measure", genome)
        self.measured.append(genome_id(genome))
        if self._fails and genome_id(genome).endswith("f"):
            raise MeasurementFailed("out of memory")
        return measurement(true_ms(genome))

    def measure_afresh(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        return self.measure(genome, limit_ms)

    def measure_for_promise(self, genomes: Sequence[Genome], max_ms: float) -> list[Measurement]:
        judged = len(self.measured)
        measurements = [self.measure(genome) for genome in genomes]
        self.promised += self.measured[judged:]
        del self.measured[judged:]
        return measurements


def untrusted(latency_ms: float) -> Measurement:
    """What is measured in a slow phase: nothing undisturbed, too long, and no interval."""
    return replace(
        measurement(1.3 * latency_ms),
        ci_low_ms=None,
        ci_high_ms=None,
        samples=0,
        disturbed=30,
        trusted=False,
        reason="only 0 of 30 samples were undisturbed",
    )


class ShakyLatency(FakeLatency):
    """Some networks, by their identity, are measured in a slow phase, so many times as that says."""

    def __init__(self, hook: Hook = nothing, fails: bool = False) -> None:
        super().__init__(hook, fails)
        self.tries: Counter[str] = Counter()

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        known = super().measure(genome, limit_ms)
        identity = genome_id(genome)
        self.tries[identity] += 1
        return untrusted(known.latency_ms) if self.tries[identity] <= shaky_tries(identity) else known


def shaky_tries(identity: str) -> int:
    """How many measurements of a network are not to be trusted: 0 to 6, mostly none."""
    return max(0, int(identity[-2:], 16) % 16 - 9)


class Moved(FakeLatency):
    """Some networks, by their identity, have become slower since the search."""

    def __init__(self, slower: set[str]) -> None:
        super().__init__(fails=False)
        self._slower = slower

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        measured = super().measure(genome)
        return measurement(99.0) if genome_id(genome) in self._slower else measured


class FakeFitness:
    """Likes layers of many kinds and has no patience with some networks; writes a file where weights go."""

    def __init__(self, hook: Hook = nothing, seconds: float = 0.0, fails: bool = True) -> None:
        self.trained: list[int] = []
        self._hook = hook
        self._seconds = seconds
        self._fails = fails

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        genome, identity = request.genome, genome_id(request.genome)
        self._hook("train", genome)
        self.trained.append(request.number)
        on_progress({"share": 0.5})
        time.sleep(self._seconds)
        request.weights.write_bytes(b"weights of " + identity.encode())
        if self._fails and identity.endswith("0"):
            raise TrainingFailed("the loss is NaN")
        if self._fails and identity.endswith("1"):
            return fitness(float("nan"))
        kinds = len({(call.type, call.kernel, call.out_shape) for call in trace(genome, CLASSES).calls})
        return fitness(kinds + Random(f"{identity} {request.seed}").random())


STEPS = 10


class SteppingFitness(FakeFitness):
    """Trains in steps, as many in a whole training as there are `STEPS`, and goes on after those it has done.

    Before each step the hook hears of it, and may end the training.
    """

    def __init__(self, hook: Hook = nothing) -> None:
        super().__init__(fails=False)
        self.steps: list[tuple[int, int]] = []
        self._step_hook = hook

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        checkpoint = request.checkpoints / "steps"
        request.checkpoints.mkdir(parents=True, exist_ok=True)
        done = int(checkpoint.read_text()) if checkpoint.is_file() else 0
        for step in range(done, round(STEPS * request.until_share)):
            self._step_hook("step", request.genome)
            self.steps.append((request.number, step))
            checkpoint.write_text(str(step + 1))
        return super().__call__(worker, request, on_progress)


class NoProcess:
    """A worker for fitness functions that train in the thread that they are called in."""

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        raise NotImplementedError

    def pause(self) -> None:
        return None

    def resume(self) -> None:
        return None

    def close(self) -> None:
        return None


def in_process() -> SerialExecutor:
    return SerialExecutor(NoProcess)


def fitness(value: float) -> Fitness:
    return Fitness(
        value=value, top1=value / 2, top5=value / 2, mean_average_precision=None, seconds=0.5, iterations=7
    )


def make_plan(**changes: Any) -> SearchPlan:
    """A plan; ``changes`` are settings by the names of their options, a whole budget, or a space."""
    settings = Settings(budget=changes.pop("budget", Budget(max_ms=2.0, max_params=100_000)))
    space = changes.pop("space", load_space("digits"))
    plan = plan_of(settings, space, CLASSES, "0123456789ab", "20 classes of moving digits")
    small: dict[str, Any] = {"population": 12, "tournament": 4, "trainings": 60, "seed": 3}
    return changed(plan, **(small | changes))


def make_individual(
    number: int,
    value: float,
    genome: Genome,
    parent: int | None = None,
    latency_ms: float = 1.0,
    params: int = 1,
) -> Individual:
    return Individual(
        number=number,
        parent=parent,
        genome=genome,
        genome_id=genome_id(genome),
        params=params,
        macs=1,
        measurement=measurement(latency_ms),
        fitness=fitness(value),
    )


def all_trained(journal: Journal) -> list[Individual]:
    """Everything that was trained, in the order in which that was last said."""
    return list(journal.history().individuals.values())


def pending(journal: Journal) -> list[int]:
    """The candidates that wait for a worker or are in training, the paused ones left out."""
    history = journal.history()
    paused = {event.number for event in journal.events() if isinstance(event, Paused)}
    promoted = {event.number for event in journal.events() if isinstance(event, Promoted)}
    return [number for number in history.accepted if number not in history.ended | (paused - promoted)]


def decisions(run: Path) -> list[Any]:
    """All that was decided in a run, in order, however candidates were batched, short of what clocks said."""
    decided: list[Any] = []
    with Journal.read(run) as journal:
        for event in journal.events():
            if isinstance(event, Judged):
                decided += event.rejected
                decided += [event.measured] if event.measured else []
            elif not isinstance(event, Opened | Begun | Noted):
                decided.append(replace(event, seconds=0.0) if hasattr(event, "seconds") else event)
    return decided
