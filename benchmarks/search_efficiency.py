"""Iterations of training that a search needs, on the replayed table: strategies, and each acceleration.

    python benchmarks/search_efficiency.py [--seeds 20] [--population 40] [--tournament 10] [--trainings 120]

The strategies and accelerations are the product's own; only training is replaced by looking up the learning
curve of ``benchmarks/replay_table``. For each seed the *target* is the best fitness that the paper's method
(``tournament``, every network trained at full length) reaches in ``--trainings`` trainings. Counted are the
iterations that a method spends until a training of full length reaches that target, at most those of training
every network of the space; a method that never reaches it counts as those, and ``reached`` says how often it
did. The best of many trainings is a lucky one too: ``within_noise`` counts the iterations to the target less
one standard deviation of training once more from another seed.

Inherited weights cannot be replayed: a table holds one curve a network, from fresh weights, and not one for
each parent that it could have had. They are left out here, so ``all`` is early stopping and the fitness
predictor together; ``inherited_weights.py`` measures them live.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from msgspec.structs import replace
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

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome.identity import genome_id
from tvnsearch.search import Budget, Fitness, Individual, SearchPlan
from tvnsearch.search.acceleration import FitnessPredictor, SuccessiveHalving, halving_rungs
from tvnsearch.search.acceleration.fitness_predictor import Choice, Observation
from tvnsearch.search.acceleration.halving import RungResult
from tvnsearch.search.choosing import PROPOSALS
from tvnsearch.search.strategies import AskTell, Proposal, make_strategy

MOST_ASKED = 2000
"""A search whose proposals are all known, so many in a row, is at its end."""


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
    parser.add_argument("--population", type=int, default=40)
    parser.add_argument("--tournament", type=int, default=10)
    parser.add_argument("--trainings", type=int, default=120)
    arguments = parser.parse_args()
    table = {identity: rows[0] for identity, rows in load_table().items()}
    plan = SearchPlan(
        budget=Budget(1e6, max_gflops=2 * MAX_MACS / 1e9),
        space=table_space(),
        classes=CLASSES,
        device="table",
        device_digest="",
        data="",
        population=arguments.population,
        tournament=arguments.tournament,
    )
    noise = seed_noise_sd(load_table())
    strict, loose = ({name: [] for name in METHODS} for _ in range(2))
    targets, switched_off = [], dict.fromkeys(METHODS, 0)
    for seed in range(arguments.seeds):
        paper_run = list(islice(_Search(METHODS[PAPER], plan, seed, table).run(), arguments.trainings))
        target = max(trained.whole_fitness or 0.0 for trained in paper_run)
        targets.append(target)
        for name, method in METHODS.items():
            search = _Search(method, plan, seed, table)
            history = _until(target, paper_run if name == PAPER else search.run())
            strict[name].append(_iterations_to(target, history))
            loose[name].append(_iterations_to(target - noise, history))
            switched_off[name] += search.switched_off
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


def _until(target: float, run: Iterable[Trained]) -> list[Trained]:
    """The trainings of a search up to the first that reaches the target."""
    history = []
    for trained in run:
        history.append(trained)
        if trained.whole_fitness is not None and trained.whole_fitness >= target:
            break
    return history


def _iterations_to(target: float, history: Sequence[Trained]) -> int | None:
    for trained in history:
        if trained.whole_fitness is not None and trained.whole_fitness >= target:
            return trained.iterations
    return None


class _Search:
    """One search, serial, by the rules of the engine: candidate numbers seed the asking, nothing is twice."""

    def __init__(self, method: Method, plan: SearchPlan, seed: int, table: dict[str, Row]) -> None:
        self._strategy: AskTell = make_strategy(replace(plan, strategy=method.strategy))
        self._table, self._seed = table, seed
        rungs = tuple(_point_at(rung) for rung in halving_rungs(ITERATIONS))
        self._halving = SuccessiveHalving(rungs, ITERATIONS) if method.early_stopping else None
        self._predictor = FitnessPredictor(plan.classes, seed) if method.fitness_predictor else None
        self._known: set[str] = set()
        self._next_number = 0
        self.switched_off = 0

    def run(self) -> Iterator[Trained]:
        """Train until every network is known, or nothing new is proposed any more."""
        spent = 0
        while len(self._known) < len(self._table):
            wanted = PROPOSALS if self._predictor else 1
            proposals = self._new_proposals(wanted)
            if not proposals:
                return
            number = self._next_number
            proposal = self._chosen(proposals, number)
            identity = genome_id(proposal.genome)
            self._known.add(identity)
            iterations, fitness = self._trained(number, proposal, self._table[identity])
            spent += iterations
            self._strategy.tell(_individual(number, proposal, identity, fitness, iterations))
            yield Trained(spent, fitness if iterations == ITERATIONS else None)

    def _new_proposals(self, wanted: int) -> list[Proposal]:
        """Proposals of networks of the table that are not known; of those that execute alike the first."""
        fresh: dict[str, Proposal] = {}
        for _ in range(MOST_ASKED):
            proposal = self._strategy.ask(random.Random(f"{self._seed}/{self._next_number}"))
            self._next_number += 1
            identity = genome_id(proposal.genome)
            if identity in self._known or identity in fresh or identity not in self._table:
                self._strategy.drop(proposal)
                continue
            fresh[identity] = proposal
            if len(fresh) == wanted:
                break
        return list(fresh.values())

    def _chosen(self, proposals: Sequence[Proposal], number: int) -> Proposal:
        choice = Choice(0, None)
        if self._predictor:
            rng = random.Random(f"{self._seed}/{number}/choice")
            choice = self._predictor.choose([proposal.genome for proposal in proposals], rng)
            self._predictor.expect(number, choice.predicted)
        for place, proposal in enumerate(proposals):
            if place != choice.place:
                self._strategy.drop(proposal)
        return proposals[choice.place]

    def _trained(self, number: int, proposal: Proposal, row: Row) -> tuple[int, float]:
        """The iterations that a training took and the fitness at its end, by its curve in the table."""
        curve = dict(zip(POINTS, row.fitness, strict=True))
        stops = (*self._halving.rungs, ITERATIONS) if self._halving else (ITERATIONS,)
        for iterations in stops:
            decision = "stop" if iterations == ITERATIONS else "go on"
            if self._halving:
                decision, line = self._halving.report(RungResult(number, iterations, curve[iterations]))
                self.switched_off += line is not None
            if self._predictor:
                share = iterations / ITERATIONS
                observation = Observation(number, proposal.genome, share, curve[iterations])
                line = self._predictor.observe(observation)
                self.switched_off += line is not None
            if decision == "stop":
                return iterations, curve[iterations]
        raise AssertionError("a training ends at its full length")


def _point_at(iterations: int) -> int:
    """The point of the table's curves at or behind so many iterations."""
    return min(point for point in POINTS if point >= iterations)


def _individual(
    number: int, proposal: Proposal, identity: str, fitness: float, iterations: int
) -> Individual:
    return Individual(
        number=number,
        parent=proposal.parent,
        genome=proposal.genome,
        genome_id=identity,
        params=0,
        macs=0,
        measurement=Measurement(1, 1, 1, 1, 1, 1, 30, 0, trusted=True),
        fitness=Fitness(fitness, None, None, None, seconds=0.0, iterations=iterations),
    )


if __name__ == "__main__":
    main()
