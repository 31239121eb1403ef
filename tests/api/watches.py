"""Watches that remember."""

from __future__ import annotations

from tvnsearch.api.watching import Watch


class Heard:
    """What a :attr:`watch` was told: sentences, and the progress of tasks."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.progress: list[tuple[str, float, str]] = []
        self.watch = Watch(self.said.append, lambda *told: self.progress.append(told))

    def shares(self, task: str) -> list[float]:
        return [share for name, share, _ in self.progress if name == task]
