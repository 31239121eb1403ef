"""The budget gate: which genomes may be trained, judged in order of what the judging costs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import Trace, trace
from tvnsearch.search.budget import Budget, CountedRejection, counted_limits
from tvnsearch.search.individual import Verdict
from tvnsearch.search.protocols import LatencyEstimate, LatencyModel, MeasurementFailed


class Screening(Struct, frozen=True, gc=False):
    """What counting and predicting tell of a genome; it rejects those over the budget on paper."""

    params: int
    macs: int
    estimate: LatencyEstimate | None
    rejection: Verdict | None


class BudgetGate:
    """Judges genomes against a budget: counts, then the predicted latency, then a real measurement.

    A prediction rejects only when even its lower bound is over the budget; a measurement rejects unless its
    whole confidence interval keeps it, for the budget is a promise.
    """

    def __init__(self, budget: Budget, classes: int, latency: LatencyModel) -> None:
        self._max_ms = budget.max_ms
        self._counted_limits = counted_limits(budget)
        self._classes = classes
        self._latency = latency

    def judge(self, genome: Genome) -> Verdict:
        """Judge one genome all the way."""
        [screening] = self.screen([genome])
        return screening.rejection or self.confirm(genome, screening)

    def screen(self, genomes: Sequence[Genome]) -> list[Screening]:
        """Judge many genomes, in their order, by counts and prediction; one call predicts them all."""
        traces = [trace(genome, self._classes) for genome in genomes]
        over = [self._counted_over(traced) for traced in traces]
        estimates = iter(
            self._latency.estimate(
                [genome for genome, kind in zip(genomes, over, strict=True) if kind is None]
            )
        )
        screenings = []
        for traced, kind in zip(traces, over, strict=True):
            estimate = None if kind else next(estimates)
            rejection = None
            if kind is not None:
                rejection = Verdict(kind, traced.params, traced.macs)
            elif estimate is not None and estimate.lower_ms > self._max_ms:
                rejection = Verdict("rejected_predicted", traced.params, traced.macs, estimate)
            screenings.append(Screening(traced.params, traced.macs, estimate, rejection))
        return screenings

    def confirm(self, genome: Genome, screening: Screening) -> Verdict:
        """Measure a genome that its screening let through."""
        measured_over = Verdict("rejected_measured", screening.params, screening.macs, screening.estimate)
        try:
            measurement = self._latency.measure(genome)
        except MeasurementFailed as error:
            return replace(measured_over, reason=str(error))
        if measurement.ci_high_ms > self._max_ms:
            return replace(measured_over, measurement=measurement)
        return replace(measured_over, kind="accepted", measurement=measurement)

    def _counted_over(self, traced: Trace) -> CountedRejection | None:
        """The first limit that the network's counts are over."""
        for limit in self._counted_limits:
            if limit.count(traced) > limit.maximum:
                return limit.rejection
        return None
