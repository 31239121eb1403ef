"""What every strategy keeps to, whatever it proposes: whoever adds one inherits these tests."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.search.fakes import (
    CLASSES,
    FakeFitness,
    FakeLatency,
    all_trained,
    decisions,
    in_process,
    make_individual,
    make_plan,
    true_ms,
)
from tests.search.strategies.driving import OUTCOMES, Outcome, evolve, numbers
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_id, trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search import Candidate, Individual, Journal, SearchPlan, Verdict, run_search, weights_path
from tvnsearch.search.events import Begun, Failed, Judged, Trained
from tvnsearch.search.plan import Start
from tvnsearch.search.records import Winner
from tvnsearch.search.strategies import STRATEGIES, AskTell, make_strategy

POPULATION = 12


def make(name: str, population: int = POPULATION) -> AskTell:
    return make_strategy(make_plan(strategy=name, population=population, tournament=min(4, population)))


def ignore(event: object) -> None:
    return None


def started_from() -> list[Genome]:
    """Five genomes that keep the budget of these tests' plans, and as the fourth one that does not."""
    rng, space = random.Random(7), load_space("digits")
    drawn = [sample_genome(space, rng) for _ in range(400)]
    counted = [(trace(genome, CLASSES).params, genome) for genome in drawn]
    small = [genome for params, genome in counted if params <= 100_000 and true_ms(genome) < 1.5]
    large = [genome for params, genome in counted if params > 100_000]
    assert len({genome_id(genome) for genome in small[:5]}) == 5
    return [*small[:3], large[0], *small[3:5]]


def trained_in(run: Path) -> list[Individual]:
    with Journal.read(run) as journal:
        return all_trained(journal)


def search_with_interruptions(run: Path, plan: SearchPlan, every: int, fails: bool = True) -> Winner | None:
    """Search by ``plan``, interrupted in every ``every``-th measurement or training, to its end."""

    def interrupt(step: str, genome: Genome) -> None:
        nonlocal steps
        steps += 1
        if steps % every == 0:
            raise KeyboardInterrupt

    steps = 0
    Journal.create(run, plan).close()
    while True:
        with Journal.open(run) as journal:
            try:
                winner = run_search(
                    journal,
                    FakeLatency(interrupt, fails),
                    FakeFitness(interrupt, fails=fails),
                    in_process(),
                    ignore,
                )
                break
            except KeyboardInterrupt:
                continue
    assert steps > 2 * every
    return winner


def candidate_of(individual: Individual) -> Candidate:
    verdict = Verdict("accepted", individual.params, individual.macs, None, individual.measurement)
    return Candidate(individual.number, individual.parent, individual.genome, individual.genome_id, verdict)


@pytest.mark.parametrize("name", list(STRATEGIES))
class TestEveryStrategy:
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

    @given(before=OUTCOMES, after=OUTCOMES)
    def test_a_strategy_that_hears_the_events_again_goes_on_as_the_one_that_was_told(
        self, name: str, before: list[Outcome], after: list[Outcome]
    ) -> None:
        told, replayed = make(name), make(name)
        for individual in evolve(told, before):
            replayed.apply(Judged(measured=candidate_of(individual)))
            replayed.apply(Begun(individual.number, 0.0))
            replayed.apply(Trained(individual.number, individual.fitness, 1.0))
        assert replayed.members == told.members
        assert evolve(replayed, after, first=2000) == evolve(told, after, first=2000)
        assert replayed.members == told.members

    def test_what_was_accepted_but_not_trained_is_no_member(self, name: str) -> None:
        strategy, other = make(name), make(name)
        [individual] = evolve(other, [1.0])
        strategy.apply(Judged(measured=candidate_of(individual)))
        strategy.apply(Failed(individual.number, "the loss is NaN", 1.0))
        assert not strategy.members

    @given(outcomes=OUTCOMES, value=st.floats(0, 3))
    def test_what_is_told_anew_is_a_member_once_at_most(
        self, name: str, outcomes: list[Outcome], value: float
    ) -> None:
        strategy, told = make(name), []
        for index, outcome in enumerate(outcomes):
            told += evolve(strategy, [outcome], first=index)
        for individual in told[:3]:
            again = make_individual(individual.number, value, individual.genome, individual.parent)
            strategy.tell(again)
            found = [member for member in strategy.members if member.number == individual.number]
            assert found in ([again], [])
            assert len(strategy.members) == min(len(told), POPULATION)

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
            assert journal.history().failures
            members = {individual.number for individual in all_trained(journal)}
        kept = {int(path.stem) for path in (tmp_path / "whole" / "weights").iterdir()}
        assert kept <= members
        assert len(kept) <= plan.search.population + 1

        winner = search_with_interruptions(tmp_path / "run", plan, every=17)
        assert decisions(tmp_path / "run") == decisions(tmp_path / "whole")
        assert winner is not None
        assert weights_path(tmp_path / "run", winner.individual.number).is_file()

    @pytest.mark.parametrize("chooses", [False, True])
    def test_what_a_plan_starts_from_is_judged_first_and_as_anything_else(
        self, name: str, chooses: bool, tmp_path: Path
    ) -> None:
        """Interrupted anywhere, and where children are chosen as well; then the search is any other's."""
        plan = make_plan(strategy=name, population=4, trainings=12, fitness_predictor=chooses)
        genomes = started_from()
        plan = replace(plan, start=tuple(Start(f"{place}", genome) for place, genome in enumerate(genomes)))
        with Journal.create(tmp_path / "whole", plan) as journal:
            run_search(journal, FakeLatency(fails=False), FakeFitness(fails=False), in_process(), ignore)
        candidates = [one for one in decisions(tmp_path / "whole") if hasattr(one, "verdict")]
        assert [one.number for one in candidates] == list(range(len(candidates)))
        for genome, judged in zip(genomes, candidates, strict=False):
            traced = trace(genome, CLASSES)
            assert (judged.parent, judged.verdict.params) == (None, traced.params)
            if traced.params > 100_000:
                assert judged.verdict.kind == "rejected_params"
            else:
                assert (judged.genome, judged.verdict.kind) == (genome, "accepted")
                assert judged.verdict.measurement.latency_ms == true_ms(genome)
        with Journal.read(tmp_path / "whole") as journal:
            trained = list(journal.history().individuals)
        assert trained[:5] == [0, 1, 2, 4, 5]
        if not chooses:
            beside = make_strategy(replace(plan, start=()))
            for individual in trained_in(tmp_path / "whole")[:5]:
                beside.tell(individual)
            expected, found = beside.ask(numbers(plan.search.seed, 6)), candidates[6]
            assert found.parent == expected.parent
            assert found.verdict.params == trace(expected.genome, CLASSES).params
        search_with_interruptions(tmp_path / "run", plan, every=5, fails=False)
        assert decisions(tmp_path / "run") == decisions(tmp_path / "whole")


def test_an_unknown_strategy_is_refused_in_a_sentence() -> None:
    sentence = "expected a strategy out of tournament, ageing, random, pareto, but got 'annealing'; say --str"
    with pytest.raises(UserError, match=sentence):
        make("annealing")
