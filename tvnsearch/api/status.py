"""How a run stands, for people and programs. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tvnsearch.drawing import block_lines
from tvnsearch.genome.genome import Genome
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.status import summarise
from tvnsearch.search.run_folder import winner_folder


class FinalScores(Struct, frozen=True):
    """The winner on the clips that neither the search nor any training saw.

    ``at_full_length`` says that it is handed over as a finalist, with the weights of its whole training.
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


def final_scores(run: Path) -> FinalScores | None:
    """The scores of the winner that was handed over, if one was."""
    path = winner_folder(run) / "scores.json"
    return msgspec.json.decode(path.read_bytes(), type=FinalScores) if path.is_file() else None


def measured_device(run: Path) -> str:
    """The device that the networks of a run were measured on.

    Raises:
        UserError: there is no run in that folder.
    """
    with Journal.read(run) as journal:
        return journal.plan.device.name


def run_report(run: Path) -> dict[str, Any]:
    """How a run stands, as plain data: counts, the winner and its scores on unseen clips, its files.

    Raises:
        UserError: there is no run in that folder.
    """
    report: dict[str, Any] = msgspec.to_builtins(summarise(run))
    with Journal.read(run) as journal:
        plan = journal.plan
    report["max_ms"] = plan.budget.max_ms
    report["others_max_ms"] = plan.budget.others_max_ms
    report["max_params"] = plan.budget.max_params
    report["max_gflops"] = plan.budget.max_gflops
    report["max_mb"] = plan.budget.max_mb
    winner = report["winner"]
    scores = final_scores(run)
    if winner is not None and scores is not None and scores.number == winner["number"]:
        winner.update(msgspec.to_builtins(scores))
        winner["drawing"] = block_lines(msgspec.convert(winner["genome"], Genome))
        winner["files"] = sorted(str(path) for path in winner_folder(run).iterdir())
    return report
