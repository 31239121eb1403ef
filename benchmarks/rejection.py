"""What the predictor rejects, along evolution: feasible networks lost, hopeless ones let through.

    python benchmarks/rejection.py --db FILE [--budgets 20,50,100] [--judged 5000] [--sampled 150] [--seed 1]

FILE is a database that `tvnsearch profile` filled on this machine. For each budget in ms a tournament
evolution (the paper's: 200 members, 50 compared) judges --judged children of at most 12 M parameters as a
search does: those whose lower bound is over the budget are rejected, the others would be measured. Fitness is
the logarithm of multiply-adds, which drives evolution against the budget. To save time, of those only the
ones that are predicted to keep the budget join, and are measured when they are first to become a parent:
one that is over it has no children. The first members are measured at once. All that is measured counts in
predictions from then on.

Truth is a stratified sample of the judged children, dense around the budget, each measured for real; what a
stratum says counts for all of it. Upper bounds are one-sided, 95 %, after Clopper and Pearson with Kish's
effective sample size. All of the sample is measured again afterwards: what a judge could reject that knows a
measurement, with the threshold that loses one feasible network in a hundred, is the noise floor; beside it
the same of the predictions. Needs a machine that does nothing else; an hour a budget.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from scipy.stats import beta

from predictors import LatencyPredictor
from tvnsearch.api.latency_predictors import load_predictor
from tvnsearch.devices import Meter, open_device
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id, trace
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace, load_space
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES as CLASSES

POPULATION, TOURNAMENT = 200, 50
MEASURE_SECONDS = 1.5
"""Searches take up to four. Half a second alone is off by 10 % now and then, and so wide become bounds."""
TOGETHER = 10
MAX_PARAMS = 12_000_000
HOPELESS = 1.1
"""Over the budget by this factor, a network must be rejected."""

LOST_SHARE = 0.01
"""Of the feasible ones no more than this may be rejected."""

EDGES = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
"""Strata end at these ratios of predicted latency and budget."""

FAR_SHARE = 0.25
"""A stratum that does not touch 0.7 to 1.5 gets this share of what one near the budget gets."""


class Judged(Struct, frozen=True):
    """A child, and what was made of it when it was judged."""

    genome: Genome
    predicted_ms: float
    is_rejected: bool


def main() -> None:
    """Evolve, sample, measure and count at each budget."""
    parser = argparse.ArgumentParser(description="What the predictor rejects along evolution.")
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--budgets", default="20,50,100")
    parser.add_argument("--judged", type=int, default=5000)
    parser.add_argument("--sampled", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    space = load_space("paper")
    figures: dict[str, float | None] = {"judged": arguments.judged}
    with Meter(open_device("cpu"), CLASSES) as meter:
        for text in arguments.budgets.split(","):
            max_ms = float(text)
            rng = random.Random(f"{arguments.seed}/{text}")
            predictor = load_predictor(arguments.db, meter)
            evolution = Evolution(space, predictor, meter, max_ms, rng)
            judged = [evolution.judge_child() for _ in range(arguments.judged)]
            print(
                f"{text} ms: {evolution.measured} members measured, {evolution.over} over it or disturbed",
                flush=True,
            )
            chosen, weights = _sample(judged, max_ms, arguments.sampled, rng)
            measured_ms = _measured(meter, [child.genome for child in chosen])
            found = _count(chosen, weights, measured_ms, max_ms)
            again_ms = _measured(meter, [child.genome for child in chosen])
            judges = {"again": again_ms, "predicted": [child.predicted_ms for child in chosen]}
            for name, judging_ms in judges.items():
                rejected_percent, sent_percent = _at_best_percent(judging_ms, weights, measured_ms, max_ms)
                found[f"hopeless_rejected_at_best_{name}_percent"] = rejected_percent
                found[f"sent_at_best_{name}_percent"] = sent_percent
            found["rejected_percent"] = 100 * float(np.mean([child.is_rejected for child in judged]))
            found["members_measured"] = evolution.measured
            found["members_over"] = evolution.over
            _say(max_ms, found)
            figures |= {f"at_{text}_ms_{name}": value for name, value in found.items()}
    print(json.dumps(figures))


class Evolution:
    """A population under ``max_ms``; its members are measured before they have children."""

    def __init__(
        self, space: SearchSpace, predictor: LatencyPredictor, meter: Meter, max_ms: float, rng: random.Random
    ) -> None:
        self.measured = self.over = 0
        self._space, self._predictor, self._meter = space, predictor, meter
        self._max_ms, self._rng = max_ms, rng
        self._keeping: set[str] = set()
        self._fitness: dict[str, float] = {}
        self._population: list[Genome] = []
        while len(self._population) < POPULATION:
            genome = sample_genome(space, rng)
            if trace(genome).params > MAX_PARAMS or self._judge(genome).is_rejected:
                continue
            if self._keeps(genome):
                self._join(genome)

    def judge_child(self) -> Judged:
        """The next child that was never seen before and is small enough; it joins if it may keep."""
        while True:
            contest = self._rng.sample(self._population, min(TOURNAMENT, len(self._population)))
            parent = max(contest, key=self._fitness_of)
            if not self._keeps(parent):
                self._population.remove(parent)
                continue
            child = mutate(parent, self._space, self._rng)
            if genome_id(child) not in self._fitness and trace(child).params <= MAX_PARAMS:
                break
        judged = self._judge(child)
        if not judged.is_rejected and judged.predicted_ms <= self._max_ms:
            if len(self._population) >= POPULATION:
                self._population.remove(min(contest, key=self._fitness_of))
            self._join(child)
        return judged

    def _judge(self, genome: Genome) -> Judged:
        [estimate] = self._predictor.estimate([genome])
        [over] = self._predictor.estimate_over([genome], self._max_ms)
        self._predictor.meet([estimate.latency_ms])
        return Judged(genome, estimate.latency_ms, is_rejected=over is not None)

    def _keeps(self, genome: Genome) -> bool:
        """Whether it keeps the budget, measured unless that is known."""
        if genome_id(genome) in self._keeping:
            return True
        [measured_ms] = _measured(self._meter, [genome])
        if not math.isnan(measured_ms) and (said := self._predictor.observe(genome, measured_ms)):
            print(f"  {said}", flush=True)
        self.measured += 1
        if measured_ms <= self._max_ms:
            self._keeping.add(genome_id(genome))
            return True
        self.over += 1
        return False

    def _join(self, genome: Genome) -> None:
        self._population.append(genome)
        self._fitness[genome_id(genome)] = math.log(trace(genome).macs)

    def _fitness_of(self, genome: Genome) -> float:
        return self._fitness[genome_id(genome)]


def _sample(
    judged: Sequence[Judged], max_ms: float, wanted: int, rng: random.Random
) -> tuple[list[Judged], list[float]]:
    """Children of every stratum, and how many each of them stands for."""
    strata: list[list[Judged]] = [[] for _ in range(len(EDGES) + 1)]
    for child in judged:
        strata[int(np.searchsorted(EDGES, child.predicted_ms / max_ms))].append(child)
    near = [0.7 <= edge <= 1.5 for edge in EDGES]
    priorities = [
        1.0 if (place < len(EDGES) and near[place]) or (place > 0 and near[place - 1]) else FAR_SHARE
        for place in range(len(strata))
    ]
    counts = [0] * len(strata)
    for _ in range(min(wanted, len(judged))):
        open_strata = [place for place in range(len(strata)) if counts[place] < len(strata[place])]
        counts[min(open_strata, key=lambda place: counts[place] / priorities[place])] += 1
    chosen, weights = [], []
    for stratum, count in zip(strata, counts, strict=True):
        chosen += rng.sample(stratum, count)
        weights += [len(stratum) / count] * count
    return chosen, weights


def _measured(meter: Meter, genomes: Sequence[Genome], together: int = TOGETHER) -> list[float]:
    """Milliseconds, interleaved; NaN for what does not run or was never undisturbed."""
    found: list[float] = []
    for start in range(0, len(genomes), together):
        few = genomes[start : start + together]
        try:
            measured = meter.measure(few, MEASURE_SECONDS)
        except UserError as error:
            # Ten large ones may need more memory than there is, where each by itself does not.
            if len(few) > 1:
                found += _measured(meter, few, together=1)
            else:
                print(f"  left out: {error}")
                found.append(math.nan)
            continue
        found += [one.latency_ms if one.samples else math.nan for one in measured]
    return found


def _count(
    chosen: Sequence[Judged], weights: Sequence[float], measured_ms: Sequence[float], max_ms: float
) -> dict[str, float | None]:
    known = ~np.isnan(measured_ms)
    weight = np.array(weights)[known]
    latency_ms = np.array(measured_ms)[known]
    rejected = np.array([child.is_rejected for child in chosen])[known]
    feasible, hopeless = latency_ms <= max_ms, latency_ms > HOPELESS * max_ms
    sent_percent = 100 * float(weight[~rejected].sum() / weight.sum())
    feasible_percent = 100 * float(weight[feasible].sum() / weight.sum())
    return {
        "sampled": float(known.sum()),
        "feasible_sampled": float(feasible.sum()),
        "hopeless_sampled": float(hopeless.sum()),
        "feasible_rejected_percent": _share_percent(rejected[feasible], weight[feasible]),
        "feasible_rejected_upper_percent": _upper_percent(rejected[feasible], weight[feasible]),
        "hopeless_rejected_percent": _share_percent(rejected[hopeless], weight[hopeless]),
        "sent_to_measurement_percent": sent_percent,
        "feasible_percent": feasible_percent,
        "sent_beyond_feasible_percent": sent_percent - feasible_percent,
    }


def _at_best_percent(
    judging_ms: Sequence[float], weights: Sequence[float], measured_ms: Sequence[float], max_ms: float
) -> tuple[float | None, float | None]:
    """The share of the hopeless over the threshold that a hundredth of the feasible are over, too.

    And the share of all that is not over it.
    """
    judging, truth = np.array(judging_ms), np.array(measured_ms)
    known = ~np.isnan(judging) & ~np.isnan(truth)
    feasible, hopeless = known & (truth <= max_ms), known & (truth > HOPELESS * max_ms)
    if not feasible.any():
        return None, None
    weight = np.array(weights)
    order = np.argsort(judging[feasible])
    reached = np.cumsum(weight[feasible][order]) / weight[feasible].sum()
    threshold_ms = judging[feasible][order][np.searchsorted(reached, 1 - LOST_SHARE)]
    over = judging > threshold_ms
    return _share_percent(over[hopeless], weight[hopeless]), _share_percent(~over[known], weight[known])


def _share_percent(hits: np.ndarray, weight: np.ndarray) -> float | None:
    return 100 * float(np.average(hits, weights=weight)) if len(hits) else None


def _upper_percent(hits: np.ndarray, weight: np.ndarray) -> float | None:
    if not len(hits):
        return None
    count = float(weight.sum() ** 2 / (weight**2).sum())
    found = float(np.average(hits, weights=weight)) * count
    return 100 * float(beta.ppf(0.95, found + 1, max(count - found, 1e-9)))


def _say(max_ms: float, found: dict[str, float | None]) -> None:
    def percent(name: str) -> str:
        value = found[name]
        return "unknown" if value is None else f"{value:.2f} %"

    print(
        f"{max_ms:g} ms: of {found['feasible_sampled']:.0f} feasible sampled, "
        f"{percent('feasible_rejected_percent')} rejected "
        f"(at most {percent('feasible_rejected_upper_percent')}); of {found['hopeless_sampled']:.0f} over by "
        f"10 %, {percent('hopeless_rejected_percent')} rejected; "
        f"{percent('sent_to_measurement_percent')} sent to measurement, "
        f"{percent('feasible_percent')} feasible; with the best threshold predictions reject "
        f"{percent('hopeless_rejected_at_best_predicted_percent')} of those over by 10 % and send "
        f"{percent('sent_at_best_predicted_percent')}, measuring again "
        f"{percent('hopeless_rejected_at_best_again_percent')} and {percent('sent_at_best_again_percent')}",
        flush=True,
    )


if __name__ == "__main__":
    main()
