"""A running search, live on a terminal and in plain lines elsewhere; `tvnsearch status` prints the same."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.live import LiveView
from cli.output import count, say
from tvnsearch.search.progress.figures import Board, FrontPoint
from tvnsearch.search.progress.told import SearchProgress

FRONT_SHOWN = 8


class SearchView(LiveView):
    """Shows what a search tells; a context manager. Trainings that end and notes are lines in any case."""

    def __init__(self, max_ms: float) -> None:
        self._max_ms = max_ms
        super().__init__(transient=True)
        self._training_shares: dict[int, float] = {}

    def show(self, event: SearchProgress) -> None:
        """Take in an event."""
        if event.kind == "training" and event.number is not None:
            share = (event.training or {}).get("share", 0.0)
            self._training_shares[event.number] = float(share)
        best = _fitness(event.best_fitness)
        if event.text and event.kind in ("trained", "failed", "noted"):
            say(f"{event.text} ({event.counts.trained} trained, best {best})")
        self._show(lambda: self._rendered(event), lambda: "evolve: " + "; ".join(board_lines(event)))
        if event.kind == "finished":
            self.end()

    def _rendered(self, board: Board) -> RenderableType:
        seconds, left = board.elapsed_seconds, board.workload.eta_seconds
        done = 0.0 if left is None else seconds / max(seconds + left, 1e-9)
        trained = ", ".join(
            f"{number} {100 * self._training_shares.get(number, 0.0):.0f} %"
            for number in board.workload.training
        )
        parts: list[RenderableType] = [
            ProgressBar(total=1.0, completed=min(done, 1.0), width=60),
            *(Text(line) for line in board_lines(board)),
        ]
        if trained:
            parts.append(Text(f"in training: {trained}"))
        if board.front:
            parts.append(front_table(board.front, self._max_ms))
        return Group(*parts)


def board_lines(board: Board) -> list[str]:
    """How a run stands, in three lines: genomes, results, workers."""
    counts, workload = board.counts, board.workload
    under = board.under_bound_share
    left = "unknown" if workload.eta_seconds is None else written_hours(workload.eta_seconds)
    rejected_predicted = counts.rejected_predicted + counts.rejected_on_others
    return [
        f"{counts.sampled:,} sampled, {counts.duplicates:,} duplicates; rejected by counts "
        f"{counts.rejected_counted:,}, by prediction {rejected_predicted:,}, "
        f"by measurement {counts.rejected_measured:,}",
        f"{counts.trained:,} of {board.trainings:,} trained, {counts.stopped:,} of them stopped "
        f"early, {counts.failed:,} failed; best fitness "
        f"{_fitness(board.best_fitness)}, {len(board.front)} on the front of fitness, latency and parameters",
        f"{written_hours(board.elapsed_seconds)} gone, {left} to go; {len(workload.training)} of "
        f"{workload.workers} workers training, busy {100 * workload.busy_share:.0f} % of the time; "
        f"{'-' if under is None else f'{100 * under:.1f} %'} of what was measured was under its bounds",
    ]


def front_table(front: tuple[FrontPoint, ...], max_ms: float) -> Table:
    """The fittest of the front, the fastest first."""
    shown = sorted(sorted(front, key=lambda point: -point.fitness)[:FRONT_SHOWN], key=_latency_ms)
    table = Table(
        title=f"front of fitness, latency and parameters: the fittest {len(shown)} of {len(front)}, "
        f"budget {max_ms:g} ms",
        title_justify="left",
        box=SIMPLE,
        padding=(0, 1),
    )
    for column in ("individual", "fitness", "ms", "parameters"):
        table.add_column(column, justify="right")
    for point in shown:
        table.add_row(
            str(point.number),
            f"{point.fitness:.3f}{' foretold' if point.stopped else ''}",
            f"{point.latency_ms:.2f}",
            count(point.params),
        )
    return table


def written_hours(seconds: float) -> str:
    """A time for people: 42 s, 12 min, 5.3 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _latency_ms(point: FrontPoint) -> float:
    return point.latency_ms


def _fitness(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
