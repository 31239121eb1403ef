"""A running search, live on a terminal and in plain lines elsewhere; `tvnsearch status` prints the same."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from cli.live import LiveView
from cli.output import count, err, say
from cli.tables import table_of
from tvnsearch.api.times import written_time
from tvnsearch.search.progress.figures import FrontPoint, RunFigures, SearchProgress

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
        figures = _figures(event)
        if event.text and event.kind in ("trained", "failed"):
            say(f"{event.text} ({_results(event)}{_to_go(event)})")
            self._know_said(figures)
        elif event.text and event.kind == "noted":
            say(event.text)
        self._show(lambda: self._rendered(event), lambda: plain_line(event), figures)
        if event.kind == "finished":
            self.end()

    def _rendered(self, board: RunFigures) -> RenderableType:
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
            parts.append(front_table(board.front, self._max_ms, err.width))
        return Group(*parts)


def board_lines(board: RunFigures) -> list[str]:
    """How a run stands, in three lines: genomes, results, workers. Names nothing that did not happen."""
    counts, workload = board.counts, board.workload
    rejected = {
        "counts": counts.rejected_counted,
        "prediction": counts.rejected_predicted + counts.rejected_on_others,
        "measurement": counts.rejected_measured,
    }
    told = ", ".join(f"by {judge} {number:,}" for judge, number in rejected.items() if number)
    duplicates = f", {counts.duplicates:,} duplicates" if counts.duplicates else ""
    undecided = f"; {counts.undecided:,} undecided" if counts.undecided else ""
    stopped = f", {counts.stopped:,} of them stopped early" if counts.stopped else ""
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    under = board.under_bound_share
    return [
        f"{counts.sampled:,} sampled{duplicates}" + (f"; rejected {told}" if told else "") + undecided,
        f"{counts.trained:,} of {board.trainings:,} trained{stopped}{failed}; best fitness "
        f"{_fitness(board.best_fitness)}, {len(board.front)} on the front of fitness, latency and parameters",
        f"{written_time(board.elapsed_seconds)} gone{_to_go(board)}; {len(workload.training)} of "
        f"{workload.workers} workers training, busy {100 * workload.busy_share:.0f} % of the time"
        + ("" if under is None else f"; {100 * under:.1f} % of what was measured was under its bounds"),
    ]


def plain_line(board: RunFigures) -> str:
    """How a running search stands, in a line that is not too long for a log."""
    return (
        f"evolve: {_results(board)}; {count(board.counts.sampled)} sampled, {count(_rejected(board))} "
        f"rejected; {written_time(board.elapsed_seconds)} gone{_to_go(board)}"
    )


def front_table(front: tuple[FrontPoint, ...], max_ms: float, room: int) -> RenderableType:
    """The fittest of the front, the fastest first, in ``room`` columns of a terminal."""
    shown = sorted(sorted(front, key=lambda point: -point.fitness)[:FRONT_SHOWN], key=_latency_ms)
    return table_of(
        f"front of fitness, latency and parameters: the fittest {len(shown)} of {len(front)}, "
        f"budget {max_ms:g} ms",
        ["individual", "fitness", "ms", "parameters"],
        [
            [
                str(point.number),
                f"{point.fitness:.3f}{' foretold' if point.stopped else ''}",
                f"{point.latency_ms:.2f}",
                count(point.params),
            ]
            for point in shown
        ],
        0,
        room,
    )


def _latency_ms(point: FrontPoint) -> float:
    return point.latency_ms


def _figures(board: RunFigures) -> tuple[float | None, ...]:
    """What a new line is worth saying for: neither the time, nor genomes that were not judged yet."""
    return board.counts.trained, board.counts.failed, board.best_fitness, _rejected(board)


def _rejected(board: RunFigures) -> int:
    counts = board.counts
    by_prediction = counts.rejected_predicted + counts.rejected_on_others
    return counts.rejected_counted + by_prediction + counts.rejected_measured


def _results(board: RunFigures) -> str:
    failed = f", {board.counts.failed:,} failed" if board.counts.failed else ""
    best = _fitness(board.best_fitness)
    return f"{board.counts.trained:,} of {board.trainings:,} trained{failed}, best {best}"


def _to_go(board: RunFigures) -> str:
    left_s = board.workload.eta_seconds
    return "" if left_s is None else f", {written_time(left_s)} to go"


def _fitness(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
