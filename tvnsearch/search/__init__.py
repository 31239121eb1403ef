"""Search under a budget by any of several strategies, journaled decision by decision. Imports no torch."""

from tvnsearch.search.budget import Budget
from tvnsearch.search.candidates.budget_gate import BudgetGate
from tvnsearch.search.candidates.feasibility import check_reachable
from tvnsearch.search.engine import run_search
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.outcome.finalists import run_finalists
from tvnsearch.search.outcome.rebudget import Pick, pick
from tvnsearch.search.plan import SearchPlan, scale_to_minutes
from tvnsearch.search.progress.figures import Counts, RunFigures, SearchProgress
from tvnsearch.search.progress.status import RunSummary, summarise
from tvnsearch.search.protocols import (
    Fitness,
    FitnessFunction,
    LatencyEstimate,
    LatencyModel,
    MeasurementFailed,
    TrainingFailed,
    TrainingRequest,
)
from tvnsearch.search.records import Candidate, Finalist, Individual, Verdict, Winner
from tvnsearch.search.run_folder import journal_path, weights_path

__all__ = [
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
    "RunFigures",
    "RunSummary",
    "SearchPlan",
    "SearchProgress",
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
