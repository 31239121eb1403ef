"""How many genomes a second one core draws, checks, walks and names; how many children a search can make.

    python benchmarks/genome_throughput.py [--rounds 15] [--space paper]

A fresh genome is drawn, written as JSON and read back with every check that a file undergoes, traced, and
hashed. A child is mutated from one of 200 parents (the paper's population), traced, and hashed; blocks that
it shares with a parent are known already. Each round times the steps one after the other on the same genomes;
medians over rounds are printed with the slowest and the fastest. Plain additions timed beside them tell how
fast this core was meanwhile.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from tvnsearch.genome import Genome, genome_from_json, genome_id, genome_to_json, trace
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space

POPULATION = 200
FRESH_A_ROUND = 500
CHILDREN_A_ROUND = 2000
ADDITIONS = 1_000_000

Item = TypeVar("Item")
Result = TypeVar("Result")


def main() -> None:
    """Time rounds of both, and print what they took."""
    parser = argparse.ArgumentParser(description="Genomes and children a second on one core.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--space", default="paper")
    arguments = parser.parse_args()
    space = load_space(arguments.space)
    rng = random.Random(0)
    parents = [sample_genome(space, rng) for _ in range(POPULATION)]
    for parent in parents:
        genome_id(parent)

    fresh: dict[str, list[float]] = {"sample": [], "validate": [], "trace": [], "hash": []}
    children: dict[str, list[float]] = {"mutate": [], "trace": [], "hash": []}
    additions: list[float] = []
    for _ in range(arguments.rounds):
        drawn = _timed(fresh["sample"], lambda _: sample_genome(space, rng), range(FRESH_A_ROUND))
        read = _timed(fresh["validate"], _written_and_read, drawn)
        _walk_and_name(read, fresh)
        chosen = rng.choices(parents, k=CHILDREN_A_ROUND)
        made = _timed(children["mutate"], lambda parent: mutate(parent, space, rng), chosen)
        _walk_and_name(made, children)
        _timed(additions, sum, [range(ADDITIONS)])

    figures = {
        **_figures("genomes", fresh, FRESH_A_ROUND),
        **_figures("children", children, CHILDREN_A_ROUND),
        "additions_per_s": ADDITIONS / statistics.median(additions),
        "rounds": arguments.rounds,
        "space": arguments.space,
    }
    print(json.dumps(figures))


def _timed(seconds: list[float], work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    start = time.perf_counter()
    results = [work(item) for item in items]
    seconds.append(time.perf_counter() - start)
    return results


def _walk_and_name(genomes: Sequence[Genome], seconds: dict[str, list[float]]) -> None:
    """The hash finds the walk done: what the tracer remembers is what a search too has at hand then."""
    _timed(seconds["trace"], trace, genomes)
    _timed(seconds["hash"], genome_id, genomes)


def _written_and_read(genome: Genome) -> Genome:
    return genome_from_json(genome_to_json(genome))


def _figures(what: str, seconds: dict[str, list[float]], count: int) -> dict[str, float]:
    rounds = [sum(steps) for steps in zip(*seconds.values(), strict=True)]
    rates = [count / total for total in rounds]
    median = statistics.median(rates)
    shares = {step: sum(times) / sum(rounds) for step, times in seconds.items()}
    print(f"{what}: {median:,.0f} a second (median; {min(rates):,.0f} to {max(rates):,.0f})")
    for step, share in shares.items():
        each_us = 1e6 * statistics.median(seconds[step]) / count
        print(f"  {step:9s} {100 * share:5.1f} % of the time, {each_us:6.1f} us each")
    return {
        f"{what}_per_s": median,
        f"{what}_per_s_slowest": min(rates),
        f"{what}_per_s_fastest": max(rates),
        **{f"{what}_{step}_share": share for step, share in shares.items()},
    }


if __name__ == "__main__":
    main()
