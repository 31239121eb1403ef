"""The best of a run at full length: chosen, measured and trained once, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import copytree

import msgspec
import pytest

from tests.search.fakes import (
    STEPS,
    FakeFitness,
    FakeLatency,
    Moved,
    NoProcess,
    SteppingFitness,
    all_trained,
    in_process,
    make_plan,
    measurement,
)
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id, genome_to_json, load_genome
from tvnsearch.search import (
    Budget,
    Finalist,
    Fitness,
    Individual,
    Journal,
    TrainingRequest,
    Winner,
    pick,
    run_finalists,
    run_search,
    summarise,
)
from tvnsearch.search.events import FinalMeasured, WinnerChosen
from tvnsearch.search.executors import ParallelExecutor, RemoteWorker
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.search.run_folder import finalist_weights_path, winner_folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finalists") / "run"
    with Journal.create(run, make_plan(trainings=30)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return run


@pytest.fixture
def run(searched: Path, tmp_path: Path) -> Path:
    return copytree(searched, tmp_path / "run")


def fittest(run: Path) -> list[Individual]:
    with Journal.read(run) as journal:
        return sorted(all_trained(journal), key=lambda individual: -individual.fitness.value)


class Reversed(FakeFitness):
    """At full length those that were ahead fall behind."""

    def __init__(self, hook: Callable[[str, Genome], None] = lambda step, genome: None) -> None:
        super().__init__(hook, fails=False)

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        fitness = super().__call__(worker, request, on_progress)
        return msgspec.structs.replace(fitness, value=-fitness.value)


def hold(
    run: Path, count: int, latency: FakeLatency | None = None, fitness: FakeFitness | None = None
) -> tuple[list[Finalist], list[str]]:
    said: list[str] = []
    with Journal.open(run) as journal:
        finalists = run_finalists(
            journal,
            latency or FakeLatency(fails=False),
            fitness or Reversed(),
            in_process(),
            count,
            said.append,
            lambda number, share: None,
        )
    return finalists, said


def test_the_best_are_trained_anew_and_the_best_of_them_wins(run: Path) -> None:
    best = fittest(run)[:4]
    finalists, _ = hold(run, 4)
    assert {one.individual.number for one in finalists} == {one.number for one in best}
    values = [one.fitness.value for one in finalists]
    assert values == sorted(values, reverse=True)
    assert finalists[0].individual != best[0]
    with Journal.read(run) as journal:
        winner = journal.history().winner
        assert winner is not None
        assert winner.individual == finalists[0].individual
        assert winner.measurement == finalists[0].measurement
        assert journal.history().fresh_measurements.keys() >= {one.number for one in best}
    assert all(finalist_weights_path(run, one.individual.number).is_file() for one in finalists)


def test_who_is_over_the_budget_now_is_not_trained_and_the_next_takes_its_place(run: Path) -> None:
    best = fittest(run)
    fitness = Reversed()
    finalists, said = hold(run, 3, Moved({best[0].genome_id, best[2].genome_id}), fitness)
    expected = [best[place].number for place in (1, 3, 4)]
    assert sorted(fitness.trained) == sorted(expected)
    assert {one.individual.number for one in finalists} == set(expected)
    assert all(one.measurement.ci_high_ms <= 2.0 for one in finalists)
    assert sum("drops out: measured again it takes 99 ms" in line for line in said) == 2


def test_if_none_keeps_the_budget_any_more_there_is_no_winner(run: Path) -> None:
    assert summarise(run).winner is not None
    finalists, _ = hold(run, 2, Moved({individual.genome_id for individual in fittest(run)}))
    assert finalists == []
    with Journal.read(run) as journal:
        assert journal.history().winner is None
    assert summarise(run).winner is None
    with pytest.raises(UserError, match="but none does"):
        pick(run, Budget(2.0))


def test_a_winner_that_is_measured_over_the_budget_wins_no_more(run: Path) -> None:
    """From that measurement on, also if the finals are interrupted, and the search is gone on with."""
    with Journal.read(run) as journal:
        winner = journal.history().winner
    assert winner is not None

    def stop(step: str, genome: Genome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hold(run, 2, Moved({winner.individual.genome_id}), Reversed(stop))
    assert summarise(run).winner is None
    assert pick(run, Budget(2.0)).picked.number != winner.individual.number
    with Journal.open(run) as journal:
        again = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    assert again is not None
    assert again.individual.number != winner.individual.number
    hold(run, 2)
    said = summarise(run).winner
    assert said is not None
    assert winner.individual.number not in (said.number, pick(run, Budget(2.0)).picked.number)


def hand_over(run: Path, individual: Individual) -> None:
    winner_folder(run).mkdir()
    (winner_folder(run) / "genome.json").write_text(genome_to_json(individual.genome))


def withdrawn(run: Path) -> list[Genome]:
    return [load_genome(folder / "genome.json") for folder in sorted(run.glob("winner-withdrawn-*"))]


def test_files_that_were_handed_over_are_moved_aside_when_another_finalist_wins(run: Path) -> None:
    best = fittest(run)[0]
    hand_over(run, best)
    finalists, said = hold(run, 4)
    assert finalists[0].individual != best
    assert str(run / "winner-withdrawn-1") in said[-1]
    assert withdrawn(run) == [best.genome]
    assert not winner_folder(run).exists()
    hand_over(run, finalists[0].individual)
    hold(run, 4)
    assert winner_folder(run).exists()


def test_files_of_a_winner_that_is_over_the_budget_are_moved_aside_by_whoever_goes_on(run: Path) -> None:
    first = fittest(run)[0]
    hand_over(run, first)
    with Journal.open(run) as journal:
        journal.append(WinnerChosen(first.number, measurement(1.1)), 0.0)
        journal.append(FinalMeasured(first.number, measurement(99.0)), 0.0)  # and killed
    with Journal.open(run) as journal:
        again = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
        assert str(run / "winner-withdrawn-1") in journal.history().lines[-1]
    assert again is not None
    assert not winner_folder(run).exists()
    hand_over(run, again.individual)
    hold(run, 2, Moved({individual.genome_id for individual in fittest(run)}))
    assert not winner_folder(run).exists()
    assert withdrawn(run) == [first.genome, again.individual.genome]


def test_of_the_measurements_of_a_finalist_the_latest_counts(run: Path) -> None:
    first, second = fittest(run)[:2]
    with Journal.open(run) as journal:
        journal.append(WinnerChosen(first.number, measurement(1.1)), 0.0)
        journal.append(FinalMeasured(first.number, measurement(1.2)), 0.0)
        journal.append(FinalMeasured(second.number, measurement(1.3)), 0.0)
        assert journal.history().fresh_measurements == {
            first.number: measurement(1.2),
            second.number: measurement(1.3),
        }
        assert journal.history().winner == Winner(first, measurement(1.2))
        journal.append(WinnerChosen(second.number, measurement(1.4)), 0.0)
        assert journal.history().fresh_measurements[second.number] == measurement(1.4)
        assert journal.history().winner == Winner(second, measurement(1.4))


@pytest.mark.parametrize("stop", range(8))
def test_finals_that_are_interrupted_go_on_and_do_nothing_twice(run: Path, stop: int) -> None:
    steps: list[str] = []

    def hook(step: str, genome: Genome) -> None:
        if len(steps) == stop:
            steps.append("stopped")
            raise KeyboardInterrupt
        steps.append(step + genome_id(genome))

    for _ in range(2):
        try:
            finalists, _ = hold(run, 4, FakeLatency(hook, fails=False), Reversed(hook))
            break
        except KeyboardInterrupt:
            assert steps[-1] == "stopped"
    done = [step for step in steps if step != "stopped"]
    cut_off = stop if stop < 4 else 0  # the four are measured together
    assert len(done) - cut_off == len(set(done)) == 8
    assert len(finalists) == 4
    hold(run, 4, FakeLatency(hook, fails=False), Reversed(hook))
    assert len(steps) == 9 + cut_off


def test_a_finalist_whose_training_is_cut_off_goes_on_where_it_was(run: Path) -> None:
    steps = 0

    def hook(step: str, genome: Genome) -> None:
        nonlocal steps
        steps += 1
        if steps % 14 == 0:
            raise KeyboardInterrupt

    trainer = SteppingFitness(hook)
    finalists: list[Finalist] = []
    while not finalists:
        with suppress(KeyboardInterrupt):
            finalists, _ = hold(run, 3, fitness=trainer)
    assert sorted(trainer.steps) == sorted(
        (one.individual.number, step) for one in finalists for step in range(STEPS)
    )
    assert list((run / "finalists" / "checkpoints").iterdir()) == []


def test_a_finalist_that_cannot_be_trained_drops_out(run: Path) -> None:
    best = fittest(run)[:6]
    failing = FakeFitness(fails=True)  # those of some identities, other ones than in the search
    finalists, said = hold(run, 6, fitness=failing)
    assert len(finalists) + sum("could not be trained" in line for line in said) == len(best)


def test_finalists_train_beside_each_other(run: Path) -> None:
    executor = ParallelExecutor(NoProcess, workers=3)
    with Journal.open(run) as journal:
        finalists = run_finalists(
            journal, FakeLatency(fails=False), Reversed(), executor, 5, lambda line: None, lambda *_: None
        )
    executor.shutdown()
    assert len(finalists) == 5


class Better(FakeFitness):
    """At full length all come out far ahead."""

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        fitness = super().__call__(worker, request, on_progress)
        return msgspec.structs.replace(fitness, value=fitness.value + 1000.0)


def test_a_finalist_counts_by_its_whole_training_and_has_the_weights_of_that(run: Path) -> None:
    finalists, _ = hold(run, 4, fitness=Better(fails=False))
    best = finalists[0]
    said, answer = summarise(run).winner, pick(run, Budget(2.0))
    assert said is not None
    for summary in (said, answer.picked):
        assert (summary.number, summary.fitness) == (best.individual.number, best.fitness.value)
    assert answer.weights == str(finalist_weights_path(run, best.individual.number))


def test_a_finalist_that_came_out_worse_is_not_picked(run: Path) -> None:
    finalists, _ = hold(run, 4)
    others = [one for one in fittest(run) if one.number not in {each.individual.number for each in finalists}]
    assert pick(run, Budget(2.0)).picked.number == others[0].number


def test_a_finalist_is_not_beaten_by_what_a_longer_search_trains_shorter(tmp_path: Path) -> None:
    """Who wins after finals in the middle of a search counts by the whole training, as `pick` has it."""
    run = tmp_path / "run"

    def stop(step: str, genome: Genome) -> None:
        if len(fitness.trained) == 20:
            raise KeyboardInterrupt

    fitness = FakeFitness(stop)
    with Journal.create(run, make_plan(trainings=30)) as journal, pytest.raises(KeyboardInterrupt):
        run_search(journal, FakeLatency(), fitness, in_process(), lambda told: None)
    finalists, _ = hold(run, 2, fitness=Better(fails=False))
    with Journal.open(run) as journal:
        winner = run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda told: None)
    assert winner is not None
    assert winner.individual.number == finalists[0].individual.number
    assert pick(run, Budget(2.0)).picked.number == winner.individual.number


def test_a_finalist_whose_fitness_is_no_number_drops_out_and_the_log_says_so(run: Path) -> None:
    class Diverging(FakeFitness):
        def __call__(
            self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
        ) -> Fitness:
            return msgspec.structs.replace(super().__call__(worker, request, on_progress), value=float("nan"))

    finalists, said = hold(run, 2, fitness=Diverging(fails=False))
    assert finalists == []
    assert sum("its fitness is nan" in line for line in said) == 2
    with Journal.read(run) as journal:
        assert journal.history().lines[-2:] == said[-2:]
    assert summarise(run).trained > 0
