"""Whether a budget can be kept in a search space; an impossible one is refused before a search begins."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.trace import trace
from tvnsearch.search.budget import CountedLimit, counted_limits, written_cost, written_limit
from tvnsearch.search.candidates.smallest import Costs, binding_range, smallest_genomes
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.protocols import LatencyEstimate, LatencyModel

SAMPLES = 256
MUTANTS = 32
ROUNDS = 40
PATIENCE_ROUNDS = 4


EstimateOver = Callable[[Sequence[Genome]], list[LatencyEstimate | None]]
"""Estimates of those genomes that the budget's milliseconds reject, None for the others."""


class _Limit(Struct, frozen=True):
    """One limit of the budget, counted or predicted, and what genomes cost against it."""

    option: str
    maximum: float
    unit: str
    costs: Costs


def check_reachable(plan: SearchPlan, latency: LatencyModel, attempt: int = 0) -> None:
    """Look for a genome within the budget, counted and predicted, among small and random ones and below them.

    Another ``attempt`` looks at other genomes.

    Raises:
        UserError: none was found; the sentence says what was asked, the smallest that was found, and which
            part of the space binds.
    """
    limits = [*_counted(plan), _predicted(plan, latency), *_predicted_on_others(plan, latency)]
    _check_within(limits, plan, attempt)


def check_reachable_on_paper(plan: SearchPlan, estimate_over: EstimateOver | None = None) -> None:
    """As :func:`check_reachable`, by what is known without a device: counts, and predictions if any.

    The figures of predictions are lower bounds, as rough as a rejection may be.

    Raises:
        UserError: no genome was found within that much of the budget.
    """
    limits = _counted(plan) if estimate_over is None else [*_counted(plan), _rejected(plan, estimate_over)]
    if limits:
        _check_within(limits, plan)


def _check_within(limits: Sequence[_Limit], plan: SearchPlan, attempt: int = 0) -> None:
    rng = random.Random(f"{plan.search.seed}/reachable/{attempt}")
    starts = [*smallest_genomes(plan.space), *[sample_genome(plan.space, rng) for _ in range(SAMPLES)]]

    def excesses(genomes: Sequence[Genome]) -> list[float]:
        shares = [[cost / limit.maximum for cost in limit.costs(genomes)] for limit in limits]
        return [max(of_one) for of_one in zip(*shares, strict=True)]

    nearest, excess = _descend(starts, excesses, 1.0, plan, rng)
    if excess <= 1.0:
        return
    for limit in limits:
        smallest, cost = _descend(starts, limit.costs, limit.maximum, plan, rng)
        if cost > limit.maximum:
            raise _unreachable(plan, limit, cost)
        if excesses([smallest])[0] <= 1.0:  # another descent may come out lower
            return
    asked = " and ".join(written_limit(limit.option, limit.maximum) for limit in limits)
    came = " and ".join(written_cost(limit.costs([nearest])[0], limit.unit) for limit in limits)
    raise UserError(
        f"expected limits that one network of this space keeps together on {plan.device.name}, but none "
        f"that was found keeps {asked} at once, the nearest taking {came}; raise one of them"
    )


def _counted(plan: SearchPlan) -> list[_Limit]:
    """The limits that counting decides: the cheapest to look at."""

    def counts(limit: CountedLimit) -> Costs:
        return lambda genomes: [limit.count(trace(genome, plan.classes)) for genome in genomes]

    counted = counted_limits(plan.budget)
    return [_Limit(limit.option, limit.maximum, limit.unit, counts(limit)) for limit in counted]


def _predicted(plan: SearchPlan, latency: LatencyModel) -> _Limit:
    """The limit on the device that is measured: whether it rejects, and how far the lower bound then is."""
    max_ms = plan.budget.max_ms

    def lower_ms(genomes: Sequence[Genome]) -> list[float]:
        known = zip(latency.estimate(genomes), latency.estimate_over(genomes, max_ms), strict=True)
        return [
            min(estimate.lower_ms, max_ms)
            if over is None
            else max(estimate.lower_ms, math.nextafter(max_ms, math.inf))
            for estimate, over in known
        ]

    return _Limit("--max-ms", max_ms, "ms", lower_ms)


def _rejected(plan: SearchPlan, estimate_over: EstimateOver) -> _Limit:
    """The same where it is enough to know of those that are rejected how far their lower bound is."""
    max_ms = plan.budget.max_ms

    def lower_ms(genomes: Sequence[Genome]) -> list[float]:
        return [
            max_ms if over is None else max(over.lower_ms, math.nextafter(max_ms, math.inf))
            for over in estimate_over(genomes)
        ]

    return _Limit("--max-ms", max_ms, "ms", lower_ms)


def _predicted_on_others(plan: SearchPlan, latency: LatencyModel) -> list[_Limit]:
    """The limits on other devices, each of which the upper bound has to keep."""

    def upper_ms(device: str) -> Costs:
        return lambda genomes: [estimate.upper_ms for estimate in latency.estimate_on_other(device, genomes)]

    return [
        _Limit(f"--max-ms {device}=", max_ms, "ms", upper_ms(device))
        for device, max_ms in plan.budget.others_max_ms.items()
    ]


def _descend(
    starts: Sequence[Genome], costs: Costs, enough: float, plan: SearchPlan, rng: random.Random
) -> tuple[Genome, float]:
    """The cheapest genome that greedy mutation reaches from the cheapest start, and its cost."""
    cost, smallest = _cheapest(starts, costs)
    rounds_without_gain = 0
    for _ in range(ROUNDS):
        if cost <= enough or rounds_without_gain == PATIENCE_ROUNDS:
            break
        mutants = [mutate(smallest, plan.space, rng) for _ in range(MUTANTS)]
        mutant_cost, mutant = _cheapest(mutants, costs)
        rounds_without_gain += 1
        if mutant_cost < cost:
            cost, smallest, rounds_without_gain = mutant_cost, mutant, 0
    return smallest, cost


def _cheapest(genomes: Sequence[Genome], costs: Costs) -> tuple[float, Genome]:
    found = costs(genomes)
    cost = min(found)
    return cost, genomes[found.index(cost)]


def _unreachable(plan: SearchPlan, limit: _Limit, smallest: float) -> UserError:
    binding = binding_range(plan.space, limit.costs)
    if binding is None:
        advice = f"which the head for {plan.classes} classes alone takes"
    else:
        advice = f"or lower {binding}.min in the space, {getattr(plan.space, binding).min:g} now, which binds"
    asked, came = written_limit(limit.option, limit.maximum), written_cost(smallest, limit.unit)
    return UserError(
        f"expected a budget that some network of this space keeps on {plan.device.name}, but got {asked} and "
        f"the smallest network found takes {came}; raise {limit.option} above that, {advice}"
    )
