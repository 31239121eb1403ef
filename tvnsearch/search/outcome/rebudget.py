"""Another budget answered from what a run knows, without any new training or measurement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome.trace import trace
from tvnsearch.search.budget import Budget, counted_limits, written_cost, written_limit
from tvnsearch.search.history import History
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.status import NetworkSummary, network_summary
from tvnsearch.search.records import Individual, rank
from tvnsearch.search.run_folder import finalist_weights_path, weights_path


class Pick(Struct, frozen=True):
    """The fittest network of a run that keeps a budget, one of ``keeping`` that do among ``trained``.

    ``weights`` is the file of its weights, None where the search has dropped them: then it must be trained
    again. It is ``promised`` if its measurement can be trusted with that it keeps the budget.
    """

    run: str
    budget: Budget
    picked: NetworkSummary
    promised: bool
    weights: str | None
    keeping: int
    trained: int


class Kept(NamedTuple):
    """An individual of a run that keeps a budget, and the file of its weights, if that is there."""

    individual: Individual
    weights: Path | None


class Choice(NamedTuple):
    """Who keeps a ``budget``, of all that were ``trained``.

    The fittest comes first of those whose measurements can be trusted with that; the others come after them.
    """

    budget: Budget
    keeping: list[Kept]
    trained: int


def pick(run: Path, budget: Budget) -> Pick:
    """Pick the fittest trained individual whose real measurement keeps ``budget``, its whole interval.

    One whose measurement cannot be trusted with that is picked only where there is no other.
    Finalists count by the fitness of their whole training, and their weights are of that. On devices
    that were not measured the predicted interval has to keep it, as the search predicted it.

    Weights count in the precision that the run was begun with. A run that is being written may be picked
    from.

    Raises:
        UserError: none keeps it, or there is no run that this version can read.
    """
    choice = keeping_budget(run, budget)
    return picked(run, choice, choice.keeping[0])


def picked(run: Path, choice: Choice, best: Kept) -> Pick:
    """The pick of ``best``."""
    return Pick(
        run=str(run),
        budget=choice.budget,
        picked=network_summary(best.individual),
        promised=_is_promised(best.individual, choice.budget),
        weights=None if best.weights is None else str(best.weights),
        keeping=len(choice.keeping),
        trained=choice.trained,
    )


def keeping_budget(run: Path, budget: Budget) -> Choice:
    """The individuals of a run that keep a budget as :func:`pick` has it.

    Raises:
        UserError: none keeps it, or there is no run that this version can read.
    """
    with Journal.read(run) as journal:
        history = journal.history()
        classes, known = journal.plan.classes, journal.plan.budget
    trained = best_known(history)
    budget = replace(budget, precision=known.precision)
    if unknown := budget.others_max_ms.keys() - known.others_max_ms.keys():
        raise UserError(
            f"expected devices that the run {run} predicted latencies for "
            f"({', '.join(known.others_max_ms) or 'none'}), but got {', '.join(sorted(unknown))}; "
            "search under such a budget with `tvnsearch evolve`"
        )
    keeping = [individual for individual in trained if _keeps(individual, budget, classes)]
    if not keeping:
        raise _none_keeps(run, trained, budget, classes)
    ranked = []
    by_promise = sorted(keeping, key=lambda one: (_is_promised(one, budget), *rank(one)), reverse=True)
    for individual in by_promise:
        number = individual.number
        weights = weights_path(run, number)
        if number in history.final_recipes:
            weights = finalist_weights_path(run, number, history.final_recipes[number])
        ranked.append(Kept(individual, weights if weights.is_file() else None))
    return Choice(budget, ranked, len(trained))


def best_known(history: History) -> list[Individual]:
    """All that was trained, with the latest measurement that can be trusted and the fitness of the finals."""
    return [
        replace(
            individual,
            measurement=_measured_best(individual, history.fresh_measurements.get(individual.number)),
            fitness=history.fitness_of(individual),
        )
        for individual in history.individuals.values()
    ]


def _measured_best(individual: Individual, fresh: Measurement | None) -> Measurement:
    """The fresh measurement, if there is one, unless it is not to be trusted and the former is."""
    if fresh is None or (individual.measurement.trusted and not fresh.trusted):
        return individual.measurement
    return fresh


def _keeps(individual: Individual, budget: Budget, classes: int) -> bool:
    traced = trace(individual.genome, classes)
    return (
        individual.measurement.keeps(budget.max_ms)
        and all(
            individual.on_others[device].upper_ms <= max_ms for device, max_ms in budget.others_max_ms.items()
        )
        and all(limit.count(traced) <= limit.maximum for limit in counted_limits(budget))
    )


def _is_promised(individual: Individual, budget: Budget) -> bool:
    return individual.measurement.decides(budget.max_ms) is True


def _none_keeps(run: Path, trained: Sequence[Individual], budget: Budget, classes: int) -> UserError:
    if not trained:
        return UserError(
            f"expected trained networks to pick from in the run {run}, but there are none yet; see how it "
            f"stands with `tvnsearch status {run}`"
        )
    traces = [trace(individual.genome, classes) for individual in trained]
    limits = counted_limits(budget)
    asked = [
        written_limit("--max-ms", budget.max_ms),
        *[written_limit(f"--max-ms {device}=", max_ms) for device, max_ms in budget.others_max_ms.items()],
        *[written_limit(limit.option, limit.maximum) for limit in limits],
    ]
    fastest_ms = min(one.measurement.ci_high_ms or one.measurement.p50_ms for one in trained)
    least = [
        written_cost(fastest_ms, "ms"),
        *[
            written_cost(min(individual.on_others[device].upper_ms for individual in trained), "ms")
            for device in budget.others_max_ms
        ],
        *[written_cost(min(map(limit.count, traces)), limit.unit) for limit in limits],
    ]
    return UserError(
        f"expected a network that keeps {' and '.join(asked)} among the {len(trained)} trained in the run "
        f"{run}, but none does, the least of each being {', '.join(least)}; raise the budget, or search "
        "under it with `tvnsearch evolve`"
    )
