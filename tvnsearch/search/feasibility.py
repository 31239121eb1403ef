"""Whether a budget can be kept in a search space; an impossible one is refused before a search begins."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.trace import trace
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.protocols import LatencyModel

SAMPLES = 256
MUTANTS = 32
ROUNDS = 40
PATIENCE_ROUNDS = 4


class _Cost(Struct, frozen=True, gc=False):
    genome: Genome
    lower_ms: float
    params: int


def check_reachable(plan: SearchPlan, latency: LatencyModel, attempt: int = 0) -> None:
    """Look for a genome within the budget, counted and predicted: at random, then by greedy mutation.

    Another ``attempt`` looks at other genomes.

    Raises:
        UserError: none was found; the sentence says what was asked, and the smallest that was found.
    """
    budget = plan.budget
    max_params = float("inf") if budget.max_params is None else budget.max_params
    rng = random.Random(f"{plan.seed}/reachable/{attempt}")
    samples = _costs([sample_genome(plan.space, rng) for _ in range(SAMPLES)], plan, latency)

    def smallest(value: Callable[[_Cost], float], enough: float) -> _Cost:
        return _descend(samples, value, enough, plan, latency, rng)

    def excess(cost: _Cost) -> float:
        return max(cost.lower_ms / budget.max_ms, cost.params / max_params)

    nearest = smallest(excess, enough=1.0)
    if excess(nearest) <= 1.0:
        return
    fastest = smallest(lambda cost: cost.lower_ms, enough=0.0)
    if excess(fastest) <= 1.0:  # another descent may come out lower
        return
    if fastest.lower_ms > budget.max_ms:
        raise UserError(
            f"expected a latency budget that some network of this space keeps on {plan.device}, but got "
            f"{budget.max_ms:g} ms and the fastest network found is predicted to take at least "
            f"{fastest.lower_ms:.3g} ms; raise --max-ms above that, or search a space with smaller inputs"
        )
    lightest = smallest(lambda cost: cost.params, enough=0.0)
    if lightest.params > max_params:
        raise UserError(
            "expected a parameter budget that some network of this space keeps, but got "
            f"{budget.max_params:,} and the smallest network found has {lightest.params:,} parameters for "
            f"{plan.classes} classes; raise --max-params above that, or search a space with fewer filters"
        )
    raise UserError(
        f"expected a budget that some network of this space keeps on {plan.device}, but no network found "
        f"keeps both {budget.max_ms:g} ms and {budget.max_params:,} parameters, the nearest being predicted "
        f"to take at least {nearest.lower_ms:.3g} ms with {nearest.params:,} parameters; raise --max-ms or "
        "--max-params"
    )


def _costs(genomes: Sequence[Genome], plan: SearchPlan, latency: LatencyModel) -> list[_Cost]:
    estimates = latency.estimate(genomes)
    return [
        _Cost(genome, estimate.lower_ms, trace(genome, plan.classes).params)
        for genome, estimate in zip(genomes, estimates, strict=True)
    ]


def _descend(
    starts: Sequence[_Cost],
    value: Callable[[_Cost], float],
    enough: float,
    plan: SearchPlan,
    latency: LatencyModel,
    rng: random.Random,
) -> _Cost:
    smallest = min(starts, key=value)
    rounds_without_gain = 0
    for _ in range(ROUNDS):
        if value(smallest) <= enough or rounds_without_gain == PATIENCE_ROUNDS:
            break
        mutants = _costs([mutate(smallest.genome, plan.space, rng) for _ in range(MUTANTS)], plan, latency)
        candidate = min(mutants, key=value)
        gained = value(candidate) < value(smallest)
        rounds_without_gain = 0 if gained else rounds_without_gain + 1
        smallest = candidate if gained else smallest
    return smallest
