"""Iterations of training that a search needs, on the replayed table: strategies, and each acceleration.

    python benchmarks/search_efficiency.py [--seeds 20] [--first-seed 0] [--population 40] [--tournament 10]

Each search is one of the product's own engine, with a journal, in this process; only training is replaced by
looking up the learning curve of ``benchmarks/replay_table``, and every network takes a millisecond. For each
seed the *target* is the best fitness that the paper's method (``tournament``, every network trained at full
length) reaches in ``--trainings`` trainings. Counted are the iterations that a method spends until a training
of full length reaches that target, at most those of training every network of the space; a method that never
reaches it counts as those, and ``reached`` says how often it did. The best of many trainings is a lucky one
too: ``within_noise`` counts the iterations to the target less one standard deviation of training once more
from another seed. ``oracle_of_paper`` is the share of whoever trains one network only, the right one.

Inherited weights cannot be replayed: a table holds one curve a network, from fresh weights, and not one for
each parent that it could have had. They are left out here, so ``all`` is early stopping and the fitness
predictor together; ``inherited_weights.py`` measures them live.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from equal_latency import EqualLatency
from replay_table.table import (
    CLASSES,
    ITERATIONS,
    MAX_MACS,
    POINTS,
    Row,
    load_table,
    seed_noise_sd,
    table_space,
)

from tvnsearch.genome.identity import genome_id
from tvnsearch.search import (
    Fitness,
    Journal,
    SearchPlan,
    TrainingRequest,
    run_search,
)
from tvnsearch.search.executors import RemoteWorker, SerialExecutor
from tvnsearch.search.plan import plan_of
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.search.settings import changed, settings_of
from tvnsearch.workers import Progress


class Method(NamedTuple):
    """A strategy, and what accelerates it."""

    strategy: str
    early_stopping: bool = False
    fitness_predictor: bool = False


METHODS = {
    "random": Method("random"),
    "tournament": Method("tournament"),
    "ageing": Method("ageing"),
    "early_stopping": Method("tournament", early_stopping=True),
    "fitness_predictor": Method("tournament", fitness_predictor=True),
    "all": Method("tournament", early_stopping=True, fitness_predictor=True),
}
PAPER = "tournament"


class Trained(NamedTuple):
    """One training of a search: the iterations spent when it was over, and its fitness if it was whole."""

    iterations: int
    whole_fitness: float | None


def main() -> None:
    """Search by every method from every seed, and print how many iterations each needed."""
    parser = argparse.ArgumentParser(description="Iterations to the paper's fitness, on a replayed table.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--population", type=int, default=40)
    parser.add_argument("--tournament", type=int, default=10)
    parser.add_argument("--trainings", type=int, default=120)
    arguments = parser.parse_args()
    table = {identity: rows[0] for identity, rows in load_table().items()}
    asked = {
        "max_ms": 1e6,
        "max_gflops": 2 * MAX_MACS / 1e9,
        "population": arguments.population,
        "tournament": arguments.tournament,
        "iterations": ITERATIONS,
        "trainings": len(table),
    }
    plan = plan_of(settings_of(asked), table_space(), CLASSES)
    noise = seed_noise_sd(load_table())
    strict, loose = ({name: [] for name in METHODS} for _ in range(2))
    targets, switched_off = [], dict.fromkeys(METHODS, 0)
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        papers_plan = changed(plan, seed=seed, trainings=arguments.trainings)
        papers, _ = _searched(papers_plan, table, target=math.inf)
        target = max(trained.whole_fitness or 0.0 for trained in papers)
        targets.append(target)
        for name, method in METHODS.items():
            history, lines = papers, 0
            if name != PAPER:
                history, lines = _searched(changed(plan, seed=seed, **method._asdict()), table, target)
            strict[name].append(_iterations_to(target, history))
            loose[name].append(_iterations_to(target - noise, history))
            switched_off[name] += lines
    most = ITERATIONS * len(table)
    figures = {"to_target": _compared(strict, most), "within_noise": _compared(loose, most)}
    for what, methods in figures.items():
        print(what)
        for name, method_figures in methods.items():
            print("   ", _line(name, method_figures, arguments.seeds))
    known = {
        "networks": len(table),
        "best_of_table": max(row.fitness[-1] for row in table.values()),
        "networks_at_median_target": sum(
            row.fitness[-1] >= statistics.median(targets) for row in table.values()
        ),
        "seed_noise_sd": noise,
        "oracle_of_paper": {what: ITERATIONS / methods[PAPER]["mean"] for what, methods in figures.items()},
        "targets": targets,
        "switched_off": switched_off,
    }
    print(json.dumps({**known, **figures, **vars(arguments)}))


def _compared(needed: dict[str, list[int | None]], most: int) -> dict[str, dict[str, Any]]:
    """Each method's iterations over the seeds, and their mean as a share of the paper's."""
    figures = {name: _summary(counts, most) for name, counts in needed.items()}
    for method_figures in figures.values():
        method_figures["of_paper"] = method_figures["mean"] / figures[PAPER]["mean"]
    return figures


def _line(name: str, figures: dict[str, Any], seeds: int) -> str:
    low, high = figures["quartiles"]
    return (
        f"{name:18s} mean {figures['mean']:8,.0f} iterations (median {figures['median']:,.0f}, quartiles "
        f"{low:,.0f} to {high:,.0f}), {100 * figures['of_paper']:5.1f} % of the paper's; "
        f"reached {figures['reached']} of {seeds}"
    )


def _summary(counts: Sequence[int | None], most: int) -> dict[str, Any]:
    values = [most if count is None else count for count in counts]
    lower, _, upper = statistics.quantiles(values, n=4)
    return {
        "median": statistics.median(values),
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values),
        "quartiles": [lower, upper],
        "reached": sum(count is not None for count in counts),
        "iterations": counts,
    }


def _iterations_to(target: float, history: Sequence[Trained]) -> int | None:
    for trained in history:
        if trained.whole_fitness is not None and trained.whole_fitness >= target:
            return trained.iterations
    return None


def _searched(plan: SearchPlan, table: Mapping[str, Row], target: float) -> tuple[list[Trained], int]:
    """The trainings of a search up to the first that reaches the target, and how often it switched off."""
    trainer = _Replayed(table, target)
    with tempfile.TemporaryDirectory() as folder, Journal.create(Path(folder) / "run", plan) as journal:
        with contextlib.suppress(_ReachedError):
            run_search(journal, EqualLatency(), trainer, SerialExecutor(NoProcess), lambda event: None)
        return trainer.history, sum("is switched off" in line for line in journal.history().lines)


class _ReachedError(Exception):
    """A training of full length has reached the target."""


class _Replayed:
    """Trains by looking up curves."""

    def __init__(self, table: Mapping[str, Row], target: float) -> None:
        self.history: list[Trained] = []
        self._table, self._target = table, target
        self._iterations: dict[int, int] = {}

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        """The fitness at the end that is asked for, which is a point of the table's curves."""
        iterations = round(request.until_share * ITERATIONS)
        row = self._table[genome_id(request.genome)]
        value = row.fitness[POINTS.index(iterations)]
        self._iterations[request.number] = iterations
        whole_fitness = value if iterations == ITERATIONS else None
        self.history.append(Trained(sum(self._iterations.values()), whole_fitness))
        if whole_fitness is not None and whole_fitness >= self._target:
            raise _ReachedError
        return Fitness(value, None, None, None, seconds=0.0, iterations=iterations)


class NoProcess:
    """A worker for a fitness function that needs none."""

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        """Nothing can be asked of it."""
        raise NotImplementedError

    def pause(self) -> None:
        """It stands still anyway."""

    def resume(self) -> None:
        """There is nothing to go on with."""

    def close(self) -> None:
        """There is nothing to end."""


if __name__ == "__main__":
    main()
