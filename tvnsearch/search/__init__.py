"""Search under a budget by any of several strategies, journaled decision by decision. Imports no torch."""

from tvnsearch.search.board import Board, Counts
from tvnsearch.search.budget import Budget
from tvnsearch.search.engine import run_search
from tvnsearch.search.events import SearchEvent
from tvnsearch.search.feasibility import check_reachable
from tvnsearch.search.finalists import run_finalists
from tvnsearch.search.gate import BudgetGate
from tvnsearch.search.individual import Candidate, Finalist, Individual, Verdict, Winner
from tvnsearch.search.journal import Journal
from tvnsearch.search.picking import Pick, pick
from tvnsearch.search.plan import SearchPlan, scale_to_minutes
from tvnsearch.search.protocols import (
    Fitness,
    FitnessFunction,
    LatencyEstimate,
    LatencyModel,
    MeasurementFailed,
    TrainingFailed,
    TrainingRequest,
)
from tvnsearch.search.run_folder import journal_path, weights_path
from tvnsearch.search.status import RunSummary, summarise

__all__ = [
    "Board",
    "Budget",
    "BudgetGate",
    "Candidate",
    "Counts",
    "Finalist",
    "Fitness",
    "FitnessFunction",
    "Individual",
    "Journal",
    "LatencyEstimate",
    "LatencyModel",
    "MeasurementFailed",
    "Pick",
    "RunSummary",
    "SearchEvent",
    "SearchPlan",
    "TrainingFailed",
    "TrainingRequest",
    "Verdict",
    "Winner",
    "check_reachable",
    "journal_path",
    "pick",
    "run_finalists",
    "run_search",
    "scale_to_minutes",
    "summarise",
    "weights_path",
]
