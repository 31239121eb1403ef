"""Do hints keep what they promise: networks and their hinted variants, measured side by side.

    python benchmarks/predictor_hints.py --db FILE [--networks 20] [--hints 3] [--seed 1]

FILE is a database that `tvnsearch profile` filled on this machine. Draws random networks of the paper's
space, predicted at 5 to 100 ms, and takes of each the changes that `tvnsearch predict --explain` expects to
save most. A network and its variants are measured interleaved in the same processes, as `tvnsearch measure`
does, so that what slows one of them slows the others alike.

Prints what each change was predicted and measured to save; then, over all changes, the ratio of the two (the
median and the quartiles), their rank correlation, and the share of changes that do save time. Needs a machine
that does nothing else; about a minute a network.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from predictors import LatencyPredictor
from predictors.explain import hints, smaller_genomes
from tvnsearch.api.latency_predictors import load_predictor
from tvnsearch.devices import Meter, measure_in_processes, open_device
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace, load_space
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES as CLASSES

LOWEST_MS, HIGHEST_MS = 5.0, 100.0
CANDIDATES = 64
"""Of so many random networks the one nearest to the latency aimed at is taken."""

MEASURE_SECONDS = 9.0


def main() -> None:
    """Draw, change, measure, compare."""
    parser = argparse.ArgumentParser(description="Do hints keep what they promise.")
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--hints", type=int, default=3, help="changes of each network")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    space, rng, device = load_space("paper"), random.Random(arguments.seed), open_device("cpu")
    with Meter(device, CLASSES) as meter:
        predictor = load_predictor(arguments.db, meter)
    predicted_ms: list[float] = []
    saved_ms: list[float] = []
    untrusted = 0
    for number in range(1, arguments.networks + 1):
        genome = _drawn(space, predictor, rng)
        chosen = hints(predictor, genome, CLASSES)[: arguments.hints]
        variants = dict(smaller_genomes(genome))
        together = [genome, *(variants[hint.change] for hint in chosen)]
        try:
            whole, *changed = measure_in_processes(device, together, CLASSES, MEASURE_SECONDS)
        except UserError as error:
            print(f"network {number} left out: {error}")
            continue
        untrusted += sum(not measurement.trusted for measurement in (whole, *changed))
        for hint, measurement in zip(chosen, changed, strict=True):
            predicted_ms.append(hint.saves_ms)
            saved_ms.append(whole.latency_ms - measurement.latency_ms)
            print(
                f"network {number}, {whole.latency_ms:.2f} ms: {hint.change} saves {hint.saves_ms:.2f} ms "
                f"predicted, {saved_ms[-1]:.2f} ms measured",
                flush=True,
            )
    print(json.dumps(_compared(predicted_ms, saved_ms) | {"untrusted_measurements": untrusted}))


def _drawn(space: SearchSpace, predictor: LatencyPredictor, rng: random.Random) -> Genome:
    """A random network, as likely in any range of the logarithm of latency as in another as wide."""
    aim_ms = LOWEST_MS * (HIGHEST_MS / LOWEST_MS) ** rng.random()
    genomes = [sample_genome(space, rng) for _ in range(CANDIDATES)]
    estimates = predictor.estimate(genomes, CLASSES)
    gaps = [abs(math.log(estimate.latency_ms / aim_ms)) for estimate in estimates]
    return genomes[gaps.index(min(gaps))]


def _compared(predicted_ms: list[float], saved_ms: list[float]) -> dict[str, float]:
    ratios = np.array(saved_ms) / np.array(predicted_ms)
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
    figures = {
        "changes": len(ratios),
        "ratio_median": middle,
        "ratio_low_quartile": low,
        "ratio_high_quartile": high,
        "spearman": float(spearmanr(predicted_ms, saved_ms).statistic),
        "right_sign_percent": 100 * float(np.mean(ratios > 0)),
    }
    print(
        f"{len(ratios)} changes: measured over predicted saving {middle:.2f} ({low:.2f} to {high:.2f}), "
        f"Spearman {figures['spearman']:.3f}, {figures['right_sign_percent']:.0f} % save time"
    )
    return figures


if __name__ == "__main__":
    main()
