"""The budget gate: which genomes may be trained, judged in order of what the judging costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import Trace, trace
from tvnsearch.search.budget import Budget, CountedRejection, counted_limits
from tvnsearch.search.protocols import LatencyEstimate, LatencyModel, MeasurementFailed
from tvnsearch.search.records import Verdict, VerdictKind


class Screening(Struct, frozen=True, gc=False):
    """What counting and predicting tell of a genome; it rejects those over the budget on paper.

    ``estimate`` is that of a genome which it rejects, as exact as that takes.
    """

    params: int
    macs: int
    estimate: LatencyEstimate | None = None
    on_others: dict[str, LatencyEstimate] = {}
    rejection: VerdictKind | None = None

    def verdict(self, kind: VerdictKind) -> Verdict:
        """The verdict ``kind`` on what is known so far."""
        return Verdict(kind, self.params, self.macs, self.estimate, on_others=self.on_others)


class BudgetGate:
    """Judges genomes against a budget: counts, then predicted latencies, then a real measurement.

    On the device that is measured a prediction rejects what is surely over the budget, and a measurement
    what does not keep it with its whole confidence interval, for the budget is a promise. A measurement that
    is not trusted decides nothing near the budget: it is taken once more at once, in another process, and
    leaves the genome undecided if that is no better. On devices that are only predicted the whole predicted
    interval has to keep it.
    """

    def __init__(self, budget: Budget, classes: int, latency: LatencyModel) -> None:
        self._max_ms = budget.max_ms
        self._others_max_ms = budget.others_max_ms
        self._counted_limits = counted_limits(budget)
        self._classes = classes
        self._latency = latency

    def judge(self, genome: Genome) -> Verdict:
        """Judge one genome all the way."""
        [screening] = self.screen([genome])
        if screening.rejection is not None:
            return screening.verdict(screening.rejection)
        return self.confirm(genome, screening)

    def screen(self, genomes: Sequence[Genome]) -> list[Screening]:
        """Judge many genomes, in their order, by counts and predictions, one call for each device."""
        traces = [trace(genome, self._classes) for genome in genomes]
        screenings = [
            Screening(traced.params, traced.macs, rejection=self._counted_over(traced)) for traced in traces
        ]
        self._predict(genomes, screenings)
        for device, max_ms in self._others_max_ms.items():
            self._predict_on_other(device, max_ms, genomes, screenings)
        return screenings

    def confirm(self, genome: Genome, screening: Screening) -> Verdict:
        """Measure a genome that its screening let through; what was expected of it is kept beside that."""
        [estimate] = self._latency.estimate([genome])
        verdict = replace(screening, estimate=estimate).verdict("undecided")
        verdict = self._measured(genome, verdict, self._latency.measure)
        return self.confirm_again(genome, verdict) if verdict.kind == "undecided" else verdict

    def confirm_again(self, genome: Genome, verdict: Verdict) -> Verdict:
        """Measure an undecided genome once more, in a process that nothing was measured in before."""
        return self._measured(genome, verdict, self._latency.measure_afresh)

    def _measured(
        self, genome: Genome, verdict: Verdict, measure: Callable[[Genome, float | None], Measurement]
    ) -> Verdict:
        estimate = verdict.estimate
        assert estimate is not None
        is_expected_within = estimate.upper_ms <= self._max_ms
        limit_ms = self._max_ms if is_expected_within else None
        try:
            measurement = measure(genome, limit_ms)
        except MeasurementFailed as error:
            return replace(verdict, kind="rejected_measured", measurement=None, reason=str(error))
        keeps = measurement.decides(self._max_ms)
        if keeps and not (measurement.trusted or is_expected_within):
            keeps = None
        if keeps is None and measurement.is_far_above(self._max_ms) and estimate.latency_ms > self._max_ms:
            keeps = False
        if keeps is None:
            return replace(verdict, kind="undecided", measurement=measurement, reason=measurement.reason)
        kind: VerdictKind = "accepted" if keeps else "rejected_measured"
        return replace(verdict, kind=kind, measurement=measurement, reason="")

    def _predict(self, genomes: Sequence[Genome], screenings: list[Screening]) -> None:
        """Screen what is left by its prediction for the device that is measured."""
        places = [place for place, screening in enumerate(screenings) if screening.rejection is None]
        over = self._latency.estimate_over([genomes[place] for place in places], self._max_ms)
        for place, estimate in zip(places, over, strict=True):
            if estimate is not None:
                screenings[place] = replace(
                    screenings[place], estimate=estimate, rejection="rejected_predicted"
                )

    def _predict_on_other(
        self, device: str, max_ms: float, genomes: Sequence[Genome], screenings: list[Screening]
    ) -> None:
        """Screen what is left by its prediction for another device."""
        places = [place for place, screening in enumerate(screenings) if screening.rejection is None]
        estimates = self._latency.estimate_on_other(device, [genomes[place] for place in places])
        for place, estimate in zip(places, estimates, strict=True):
            known = screenings[place]
            rejection: VerdictKind | None = "rejected_on_others" if estimate.upper_ms > max_ms else None
            screenings[place] = replace(
                known, on_others={**known.on_others, device: estimate}, rejection=rejection
            )

    def _counted_over(self, traced: Trace) -> CountedRejection | None:
        """The first limit that the network's counts are over."""
        for limit in self._counted_limits:
            if limit.count(traced) > limit.maximum:
                return limit.rejection
        return None
