from __future__ import annotations

import random

from tvnsearch.search.events import Controlled
from tvnsearch.search.trainings.inheritance import CONTROL_EVERY, FEWEST_CONTROLS, Inheritance


def test_one_heir_in_eight_is_trained_from_scratch_as_well() -> None:
    inheritance = Inheritance()
    wanted = [number for number in range(10, 42) if inheritance.take_in(number, 1.0)]
    assert wanted == list(range(10, 42, CONTROL_EVERY))


def test_what_ranks_as_from_scratch_is_inherited_on() -> None:
    inheritance, rng = Inheritance(), random.Random(0)
    for number in range(100):
        value = rng.random()
        inheritance.take_in(number, value)
        assert inheritance.compare(Controlled(number, value + 0.3 * rng.random(), number + 1)) is None
    assert inheritance.active and inheritance.may_inherit(10**6)


def test_what_misleads_is_inherited_by_those_alone_that_were_judged_before() -> None:
    inheritance = Inheritance()
    said = []
    for number in range(FEWEST_CONTROLS):
        inheritance.take_in(number, number)
        said.append(inheritance.compare(Controlled(number, -number, next_number=50 + number)))
    assert said[:-1] == [None] * (FEWEST_CONTROLS - 1)
    assert said[-1] == (
        "inheriting weights is switched off: over the latest 8 networks its rank correlation with trainings "
        "from scratch is -1.00, worse than chance"
    )
    assert not inheritance.active
    assert inheritance.may_inherit(56) and not inheritance.may_inherit(57)


def test_a_control_that_failed_says_nothing() -> None:
    inheritance = Inheritance()
    for number in range(30):
        inheritance.take_in(number, number)
        assert inheritance.compare(Controlled(number, None, number + 1)) is None
    assert inheritance.active
