"""What to profile next: networks all over the space, and in turns those that teach most near the budget."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from latency_db.reader import StoredProfile
from latency_db.rough_cost import RoughCost
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace
from tvnsearch.genome.trace import Trace, trace

LOWEST_MS = 0.5
"""Profile from so much on; from less where half of the budget is less, or the whole space."""

HIGHEST_OVER_BUDGET = 3.0
"""Profile up to this many times the budget: the predictor must know what it rejects."""

NEAR_BUDGET = 2.0
"""Every other network is aimed at latencies within this factor of the budget."""

CANDIDATES = 64
NEAR, NEAR_ENOUGH = math.log(1.1), math.log(2.0)
"""Log-ratio of guess and aim at which a candidate is taken at once, and beyond which none is taken."""

COMPARED = 12
"""Of the candidates near the budget, how many are compared for what they teach."""

MUTATIONS = 4
"""A candidate near the budget is a fresh network or a known one after up to this many mutations."""

SEEN_ENOUGH = 3
"""Networks that a layer call was stamped in, after which it teaches nothing more."""

DISTINCT_REPEATS = 2
"""The first repeat of a block is strided, the second is not; those after it run the same calls again."""

MAX_SKIPPED = 100
GOLDEN = (math.sqrt(5) - 1) / 2


class CallEstimates(NamedTuple):
    """What is expected of a network's layer calls, and how far off each may be, in the order of its calls."""

    latencies_ms: Sequence[float]
    doubts_ms: Sequence[float]


class Estimator(Protocol):
    """What was learnt from profiles; knows where it is least sure."""

    def estimate(self, network: Trace) -> CallEstimates:
        """What it expects of a network."""
        ...


Learn = Callable[[Sequence[StoredProfile]], Estimator | None]
"""Learns from profiles; None where they are too few."""


class Drawn(NamedTuple):
    """A genome to profile; ``is_random`` if of all that is known only a rough latency had a say in it."""

    seed_index: int
    genome: Genome
    is_random: bool


class GenomeSource:
    """Draws the genomes of a profile: number i of a ``seed`` depends on both and on what was learnt.

    ``estimator`` is the latest that was learnt, if any.
    """

    def __init__(self, space: SearchSpace, classes: int, max_ms: float, seed: int) -> None:
        self._space, self._classes, self._max_ms, self._seed = space, classes, max_ms, seed
        self.estimator: Estimator | None = None
        self._cost = RoughCost()
        self._known: list[Genome] = []
        self._seen: Counter[LayerCall] = Counter()

    @property
    def genomes(self) -> int:
        """How many genomes were profiled."""
        return len(self._known)

    @property
    def layer_types(self) -> int:
        """How many types of layer calls were profiled."""
        return len({call.type for call in self._seen})

    def learn(self, genome: Genome, latency_ms: float) -> None:
        """Take a profiled genome into account."""
        network = trace(genome, self._classes)
        self._cost.learn(network, latency_ms)
        self._seen.update(set(network.calls))
        self._known.append(genome)

    def draw(self, seed_index: int) -> Drawn:
        """The first genome from number ``seed_index`` on that is near the latency aimed at.

        Raises:
            UserError: the space has none of such latencies.
        """
        for index in range(seed_index, seed_index + MAX_SKIPPED):
            rng = random.Random(f"{self._seed}/{index}")
            is_random = index % 2 == 0
            genome = self._anywhere(index, rng) if is_random else self._near_budget(index, rng)
            if genome is not None:
                return Drawn(index, genome, is_random)
        guesses_ms = self._guesses_ms()
        raise UserError(
            f"expected a search space with networks between {self._lowest_ms():.2g} and "
            f"{HIGHEST_OVER_BUDGET * self._max_ms:g} ms, but random ones of it take about "
            f"{_rounded(min(guesses_ms))} to {_rounded(max(guesses_ms))} ms; say a --max-ms among those, "
            f"or name another --space"
        )

    def teaches(self, network: Trace) -> float:
        """The share of its latency that is in doubt, in layer calls that were not seen enough yet."""
        calls = network.calls
        if self.estimator is None:
            distinct = set(calls)
            return sum(self._seen[call] < SEEN_ENOUGH for call in distinct) / len(distinct)
        expected = self.estimator.estimate(network)
        doubts_ms = dict(zip(calls, expected.doubts_ms, strict=True))
        teaching_ms = sum(doubt_ms for call, doubt_ms in doubts_ms.items() if self._seen[call] < SEEN_ENOUGH)
        return teaching_ms / sum(expected.latencies_ms)

    def _anywhere(self, index: int, rng: random.Random) -> Genome | None:
        aim_ms = _aim_ms(index, self._lowest_ms(), HIGHEST_OVER_BUDGET * self._max_ms)
        nearest, nearest_gap = None, NEAR_ENOUGH
        for _ in range(CANDIDATES):
            genome = _without_more_of_the_same(sample_genome(self._space, rng))
            gap = self._gap(trace(genome, self._classes), aim_ms)
            if gap < nearest_gap:
                nearest, nearest_gap = genome, gap
            if gap < NEAR:
                break
        return nearest

    def _near_budget(self, index: int, rng: random.Random) -> Genome | None:
        aim_ms = _aim_ms(index, self._max_ms / NEAR_BUDGET, NEAR_BUDGET * self._max_ms)
        candidates = []
        for _ in range(CANDIDATES):
            genome = _without_more_of_the_same(self._candidate(rng))
            network = trace(genome, self._classes)
            gap = self._gap(network, aim_ms)
            if gap < NEAR_ENOUGH:
                candidates.append((gap, genome, network))
        nearest = sorted(candidates, key=lambda candidate: candidate[0])[:COMPARED]
        if not nearest:
            return None
        return max(nearest, key=lambda candidate: self.teaches(candidate[2]))[1]

    def _candidate(self, rng: random.Random) -> Genome:
        if not self._known or rng.random() < 0.5:
            return sample_genome(self._space, rng)
        genome = self._known[int(rng.random() * len(self._known))]
        for _ in range(rng.randint(1, MUTATIONS)):
            genome = mutate(genome, self._space, rng)
        return genome

    def _lowest_ms(self) -> float:
        guesses_ms = self._guesses_ms()
        of_space_ms = min(guesses_ms) if max(guesses_ms) < LOWEST_MS else LOWEST_MS
        return min(of_space_ms, self._max_ms / NEAR_BUDGET)

    def _guesses_ms(self) -> list[float]:
        """Of random networks all over the space, by what is known so far."""
        return [self._cost.estimate_ms(network) for network in self._samples]

    @cached_property
    def _samples(self) -> list[Trace]:
        rng = random.Random(f"{self._seed}/samples")
        genomes = [_without_more_of_the_same(sample_genome(self._space, rng)) for _ in range(CANDIDATES)]
        return [trace(genome, self._classes) for genome in genomes]

    def _gap(self, network: Trace, aim_ms: float) -> float:
        return abs(math.log(self._cost.estimate_ms(network) / aim_ms))


def _aim_ms(index: int, lowest_ms: float, highest_ms: float) -> float:
    """Even in the logarithm over any run of indices."""
    return float(lowest_ms * (highest_ms / lowest_ms) ** (index // 2 * GOLDEN % 1.0))


def _rounded(latency_ms: float) -> str:
    return f"{latency_ms:.2g}" if latency_ms < 100 else f"{latency_ms:.0f}"


def _without_more_of_the_same(genome: Genome) -> Genome:
    blocks = [replace(block, repeats=min(block.repeats, DISTINCT_REPEATS)) for block in genome.blocks]
    return replace(genome, blocks=tuple(blocks))
