from __future__ import annotations

import random

from scipy.stats import kendalltau

from tvnsearch.search.trainings.rank_watch import FEWEST_PAIRS, LATEST_PAIRS, RankWatch


def test_what_ranks_well_stays_trusted() -> None:
    watch, rng = RankWatch("the oracle"), random.Random(0)
    for _ in range(100):
        value = rng.random()
        assert watch.add(value, value + 0.3 * rng.random()) is None
    assert watch.trusted
    assert watch.kendall is not None and watch.kendall > 0.5


def test_what_misleads_is_switched_off_once_with_a_line_that_says_so() -> None:
    watch = RankWatch("the oracle")
    lines = [watch.add(place, -place) for place in range(50)]
    said = [line for line in lines if line is not None]
    assert len(said) == 1
    assert lines.index(said[0]) == FEWEST_PAIRS - 1
    assert "the oracle is switched off" in said[0] and "-1.00" in said[0]
    assert not watch.trusted


def test_it_is_kendalls_tau_b_of_the_latest_pairs() -> None:
    watch, rng = RankWatch("it"), random.Random(1)
    pairs = [(place + rng.randrange(6), place) for place in range(2 * LATEST_PAIRS)]
    for judged, found in pairs:
        watch.add(judged, found)
    latest = pairs[-LATEST_PAIRS:]
    assert watch.kendall == kendalltau(*zip(*latest, strict=True)).statistic


def test_equal_judgements_say_nothing() -> None:
    watch = RankWatch("it")
    for place in range(30):
        assert watch.add(1.0, place) is None
    assert watch.trusted and watch.kendall is None
