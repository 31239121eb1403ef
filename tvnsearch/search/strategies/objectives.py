"""What a strategy wants low while fitness is to be high: costs, by which accelerations judge as well."""

from __future__ import annotations

from collections.abc import Sequence

from tvnsearch.search.records import Individual

WITH_COSTS = ("pareto",)
"""The strategies that look for a whole front; all others look for the fittest network alone."""

Costs = tuple[float, ...]
"""Latency in milliseconds and parameters; empty where fitness is all that counts."""


def costs_of(strategy: str, latency_ms: float, params: int) -> Costs:
    """What a network costs by the objectives of ``strategy``."""
    return (latency_ms, float(params)) if strategy in WITH_COSTS else ()


def is_no_better(fitness: float, costs: Costs, other_fitness: float, other_costs: Costs) -> bool:
    """Whether a network is neither fitter than another nor cheaper by any objective."""
    return fitness <= other_fitness and is_as_cheap(other_costs, costs)


def is_as_cheap(costs: Costs, other_costs: Costs) -> bool:
    """Whether a network costs at most as much as another by every objective."""
    return all(cost <= other for cost, other in zip(costs, other_costs, strict=True))


def undominated(individuals: Sequence[Individual], strategy: str) -> list[Individual]:
    """Those to which no other is as good by every objective and better by one, in their order."""
    points = [
        (one.fitness.value, costs_of(strategy, one.measurement.latency_ms, one.params)) for one in individuals
    ]
    return [
        individual
        for individual, point in zip(individuals, points, strict=True)
        if not any(other != point and is_no_better(*point, *other) for other in points)
    ]
