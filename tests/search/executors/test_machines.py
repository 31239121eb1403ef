"""A machine that fails whatever it gets is set aside, and only such a one."""

from __future__ import annotations

from tvnsearch.search.executors.machines import Machines

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
