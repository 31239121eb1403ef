"""The budget gate: which genomes may be trained, judged in order of what the judging costs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace
from tvnsearch.search.individual import Verdict
from tvnsearch.search.plan import Budget
from tvnsearch.search.protocols import LatencyEstimate, LatencyModel, MeasurementFailed


class Screening(Struct, frozen=True, gc=False):
    """What counting and predicting tell of a genome; it rejects those over the budget on paper."""

    params: int
    macs: int
    estimate: LatencyEstimate | None
    rejection: Verdict | None


class BudgetGate:
    """Judges genomes against a budget: parameters, then the predicted latency, then a real measurement.

    A prediction rejects only when even its lower bound is over the budget; a measurement rejects unless its
    whole confidence interval keeps it, for the budget is a promise.
    """

    def __init__(self, budget: Budget, classes: int, latency: LatencyModel) -> None:
        self._budget = budget
        self._classes = classes
        self._latency = latency

    def judge(self, genome: Genome) -> Verdict:
        """Judge one genome all the way."""
        [screening] = self.screen([genome])
        return screening.rejection or self.confirm(genome, screening)

    def screen(self, genomes: Sequence[Genome]) -> list[Screening]:
        """Judge many genomes, in their order, by parameters and prediction; one call predicts them all."""
        max_params = self._budget.max_params
        traces = [trace(genome, self._classes) for genome in genomes]
        small_enough = [max_params is None or traced.params <= max_params for traced in traces]
        estimates = iter(
            self._latency.estimate(
                [genome for genome, keeps in zip(genomes, small_enough, strict=True) if keeps]
            )
        )
        screenings = []
        for traced, keeps in zip(traces, small_enough, strict=True):
            estimate = next(estimates) if keeps else None
            rejection = None
            if estimate is None:
                rejection = Verdict("rejected_params", traced.params, traced.macs)
            elif estimate.lower_ms > self._budget.max_ms:
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
        if measurement.ci_high_ms > self._budget.max_ms:
            return replace(measured_over, measurement=measurement)
        return replace(measured_over, kind="accepted", measurement=measurement)
