"""How a run stands, for people and programs. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from tvnsearch.api.budget_use import limits_that_did_not_bind, shares_used
from tvnsearch.api.exported import ExportedLatency
from tvnsearch.api.verification import ClipAgreement
from tvnsearch.drawing import block_lines
from tvnsearch.errors import UserError
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.status import NetworkSummary, RunSummary, summarise
from tvnsearch.search.run_folder import winner_folder


class FinalScores(Struct, frozen=True):
    """The winner on the clips that neither the search nor any training saw.

    ``at_full_length`` says that it is handed over as a finalist, with the weights of its whole training.
    ``exported`` is what its file takes in its runtime, None where that could not be timed; ``on_clips`` how
    that compares with torch on the run's validation clips, None where that could not be found out.
    """

    number: int
    clips: int
    chance: float
    top1: float | None
    top5: float | None
    mean_average_precision: float | None
    training_seconds: float
    max_relative_error: float | None
    at_full_length: bool = False
    exported: ExportedLatency | None = None
    on_clips: ClipAgreement | None = None


class HandedOver(NetworkSummary, frozen=True):
    """A winner whose files are there, with a ``drawing`` of it; its scores are :class:`FinalScores`."""

    clips: int
    chance: float
    training_seconds: float
    max_relative_error: float | None
    at_full_length: bool
    exported: ExportedLatency | None
    on_clips: ClipAgreement | None
    drawing: list[str]
    files: list[str]


class RunReport(RunSummary, frozen=True, kw_only=True):
    """What a run has come to, under which budget; its ``winner`` is :class:`HandedOver` once that is done.

    ``budget_used`` is the share (0 to 1) of each limit that the winner takes, by the limit's name, None
    without a winner; limits that were given and rejected no genome are in ``not_binding``.
    """

    max_ms: float
    others_max_ms: dict[str, float]
    max_params: int | None
    max_gflops: float | None
    max_mb: float | None
    budget_used: dict[str, float] | None
    not_binding: tuple[str, ...]


def status(run: str | Path) -> RunReport:
    """How a run stands, also while it runs: counts, the winner and its scores on unseen clips, its files.

    Raises:
        UserError: there is no run in that folder, or its files cannot be read.
    """
    folder = Path(run)
    counted = summarise(folder)
    summary, winner = asdict(counted), counted.winner
    del summary["winner"]
    with Journal.read(folder) as journal:
        budget, classes = journal.plan.budget, journal.plan.classes
    return RunReport(
        **summary,
        winner=None if winner is None else _with_files(winner, folder),
        max_ms=budget.max_ms,
        others_max_ms=budget.others_max_ms,
        max_params=budget.max_params,
        max_gflops=budget.max_gflops,
        max_mb=budget.max_mb,
        budget_used=None if winner is None else shares_used(winner, budget, classes),
        not_binding=limits_that_did_not_bind(budget, counted),
    )


def final_scores(run: Path) -> FinalScores | None:
    """The scores of the winner that was handed over, if one was.

    Raises:
        UserError: they cannot be read.
    """
    path = winner_folder(run) / "scores.json"
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=FinalScores)
    except (msgspec.DecodeError, OSError) as error:
        raise UserError(
            f"expected the scores of a winner in {path}, but they cannot be read ({error}); delete that "
            f"file, and `tvnsearch resume {run}` scores it again"
        ) from None


def measured_device(run: Path) -> str:
    """The device that the networks of a run were measured on.

    Raises:
        UserError: there is no run in that folder.
    """
    with Journal.read(run) as journal:
        return journal.plan.device.name


def _with_files(winner: NetworkSummary, run: Path) -> NetworkSummary:
    scores = final_scores(run)
    if scores is None or scores.number != winner.number:
        return winner
    return HandedOver(
        **{**asdict(winner), **asdict(scores)},
        drawing=block_lines(winner.genome),
        files=sorted(str(path) for path in winner_folder(run).iterdir()),
    )
