"""Fewer iterations of training for the same search; each can be switched on alone. Imports no torch."""

from tvnsearch.search.acceleration.early_stopping import EarlyStopping, rungs_of
from tvnsearch.search.acceleration.fitness_predictor import Choice, FitnessPredictor
from tvnsearch.search.acceleration.foretelling import Foretelling, Foretold
from tvnsearch.search.acceleration.inheritance import Inheritance
from tvnsearch.search.acceleration.rank_watch import RankWatch

__all__ = [
    "Choice",
    "EarlyStopping",
    "FitnessPredictor",
    "Foretelling",
    "Foretold",
    "Inheritance",
    "RankWatch",
    "rungs_of",
]
