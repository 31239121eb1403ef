from __future__ import annotations

from tests.search.strategies.driving import evolve, numbers
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.search.strategies import AskTell, RandomSearch

SPACE = load_space("digits")


def test_every_genome_is_a_fresh_one_and_the_best_stay() -> None:
    strategy = AskTell(RandomSearch(SPACE, population=3))
    told = evolve(strategy, [float(number % 5) for number in range(15)])
    assert [(individual.genome, individual.parent) for individual in told] == [
        (sample_genome(SPACE, numbers(0, number)), None) for number in range(15)
    ]
    assert {member.number for member in strategy.members} == {4, 9, 14}
