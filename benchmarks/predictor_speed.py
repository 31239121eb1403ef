"""How many genomes a second one core judges by prediction, tracing and features included.

    python benchmarks/predictor_speed.py --predictor FILE [--rounds 9] [--space paper]

fresh      random genomes that share nothing, in batches of 256
children   mutated from one of 200 parents (the paper's population) that were judged before, in batches of 256
single     one fresh genome at a time, nothing of it known: the 99th percentile
by row     the same fresh genomes with LightGBM called once for each layer call and nothing remembered

Medians over rounds, with the slowest and the fastest. FILE is a predictor that `tvnsearch profile` wrote.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from predictors import LatencyPredictor, RooflinePrior
from predictors.booster import Booster
from predictors.features import in_context
from predictors.predictor import model_columns
from tvnsearch.devices.timing import quantile
from tvnsearch.genome import Genome, trace
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace, load_space

BATCH = 256
POPULATION = 200
BUDGET_MS = 50.0
SINGLES, BY_ROW = 100, 12


def main() -> None:
    """Time rounds of each, and print what they took."""
    parser = argparse.ArgumentParser(description="Genomes judged a second by prediction on one core.")
    parser.add_argument("--predictor", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--space", default="paper")
    arguments = parser.parse_args()
    space, rng = load_space(arguments.space), random.Random(0)
    record = LatencyPredictor.load(arguments.predictor).record
    booster = Booster(record.model, len(record.columns))
    settled = LatencyPredictor(record)
    parents = _fresh(space, POPULATION, rng)
    _judge(settled, parents)

    rates: dict[str, list[float]] = {"fresh": [], "children": [], "by_row": []}
    singles_ms: list[float] = []
    for _ in range(arguments.rounds):
        genomes = _fresh(space, BATCH, rng)
        predictor = LatencyPredictor(record)
        predictor.estimate(_fresh(space, 1, rng))  # reads the model, which verdicts by the prior alone do not
        rates["fresh"].append(_rate(lambda: _judge(predictor, genomes), BATCH))  # noqa: B023
        children = [mutate(parent, space, rng) for parent in rng.choices(parents, k=BATCH)]
        rates["children"].append(_rate(lambda: _judge(settled, children), BATCH))  # noqa: B023
        few = _fresh(space, BY_ROW, rng)
        rates["by_row"].append(_rate(lambda: _by_row(record.prior, booster, few), BY_ROW))  # noqa: B023
        for genome in _fresh(space, SINGLES, rng):
            singles_ms.append(1e3 / _rate(lambda: _judge(predictor, [genome]), 1))  # noqa: B023

    figures: dict[str, float] = {"rounds": arguments.rounds}
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"{name:9s} {median:9,.0f} a second ({min(found):,.0f} to {max(found):,.0f})")
        figures |= {f"{name}_per_s": median, f"{name}_slowest": min(found), f"{name}_fastest": max(found)}
    p50_ms, p99_ms = quantile(singles_ms, 0.5), quantile(singles_ms, 0.99)
    print(f"single    {p50_ms:.2f} ms (median), {p99_ms:.2f} ms (99th percentile)")
    print(json.dumps(figures | {"single_p50_ms": p50_ms, "single_p99_ms": p99_ms}))


def _fresh(space: SearchSpace, count: int, rng: random.Random) -> list[Genome]:
    return [sample_genome(space, rng) for _ in range(count)]


def _judge(predictor: LatencyPredictor, genomes: Sequence[Genome]) -> list[bool]:
    return [estimate is not None for estimate in predictor.estimate_over(genomes, BUDGET_MS)]


def _by_row(prior: RooflinePrior, booster: Booster, genomes: Sequence[Genome]) -> list[float]:
    """Every layer call by itself."""
    sums_ms = []
    for genome in genomes:
        total_ms = 0.0
        for context in in_context(trace(genome)):
            prior_ms, columns = model_columns(prior, [context])
            total_ms += float(prior_ms[0] * np.exp(booster.predict(columns)[0]))
        sums_ms.append(total_ms)
    return sums_ms


def _rate(work: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
