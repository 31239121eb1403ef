"""Fronts that `--strategy pareto` finds for equal iterations, alone and accelerated, on the replayed table.

    python benchmarks/front_efficiency.py [--seeds 20] [--first-seed 0] [--population 20]

Each search is one of the product's own engine, with a journal, in this process; training is replaced by
looking up the learning curve of ``benchmarks/replay_table``, and measuring by its latency. A predicted
latency is that times a factor of the network's own, lognormal with a deviation of ``LATENCY_ERROR``. What a
search has found by so many iterations is the hypervolume of its whole trainings in fitness, latency and
parameters, the latter two by their logarithms, as a share of that of all networks of the table; the
reference point is the worst of the table's own front in each. ``linear`` is the same with latency and
parameters as they are. Paused trainings cost the iterations that they had, and count for nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from equal_latency import EqualLatency
from replay_table.table import CLASSES, ITERATIONS, MAX_MACS, POINTS, Row, load_table, table_space
from search_efficiency import NoProcess

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.search import Fitness, Journal, LatencyEstimate, SearchPlan, TrainingRequest, run_search
from tvnsearch.search.executors import RemoteWorker, SerialExecutor
from tvnsearch.search.plan import plan_of
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.search.settings import changed, settings_of

METHODS: dict[str, dict[str, bool]] = {
    "pareto": {},
    "early_stopping": {"early_stopping": True},
    "fitness_predictor": {"fitness_predictor": True},
    "both": {"early_stopping": True, "fitness_predictor": True},
}
TRAININGS = (20, 40, 80)
"""Fronts are compared when a search has spent the iterations of so many whole trainings."""

LATENCY_ERROR = 0.05

Floats = npt.NDArray[np.float64]


class Trained(NamedTuple):
    """A whole training, and the iterations that the search had spent when it was over."""

    iterations: int
    row: Row


class Found(NamedTuple):
    """What a search has trained, in how many requests it paused, and whether it switched anything off."""

    whole: list[Trained]
    paused: int
    switched_off: int


def main() -> None:
    """Search by every method from every seed, and print what their fronts are worth."""
    parser = argparse.ArgumentParser(description="Hypervolume of pareto fronts, on a replayed table.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--population", type=int, default=20)
    arguments = parser.parse_args()
    table = {identity: rows[0] for identity, rows in load_table().items()}
    asked = {
        "max_ms": 1e6,
        "max_gflops": 2 * MAX_MACS / 1e9,
        "strategy": "pareto",
        "population": arguments.population,
        "iterations": ITERATIONS,
        "trainings": len(table),
    }
    plan = plan_of(settings_of(asked), table_space(), CLASSES)
    scores = {"hypervolume": Score(table, np.log), "linear": Score(table, np.array)}
    found: dict[str, list[Found]] = {name: [] for name in METHODS}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for name, accelerations in METHODS.items():
            found[name].append(_searched(changed(plan, seed=seed, **accelerations), table))
    figures = {
        what: {
            name: {str(count): _summary(name, count, found, score) for count in TRAININGS} for name in METHODS
        }
        for what, score in scores.items()
    }
    for what, methods in figures.items():
        print(f"{what}, of the whole table's: median (quartiles), better than pareto alone in so many seeds")
        for name, at in methods.items():
            print(f"    {name:18s}" + "".join(map(_cell, at.values())))
    known = {
        "paused": {name: [one.paused for one in searches] for name, searches in found.items()},
        "switched_off": {name: sum(one.switched_off for one in all_) for name, all_ in found.items()},
    }
    print(json.dumps({**figures, **known, **vars(arguments)}))


class Score:
    """The hypervolume of trainings as a share of the table's, costs scaled by ``scale``."""

    def __init__(self, table: Mapping[str, Row], scale: Any) -> None:
        self._scale = scale
        points = self._points(list(table.values()))
        front = [point for point in points if not _is_dominated(point, points)]
        self._reference = np.array(front).max(axis=0)
        self._whole = _hypervolume(points, self._reference)

    def __call__(self, rows: Sequence[Row]) -> float:
        """The share of networks that were trained."""
        return _hypervolume(self._points(rows), self._reference) / self._whole

    def _points(self, rows: Sequence[Row]) -> Floats:
        costs = self._scale([(row.latency_ms, row.params) for row in rows])
        return np.column_stack([[-row.fitness[-1] for row in rows], costs])


