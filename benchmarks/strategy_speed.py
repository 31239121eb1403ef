"""What a search spends on its strategy: one ask and one tell, with many individuals known.

    python benchmarks/strategy_speed.py [--known 100000] [--rounds 2000] [--population 200] [--space paper]

Each strategy is told ``--known`` individuals, of whom the fitter are the slower: none dominates another, and
the population is one front, which costs ``pareto`` most. Then rounds of one ask and one tell are timed:
median and 99th percentile, and the two apart. The aim is 1 ms.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Fitness, Individual, SearchPlan
from tvnsearch.search.plan import plan_of
from tvnsearch.search.settings import changed, settings_of
from tvnsearch.search.strategies import STRATEGIES, make_strategy

GENOMES = 2000


def main() -> None:
    """Time every strategy, and print what it took."""
    parser = argparse.ArgumentParser(description="Milliseconds of an ask and a tell, for each strategy.")
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--population", type=int, default=200)
    parser.add_argument("--space", default="paper")
    arguments = parser.parse_args()
    sizes = {"population": arguments.population, "tournament": min(50, arguments.population)}
    plan = plan_of(settings_of({"max_ms": 50.0, **sizes}), load_space(arguments.space), classes=339)
    rng = random.Random(0)
    genomes = [sample_genome(plan.space, rng) for _ in range(GENOMES)]
    known = [_individual(number, None, rng.choice(genomes), rng) for number in range(arguments.known)]
    figures: dict[str, object] = {name: _timed(name, plan, known, arguments.rounds) for name in STRATEGIES}
    print(json.dumps({"strategies": figures, **vars(arguments)}))


def _timed(name: str, plan: SearchPlan, known: Sequence[Individual], rounds: int) -> dict[str, float]:
    rng = random.Random(name)
    strategy = make_strategy(changed(plan, strategy=name))
    began = time.perf_counter()
    for individual in known:
        strategy.tell(individual)
    restored_s = time.perf_counter() - began
    asks_ms, tells_ms = [], []
    for number in range(len(known), len(known) + rounds):
        began = time.perf_counter()
        proposal = strategy.ask(rng)
        asked = time.perf_counter()
        individual = _individual(number, proposal.parent, proposal.genome, rng)
        told = time.perf_counter()
        strategy.tell(individual)
        tells_ms.append(1000 * (time.perf_counter() - told))
        asks_ms.append(1000 * (asked - began))
    both_ms = [ask_ms + tell_ms for ask_ms, tell_ms in zip(asks_ms, tells_ms, strict=True)]
    figures = {
        "median_ms": statistics.median(both_ms),
        "p99_ms": statistics.quantiles(both_ms, n=100)[98],
        "ask_median_ms": statistics.median(asks_ms),
        "tell_median_ms": statistics.median(tells_ms),
        "restore_s": restored_s,
    }
    print(
        f"{name:10s} ask + tell {figures['median_ms']:.3f} ms (p99 {figures['p99_ms']:.3f}; ask "
        f"{figures['ask_median_ms']:.3f}, tell {figures['tell_median_ms']:.3f}); "
        f"{len(known):,} told anew in {restored_s:.1f} s"
    )
    return figures


def _individual(number: int, parent: int | None, genome: Genome, rng: random.Random) -> Individual:
    """An individual at a random place of the trade-off between fitness and latency."""
    size = rng.random()
    latency_ms = 50 * size
    return Individual(
        number=number,
        parent=parent,
        genome=genome,
        genome_id=str(number),
        params=round(12e6 * rng.random()),
        macs=1,
        measurement=Measurement(
            latency_ms, latency_ms, latency_ms, latency_ms, latency_ms, latency_ms, 30, 0, trusted=True
        ),
        fitness=Fitness(size, None, None, None, seconds=1.0, iterations=1),
    )


if __name__ == "__main__":
    main()
