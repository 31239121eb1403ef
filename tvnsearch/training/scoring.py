"""Scores of a network while it is fitted, and the weights that scored best."""

from __future__ import annotations

import numpy as np

from tvnsearch.data.cache import ClipCache
from tvnsearch.genome.genome import InputSpec
from tvnsearch.training.evaluation import predict
from tvnsearch.training.fitting import Best, Fitting
from tvnsearch.training.metrics import Scores, score
from tvnsearch.training.metrics_log import MetricsLog
from tvnsearch.training.validation import Split, Validation


class Scorer:
    """Scores what is fitted on one split of a data set: at the end, and as `validation` says before."""

    def __init__(
        self,
        cache: ClipCache,
        spec: InputSpec,
        split: Split,
        validation: Validation | None,
        metrics: MetricsLog,
    ) -> None:
        self.split = split
        self._cache = cache
        self._clips = cache.dataset.splits[split]
        self._spec = spec
        self._validation = validation
        self._metrics = metrics

    def is_due(self, fitting: Fitting) -> bool:
        """Whether to score after the iteration that was just done."""
        return self._validation is not None and fitting.iterations % self._validation.every == 0

    def score(self, fitting: Fitting) -> Scores | None:
        """What the network scores as it stands; None where its output is not finite."""
        if fitting.scored is not None and fitting.scored[0] == fitting.iterations:
            return fitting.scored[1]
        logits, labels = predict(fitting.result, self._cache, self._clips, self._spec, fitting.device)
        fitting.network.train()
        scores = None
        if np.isfinite(logits).all():
            scores = score(logits, labels, self._cache.dataset.protocol)
            self._metrics.scored(fitting, self.split, scores)
            self._keep_if_best(fitting, scores)
        fitting.scored = fitting.iterations, scores
        return scores

    def _keep_if_best(self, fitting: Fitting, scores: Scores) -> None:
        if self._validation is None or not self._validation.keep_best:
            return
        if fitting.best is None or scores.fitness >= fitting.best.scores.fitness:
            weights = fitting.result.state_dict()
            copies = {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}
            fitting.best = Best(fitting.iterations, scores, copies)
