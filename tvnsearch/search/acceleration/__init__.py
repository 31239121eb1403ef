"""Fewer iterations of training for the same search; each can be switched on alone. Imports no torch."""

from tvnsearch.search.acceleration.fitness_predictor import Choice, FitnessPredictor
from tvnsearch.search.acceleration.halving import SuccessiveHalving, halving_rungs
from tvnsearch.search.acceleration.rank_watch import RankWatch

__all__ = ["Choice", "FitnessPredictor", "RankWatch", "SuccessiveHalving", "halving_rungs"]
