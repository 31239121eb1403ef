"""Best fitness over wall time, live: the accelerated search, the paper's, and random search.

    python benchmarks/live_search.py [--seeds 3] [--minutes 2] [--side-by-side 2] [--work runs/replay_table]

Each search is the product's own engine with a serial executor whose worker trains on one thread, on the
moving digits of the replayed table but in a larger space, within the same budget of operations. Nothing is
measured, every network takes a millisecond: what is compared is training. Fitness counts once a training of
full length has ended; with inherited weights it comes from all the iterations of a line of parents.

Printed is the best fitness at each quarter of the time, the median over the seeds, the lowest and highest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from equal_latency import EqualLatency
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent / "replay_table"))

from build import clips, table_recipe
from table import CLASSES, ITERATIONS, MAX_MACS, table_space

from tvnsearch.api.trained_fitness import TRAINING_MODULE, TrainedFitness
from tvnsearch.genome.space import SearchSpace
from tvnsearch.search import Fitness, Journal, SearchPlan, TrainingRequest, run_search
from tvnsearch.search.executors import RemoteWorker, SerialExecutor
from tvnsearch.search.plan import plan_of
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.search.settings import changed, settings_of
from tvnsearch.training.task import DataSource, source_of
from tvnsearch.workers import Worker

METHODS = {
    "accelerated": {
        "strategy": "tournament",
        "inherit": True,
        "early_stopping": True,
        "fitness_predictor": True,
    },
    "tournament": {"strategy": "tournament"},
    "random": {"strategy": "random"},
}
MOST_TRAININGS = 10_000
QUARTERS = (0.25, 0.5, 0.75, 1.0)
RECIPE = table_recipe(ITERATIONS)


def main() -> None:
    """Search by every method from every seed for the same time, and print how good the best was when."""
    parser = argparse.ArgumentParser(description="Best fitness over wall time, live.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--population", type=int, default=10)
    parser.add_argument("--tournament", type=int, default=4)
    parser.add_argument("--side-by-side", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("runs/replay_table"))
    arguments = parser.parse_args()
    cache = clips(arguments.work)
    data = source_of(cache)
    asked = {
        "max_ms": 1e6,
        "max_gflops": 2 * MAX_MACS / 1e9,
        "population": arguments.population,
        "tournament": arguments.tournament,
        "trainings": MOST_TRAININGS,
        "iterations": ITERATIONS,
        "minutes": arguments.minutes,
    }
    plan = plan_of(settings_of(asked), _space(), CLASSES)
    plans = [
        (name, changed(plan, seed=seed, **method))
        for seed in range(arguments.seeds)
        for name, method in METHODS.items()
    ]
    with ThreadPoolExecutor(arguments.side_by_side) as pool:
        runs = list(pool.map(lambda named: (named[0], *_searched(named[1], data)), plans))
    figures: dict[str, object] = {}
    for name in METHODS:
        curves = [
            [_best(ends, 60 * arguments.minutes * part) for part in QUARTERS]
            for n, ends, _ in runs
            if n == name
        ]
        counts = [(len(ends), trained) for n, ends, trained in runs if n == name]
        figures[name] = {"best_at_quarters": curves, "whole_and_all_trainings": counts}
        print(f"{name:12s}", *map(_spread, zip(*curves, strict=True)), f"(whole, all: {counts})")
    print(json.dumps({"methods": figures, **vars(arguments), "work": str(arguments.work)}))


def _space() -> SearchSpace:
    """The table's space with more widths, frames and layers: far too large to be enumerated."""
    space = table_space()
    return replace(
        space,
        frames=replace(space.frames, step=2),
        filters=replace(space.filters, max=32, step=8),
        layers=replace(space.layers, max=4),
    )


def _searched(plan: SearchPlan, data: DataSource) -> tuple[list[tuple[float, float]], int]:
    """When, in seconds, trainings of full length ended, with what fitness; how many networks were trained."""
    fitness = _Timed(TrainedFitness(data, RECIPE))
    executor = SerialExecutor(lambda: Worker(TRAINING_MODULE, 1))
    try:
        with tempfile.TemporaryDirectory() as folder, Journal.create(Path(folder) / "run", plan) as journal:
            run_search(journal, EqualLatency(), fitness, executor, lambda event: None)
            return fitness.ends, len(journal.history().individuals)
    finally:
        executor.shutdown()


class _Timed:
    """A fitness function that remembers when whole trainings ended, and with what."""

    def __init__(self, fitness: TrainedFitness) -> None:
        self.ends: list[tuple[float, float]] = []
        self._fitness = fitness
        self._began = time.monotonic()

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        """Train, and take the time."""
        fitness = self._fitness(worker, request, on_progress)
        if request.until_share == 1:
            self.ends.append((time.monotonic() - self._began, fitness.value))
        return fitness


def _best(ends: Sequence[tuple[float, float]], seconds: float) -> float:
    return max((value for ended, value in ends if ended <= seconds), default=0.0)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
