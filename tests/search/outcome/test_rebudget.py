from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.search.fakes import (
    CLASSES,
    FakeFitness,
    FakeLatency,
    all_trained,
    in_process,
    make_plan,
    measurement,
)
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, trace
from tvnsearch.search import Budget, Individual, Journal, pick, run_search, summarise, weights_path
from tvnsearch.search.budget import gflops, weights_mb
from tvnsearch.search.events import FinalMeasured, WinnerChosen
from tvnsearch.search.progress.figures import FrontPoint
from tvnsearch.search.progress.status import NetworkSummary


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("picking") / "run"
    with Journal.create(run, make_plan(strategy="pareto")) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return run


def known(run: Path) -> list[Individual]:
    with Journal.read(run) as journal:
        return sorted(all_trained(journal), key=lambda individual: -individual.fitness.value)


@pytest.mark.parametrize(
    "budget",
    [
        Budget(2.0),
        Budget(0.5),
        Budget(2.0, max_params=10_000),
        Budget(2.0, max_gflops=0.01),
        Budget(1.0, max_params=50_000, max_gflops=0.01, max_mb=0.1),
    ],
)
def test_the_fittest_that_keeps_every_limit_is_picked(run: Path, budget: Budget) -> None:
    keeping = []
    for individual in known(run):
        traced = trace(individual.genome, CLASSES)
        if (
            individual.measurement.ci_high_ms <= budget.max_ms
            and traced.params <= (budget.max_params or traced.params)
            and gflops(traced) <= (budget.max_gflops or gflops(traced))
            and weights_mb(traced, "float32") <= (budget.max_mb or weights_mb(traced, "float32"))
        ):
            keeping.append(individual)
    answer = pick(run, budget)
    assert answer.picked.number == keeping[0].number
    assert answer.picked.genome == keeping[0].genome
    assert (answer.keeping, answer.trained) == (len(keeping), len(known(run)))
    weights = weights_path(run, answer.picked.number)
    assert answer.weights == (str(weights) if weights.is_file() else None)


def test_an_interval_that_reaches_over_the_budget_does_not_keep_it(run: Path) -> None:
    fittest = known(run)[0]
    over = Budget(fittest.measurement.ci_high_ms * 0.999)
    assert pick(run, Budget(fittest.measurement.ci_high_ms)).picked.number == fittest.number
    assert pick(run, over).picked.number != fittest.number


def test_if_none_keeps_it_that_is_said_with_what_there_is(run: Path) -> None:
    fastest_ms = min(individual.measurement.ci_high_ms for individual in known(run))
    with pytest.raises(UserError, match=f"none does, the least of each being {fastest_ms:.3g} ms; raise"):
        pick(run, Budget(fastest_ms * 0.99))
    with pytest.raises(UserError, match=r"keeps --max-ms 2 and --max-params 1 among .* ms, \d+ parameters"):
        pick(run, Budget(2.0, max_params=1))


def test_a_run_without_trained_networks_is_a_sentence(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    with pytest.raises(UserError, match="but there are none yet; see how it stands"):
        pick(tmp_path / "run", Budget(2.0))


def test_a_fresh_measurement_of_the_winner_counts_more_than_the_one_it_was_chosen_by(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan(trainings=15)) as journal:
        winner = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
        assert winner is not None
        journal.append(WinnerChosen(winner.individual.number, measurement(1.99)), 0.0)
    assert pick(run, Budget(3.0)).picked.latency_ms == 1.99
    assert pick(run, Budget(2.0)).picked.number != winner.individual.number


class Hasty(FakeLatency):
    """What is far below the budget is left as soon as that is known."""

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        known = super().measure(genome, limit_ms)
        return replace(known, trusted=False, reason="7 samples") if known.is_far_below(2.0) else known


def test_who_can_be_trusted_to_keep_a_budget_is_picked_before_who_cannot(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan(trainings=15)) as journal:
        run_search(journal, Hasty(fails=False), FakeFitness(fails=False), in_process(), lambda event: None)
        ranked = sorted(all_trained(journal), key=lambda one: -one.fitness.value)
        fittest, second = [one for one in ranked if not one.measurement.trusted][:2]
        journal.append(FinalMeasured(second.number, measurement(fittest.measurement.latency_ms)), 0.0)
    assert fittest.measurement.ci_high_ms is not None
    near = pick(run, Budget(fittest.measurement.ci_high_ms * 1.01))
    far = pick(run, Budget(fittest.measurement.ci_high_ms * 1.51))
    assert (near.picked.number, near.promised) == (second.number, True)
    assert (far.picked.trusted, far.promised) == (False, True)


def test_megabytes_are_in_the_dtype_of_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(
        run, make_plan(trainings=5, budget=Budget(2.0, 100_000, precision="bfloat16"))
    ) as journal:
        run_search(journal, FakeLatency(), FakeFitness(fails=False), in_process(), lambda event: None)
    fittest = trace(known(run)[0].genome, CLASSES)
    answer = pick(run, Budget(2.0, max_mb=weights_mb(fittest, "bfloat16")))
    assert answer.picked.number == known(run)[0].number
    assert answer.budget.precision == "bfloat16"


def test_what_is_only_foretold_of_a_paused_network_is_said_to_be(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan(early_stopping=True, iterations=90)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(fails=False), in_process(), lambda event: None)
    individuals = {one.number: one for one in known(run)}
    picked = [pick(run, Budget(one.measurement.ci_high_ms)).picked for one in individuals.values()]
    front = summarise(run).front
    assert {each.stopped for each in picked} == {each.stopped for each in front} == {True, False}
    said: list[NetworkSummary | FrontPoint] = [*picked, *front]
    for each in said:
        fitness = individuals[each.number].fitness
        assert (each.fitness, each.stopped, each.reached) == (
            fitness.value,
            fitness.stopped,
            fitness.reached,
        )
        assert (each.reached is not None) == each.stopped
