"""The winner of a run: the fittest individual that keeps the budget when it is measured once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import load_genome
from tvnsearch.search.budget import Budget
from tvnsearch.search.protocols import LatencyModel, MeasurementFailed
from tvnsearch.search.records import Individual, Winner, rank
from tvnsearch.search.run_folder import new_withdrawn_folder, winner_folder


def choose_winner(
    individuals: Iterable[Individual],
    budget: Budget,
    latency: LatencyModel,
    say: Callable[[str], None],
    measured: dict[int, Measurement | None],
) -> Winner | None:
    """Measure the individuals freshly, the fittest first, until one keeps the budget; None if none does.

    A search picks what measured fast, so the measurement that an individual was accepted on flatters it:
    only one that had no part in the choice may be promised. ``say`` gets a sentence on each individual that
    fails. ``measured`` takes in what is measured here, by the individuals' numbers, None for one that cannot
    win; what is in it is not measured again.
    """
    for individual in sorted(individuals, key=rank, reverse=True):
        number = individual.number
        if number not in measured:
            measured[number] = _keeping(individual, budget, latency, say)
        measurement = measured[number]
        if measurement is not None:
            return Winner(individual, measurement)
    return None


def withdraw_former(run: Path, winner: Winner | None, say: Callable[[str], None]) -> None:
    """Rename the winner's folder if a network was handed over there that is not ``winner``.

    All its files are kept: its weights may be trained longer than any others of it. ``say`` gets a sentence.
    """
    folder = winner_folder(run)
    try:
        handed_over = load_genome(folder / "genome.json")
    except UserError:
        return  # nothing was handed over, or not to the end: what is there is no network yet
    if winner is not None and winner.individual.genome == handed_over:
        return
    withdrawn = folder.rename(new_withdrawn_folder(run))
    say(f"the network that was handed over is the winner no more: its files are in {withdrawn} now")


def _keeping(
    individual: Individual, budget: Budget, latency: LatencyModel, say: Callable[[str], None]
) -> Measurement | None:
    """A fresh measurement, if it keeps the budget."""
    try:
        measurement = latency.measure(individual.genome)
    except MeasurementFailed as error:
        say(f"individual {individual.number} cannot win: measuring it again failed ({error})")
        return None
    if measurement.ci_high_ms <= budget.max_ms:
        return measurement
    say(
        f"individual {individual.number} cannot win: measured again it takes "
        f"{measurement.latency_ms:.3g} ms ({measurement.ci_low_ms:.3g} to {measurement.ci_high_ms:.3g}), "
        f"over {budget.max_ms:g} ms"
    )
    return None
