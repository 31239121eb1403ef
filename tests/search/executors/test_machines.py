"""A machine that fails whatever it gets is set aside, and only such a one."""

from __future__ import annotations

from tvnsearch.search.executors.machines import Death, Deaths, Machines

DISK = "OSError: no space left on device"


def test_two_failures_in_a_row_set_a_machine_aside_and_that_is_said_once() -> None:
    said: list[str] = []
    machines = Machines(said.append)
    machines.failed("a", "node-a", DISK, has_others=True)
    assert machines.set_aside == frozenset()
    assert machines.doubtful == {"a"}
    machines.failed("a", "node-a", DISK, has_others=True)
    machines.failed("a", "node-a", DISK, has_others=True)  # work that it still had
    assert machines.set_aside == {"a"}
    assert machines.doubtful == frozenset()
    assert len(said) == 1
    assert said[0].startswith("node-a is set aside")
    assert DISK in said[0]


def test_a_success_in_between_clears_a_machine() -> None:
    said: list[str] = []
    machines = Machines(said.append)
    for _ in range(3):
        machines.failed("a", "node-a", DISK, has_others=True)
        machines.did_well("a")
    assert machines.set_aside == machines.doubtful == frozenset()
    assert not said


def test_failures_of_different_machines_do_not_add_up() -> None:
    machines = Machines(lambda _: None)
    machines.failed("a", "node-a", DISK, has_others=True)
    machines.failed("b", "node-b", DISK, has_others=True)
    assert machines.set_aside == frozenset()


def test_the_only_machine_is_not_set_aside_until_there_are_others() -> None:
    machines = Machines(lambda _: None)
    for _ in range(5):
        machines.failed("a", "node-a", DISK, has_others=False)
    assert machines.set_aside == frozenset()
    machines.failed("a", "node-a", DISK, has_others=True)
    assert machines.set_aside == {"a"}


KILLED = Death("a", "node-a", "a worker process ended with code -9 (SIGKILL)")


def test_a_machine_is_to_blame_for_a_death_once_another_has_answered() -> None:
    deaths = Deaths()
    deaths.died("train 1", KILLED, has_others=True)
    assert deaths.avoided("train 1") == {"a"}
    assert deaths.avoided("train 2") == frozenset()
    assert deaths.answered("train 2") is None
    assert deaths.answered("train 1") == KILLED
    assert deaths.avoided("train 1") == frozenset()


def test_what_workers_die_of_on_two_machines_or_on_the_only_one_blames_none() -> None:
    deaths = Deaths()
    deaths.died("train 1", KILLED, has_others=True)
    deaths.died("train 1", KILLED._replace(machine="b"), has_others=True)
    deaths.died("train 2", KILLED, has_others=False)
    assert deaths.answered("train 1") is deaths.answered("train 2") is None
