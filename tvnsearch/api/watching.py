"""Who watches long work hears of it through two functions; nobody has to."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


def _unheard(_text: str) -> None:
    return None


def _unseen(_task: str, _share: float, _note: str) -> None:
    return None


class Watch(Struct, frozen=True):
    """Hears sentences (``say``), and how far a task has come (``progress``): its name, its share, a note.

    A task ends when another one is told of, or its share is 1. Both may be called from any thread.
    """

    say: Callable[[str], None] = _unheard
    progress: Callable[[str, float, str], None] = _unseen


SILENT = Watch()


def counting(watch: Watch, task: str, things: str) -> Callable[[int, int], None]:
    """Tells ``watch`` of a task that counts: things done, and in all."""
    return lambda done, total: watch.progress(task, done / total, f"{done} of {total} {things}")
