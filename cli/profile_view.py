"""A profile while it runs: a live table with a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.live import LiveView
from cli.output import err
from cli.tables import table_of
from tvnsearch.api.times import written_time

if TYPE_CHECKING:
    from latency_db.profiler import ProfileProgress


UNKNOWN = "not known yet"


class ProfileView(LiveView):
    """Shows each :class:`~latency_db.profiler.ProfileProgress` that it is given; a context manager."""

    def __init__(self) -> None:
        super().__init__(transient=False)
        self._bar = Progress(
            TextColumn("profile"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=err
        )
        self._task = self._bar.add_task("profile", total=1.0)

    def update(self, progress: ProfileProgress) -> None:
        """Show where the profile stands."""
        share = min(progress.minutes / progress.minutes_wanted, 1.0)
        cells = _cells(progress)

        def rendered() -> Group:
            self._bar.update(self._task, completed=share)
            return Group(self._bar, table_of("", list(cells), [list(cells.values())], 0, err.width))

        def line() -> str:
            left = written_time(max(60 * (progress.minutes_wanted - progress.minutes), 0))
            learnt = ("held-out error", "noise floor")
            known = "".join(f", {name} {cells[name]}" for name in learnt if cells[name] != UNKNOWN)
            return (
                f"profile: {100 * share:.0f} %, at most {left} to go; {cells['networks']} networks, "
                f"{cells['layer rows']} layer rows{known}"
            )

        self._show(rendered, line, (share, *cells.values()))


def _cells(progress: ProfileProgress) -> dict[str, str]:
    return {
        "networks": f"{progress.genomes:,}",
        "layer rows": f"{progress.rows:,}",
        "layer types": str(progress.layer_types),
        "held-out error": _percent(progress.heldout_error_percent),
        "noise floor": _percent(progress.noise_floor_percent),
    }


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f} %"