def _is_dominated(point: Floats, points: Floats) -> bool:
    return bool(((points <= point).all(axis=1) & (points < point).any(axis=1)).any())


def _hypervolume(points: Floats, reference: Floats) -> float:
    """The volume between ``reference`` and the ``points`` that are lower in all three, cell by cell."""
    points = np.minimum(points, reference)
    edges = [np.unique(np.append(points[:, axis], reference[axis])) for axis in (1, 2)]
    lowest = np.full((len(edges[0]), len(edges[1])), reference[0])
    for point in points:
        behind = (edges[0][:, None] >= point[1]) & (edges[1] >= point[2])
        lowest[behind] = np.minimum(lowest[behind], point[0])
    areas = np.outer(np.diff(edges[0]), np.diff(edges[1]))
    return float((areas * (reference[0] - lowest[:-1, :-1])).sum())


def _summary(name: str, trainings: int, found: Mapping[str, list[Found]], score: Score) -> dict[str, Any]:
    def shares(method: str) -> list[float]:
        spent = ITERATIONS * trainings
        return [
            score([trained.row for trained in one.whole if trained.iterations <= spent])
            for one in found[method]
        ]

    values = shares(name)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    better = sum(ours > theirs for ours, theirs in zip(values, shares("pareto"), strict=True))
    return {"median": median, "quartiles": [lower, upper], "better": better, "shares": values}


def _cell(figures: dict[str, Any]) -> str:
    low, high = figures["quartiles"]
    return f"   {figures['median']:.3f} ({low:.3f} to {high:.3f}) {figures['better']:2d}"


def _searched(plan: SearchPlan, table: Mapping[str, Row]) -> Found:
    trainer = _Replayed(table)
    with tempfile.TemporaryDirectory() as folder, Journal.create(Path(folder) / "run", plan) as journal:
        with contextlib.suppress(_SpentError):
            run_search(journal, TableLatency(table), trainer, SerialExecutor(NoProcess), lambda event: None)
        history = journal.history()
    paused = sum(individual.fitness.stopped for individual in history.individuals.values())
    return Found(trainer.whole, paused, sum("is switched off" in line for line in history.lines))


class _SpentError(Exception):
    """The search has had all the iterations that it is looked at for."""


class _Replayed:
    """Trains by looking up curves."""

    def __init__(self, table: Mapping[str, Row]) -> None:
        self.whole: list[Trained] = []
        self._table = table
        self._iterations: dict[int, int] = {}

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        """The fitness at the end that is asked for, which is a point of the table's curves."""
        iterations = round(request.until_share * ITERATIONS)
        row = self._table[genome_id(request.genome)]
        self._iterations[request.number] = iterations
        spent = sum(self._iterations.values())
        if spent > ITERATIONS * max(TRAININGS):
            raise _SpentError
        if iterations == ITERATIONS:
            self.whole.append(Trained(spent, row))
        value = row.fitness[POINTS.index(iterations)]
        return Fitness(value, None, None, None, seconds=0.0, iterations=iterations)


class TableLatency(EqualLatency):
    """Measures what the table says, and predicts that with an error."""

    def __init__(self, table: Mapping[str, Row]) -> None:
        self._table = table

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """Each network's latency but for an error, always the same; those over the budget take a second."""
        estimates = []
        for genome in genomes:
            identity = genome_id(genome)
            error = random.Random(identity).lognormvariate(0.0, LATENCY_ERROR)
            predicted_ms = self._table[identity].latency_ms * error if identity in self._table else 1000.0
            estimates.append(LatencyEstimate(predicted_ms, predicted_ms * 0.85, predicted_ms * 1.15))
        return estimates

    def measure(self, genome: Genome) -> Measurement:
        """The latency in the table, taken as exact."""
        exact_ms = self._table[genome_id(genome)].latency_ms
        return Measurement(exact_ms, exact_ms, exact_ms, exact_ms, exact_ms, exact_ms, 30, 0, trusted=True)


if __name__ == "__main__":
    main()
