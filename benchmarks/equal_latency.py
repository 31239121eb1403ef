"""A latency model for searches that are about training alone."""

from __future__ import annotations

from collections.abc import Sequence

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome import Genome
from tvnsearch.search import LatencyEstimate
from tvnsearch.search.protocols import MeasuredGenome

MEASUREMENT = Measurement(1, 1, 1, 1, 1, 1, 30, 0, trusted=True)


class EqualLatency:
    """Every network takes a millisecond: what bounds a search is another budget."""

    def estimate(self, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """A millisecond for each."""
        return [LatencyEstimate(1.0, 1.0, 1.0)] * len(genomes)

    def estimate_over(self, genomes: Sequence[Genome], max_ms: float) -> list[LatencyEstimate | None]:
        """Nothing is over a budget."""
        return [None] * len(genomes)

    def estimate_on_other(self, device: str, genomes: Sequence[Genome]) -> list[LatencyEstimate]:
        """A millisecond there as well."""
        return self.estimate(genomes)

    def learn(self, measured: Sequence[MeasuredGenome], predicted_ms: Sequence[float]) -> str | None:
        """There is nothing to learn."""
        return None

    def measure(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """A millisecond, without running the network."""
        return MEASUREMENT

    def measure_afresh(self, genome: Genome, limit_ms: float | None = None) -> Measurement:
        """The same one."""
        return MEASUREMENT

    def measure_for_promise(self, genomes: Sequence[Genome], max_ms: float) -> list[Measurement]:
        """The same for each."""
        return [MEASUREMENT] * len(genomes)
