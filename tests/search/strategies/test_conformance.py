"""What every strategy keeps to, whatever it proposes: whoever adds one inherits these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import FakeFitness, FakeLatency, decisions, in_process, make_individual, make_plan
from tests.search.strategies.driving import OUTCOMES, Outcome, evolve, numbers
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome
from tvnsearch.search import Journal, run_search, weights_path
from tvnsearch.search.strategies import STRATEGIES, AskTell, make_strategy, proposal_of

POPULATION = 12


def make(name: str, population: int = POPULATION) -> AskTell:
    return make_strategy(make_plan(strategy=name, population=population, tournament=min(4, population)))


@pytest.mark.parametrize("name", list(STRATEGIES))
class TestEveryStrategy:
    def test_telling_before_asking_is_an_error_with_a_sentence(self, name: str) -> None:
        asked, other = make(name), make(name)
        individual = make_individual(0, 1.0, other.ask(numbers(0, 0)).genome)
        with pytest.raises(RuntimeError, match=r"expected ask\(\) before tell\(\)"):
            asked.tell(individual)

    def test_telling_of_a_genome_that_was_not_asked_for_is_an_error(self, name: str) -> None:
        strategy, other = make(name), make(name)
        proposal = strategy.ask(numbers(0, 0))
        with pytest.raises(RuntimeError, match=r"individual 1 came whose genome .* none of the 1 open"):
            strategy.tell(make_individual(1, 1.0, other.ask(numbers(0, 1)).genome))
        with pytest.raises(RuntimeError, match="individual 2 came whose genome and parent"):
            strategy.tell(make_individual(2, 1.0, proposal.genome, parent=77))
        strategy.tell(make_individual(0, 1.0, proposal.genome))

    def test_telling_twice_is_an_error_even_while_the_genome_is_open_again(self, name: str) -> None:
        strategy = make(name)
        [individual] = evolve(strategy, [1.0])
        strategy.ask(numbers(0, 0))
        with pytest.raises(RuntimeError, match="individual 0 was told again"):
            strategy.tell(individual)

    def test_what_was_dropped_cannot_be_told_or_dropped_again(self, name: str) -> None:
        strategy = make(name)
        proposal = strategy.ask(numbers(0, 0))
        strategy.drop(proposal)
        with pytest.raises(RuntimeError, match=r"expected ask\(\) before tell\(\) or drop\(\)"):
            strategy.tell(make_individual(0, 1.0, proposal.genome))
        with pytest.raises(RuntimeError, match="a proposal was dropped whose"):
            strategy.drop(proposal)

    def test_a_misuse_changes_nothing(self, name: str) -> None:
        strategy, other = make(name), make(name)
        told = evolve(strategy, [1.0] * 20)
        evolve(other, [1.0] * 20)
        for wrong in (told[0], make_individual(99, 9.0, told[0].genome, parent=98)):
            with pytest.raises(RuntimeError):
                strategy.tell(wrong)
        assert strategy.members == other.members

    @given(outcomes=OUTCOMES, seed=st.integers(0, 99))
    def test_proposals_follow_from_seed_index_and_what_was_told(
        self, name: str, outcomes: list[Outcome], seed: int
    ) -> None:
        first, second = make(name), make(name)
        assert evolve(first, outcomes, seed=seed) == evolve(second, outcomes, seed=seed)
        assert first.ask(numbers(seed, 999)) == second.ask(numbers(seed, 999))

    def test_another_seed_makes_other_proposals(self, name: str) -> None:
        first, second = make(name), make(name)
        values = [float(number) for number in range(30)]
        assert evolve(first, values, seed=1) != evolve(second, values, seed=2)

    @given(outcomes=OUTCOMES)
    def test_asking_changes_no_later_proposal(self, name: str, outcomes: list[Outcome]) -> None:
        strategy = make(name)
        evolve(strategy, outcomes)
        before = strategy.ask(numbers(0, 999))
        for index in range(20):
            strategy.ask(numbers(1, index))
        assert strategy.ask(numbers(0, 999)) == before

    @given(before=OUTCOMES, pending=st.integers(0, 3), after=OUTCOMES)
    def test_a_restored_strategy_goes_on_as_the_one_that_was_told(
        self, name: str, before: list[Outcome], pending: int, after: list[Outcome]
    ) -> None:
        told, restored = make(name), make(name)
        individuals = evolve(told, before)
        open_proposals = [told.ask(numbers(2, index)) for index in range(pending)]
        restored.restore(individuals, open_proposals)
        for index, proposal in enumerate(open_proposals):
            late = make_individual(1000 + index, 0.7, proposal.genome, proposal.parent)
            for strategy in (told, restored):
                strategy.tell(late)
        assert restored.members == told.members
        assert evolve(restored, after, first=2000) == evolve(told, after, first=2000)
        assert restored.members == told.members

    def test_what_was_told_before_a_restore_is_not_told_again(self, name: str) -> None:
        told, restored = make(name), make(name)
        individuals = evolve(told, [1.0] * 3)
        restored.restore(individuals, [proposal_of(individuals[0])])
        with pytest.raises(RuntimeError, match="was told again"):
            restored.tell(individuals[0])

    def test_telling_anew_of_what_was_not_told_is_an_error(self, name: str) -> None:
        strategy = make(name)
        proposal = strategy.ask(numbers(0, 0))
        with pytest.raises(RuntimeError, match="expected an individual that was told before"):
            strategy.tell_anew(make_individual(0, 1.0, proposal.genome))

    @given(outcomes=OUTCOMES, value=st.floats(0, 3))
    def test_what_is_told_anew_is_a_member_once_at_most(
        self, name: str, outcomes: list[Outcome], value: float
    ) -> None:
        strategy, told = make(name), []
        for index, outcome in enumerate(outcomes):
            told += evolve(strategy, [outcome], first=index)
        for individual in told[:3]:
            again = make_individual(individual.number, value, individual.genome, individual.parent)
            strategy.tell_anew(again)
            found = [member for member in strategy.members if member.number == individual.number]
            assert found in ([again], [])
            assert len(strategy.members) == min(len(told), POPULATION)

    def test_what_somebody_else_opens_can_be_told(self, name: str) -> None:
        strategy, proposal = make(name), make(name).ask(numbers(0, 0))
        strategy.open(proposal)
        strategy.tell(make_individual(0, 1.0, proposal.genome))
        assert [member.number for member in strategy.members] == [0]

    @given(outcomes=OUTCOMES, population=st.sampled_from([1, 2, 5, 40]))
    def test_the_population_fills_up_and_never_grows_beyond_its_bound(
        self, name: str, outcomes: list[Outcome], population: int
    ) -> None:
        strategy = make(name, population)
        told = 0
        for index, outcome in enumerate(outcomes):
            told += len(evolve(strategy, [outcome], first=index))
            assert len(strategy.members) == min(told, population)
        assert len({member.number for member in strategy.members}) == len(strategy.members)

    @given(outcomes=OUTCOMES)
    def test_parents_are_members(self, name: str, outcomes: list[Outcome]) -> None:
        strategy = make(name)
        evolve(strategy, outcomes)
        members = {member.number for member in strategy.members}
        parents = {strategy.ask(numbers(1, index)).parent for index in range(20)}
        assert parents - {None} <= members

    def test_failed_individuals_leave_no_trace(self, name: str) -> None:
        strategy = make(name)
        evolve(strategy, [Outcome(None)] * 50)
        assert not strategy.members
        assert strategy.ask(numbers(0, 0)) == make(name).ask(numbers(0, 0))

    def test_a_search_with_failures_interrupted_anywhere_decides_as_one_that_was_not(
        self, name: str, tmp_path: Path
    ) -> None:
        plan = make_plan(strategy=name, trainings=30)
        with Journal.create(tmp_path / "whole", plan) as journal:
            run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
            assert journal.failures()
            members = {individual.number for individual in journal.individuals()}
        kept = {int(path.stem) for path in (tmp_path / "whole" / "weights").iterdir()}
        assert kept <= members
        assert len(kept) <= plan.search.population + 1

        def interrupt(step: str, genome: Genome) -> None:
            nonlocal steps
            steps += 1
            if steps % 17 == 0:
                raise KeyboardInterrupt

        steps = 0
        Journal.create(tmp_path / "run", plan).close()
        while True:
            with Journal.open(tmp_path / "run") as journal:
                try:
                    winner = run_search(
                        journal,
                        FakeLatency(interrupt),
                        FakeFitness(interrupt),
                        in_process(),
                        lambda event: None,
                    )
                    break
                except KeyboardInterrupt:
                    continue
        assert steps > 34
        assert decisions(tmp_path / "run") == decisions(tmp_path / "whole")
        assert winner is not None
        assert weights_path(tmp_path / "run", winner.individual.number).is_file()


def test_an_unknown_strategy_is_refused_in_a_sentence() -> None:
    sentence = "expected a strategy out of tournament, ageing, random, pareto, but got 'annealing'; say --str"
    with pytest.raises(UserError, match=sentence):
        make("annealing")
