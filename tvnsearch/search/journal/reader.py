"""What the journal of a run says: its decisions read again, and the figures that they come to."""

from __future__ import annotations

from typing import get_args

import msgspec
from msgspec import Struct

from tvnsearch.devices.measurement import Measurement
from tvnsearch.search.journal.file import JournalFile
from tvnsearch.search.journal.rows import candidate_from_row
from tvnsearch.search.progress.figures import Workload
from tvnsearch.search.protocols import Fitness
from tvnsearch.search.records import (
    TOLD,
    Candidate,
    Control,
    CurvePoint,
    Finalist,
    Individual,
    VerdictKind,
    Winner,
    individual_of,
)

EVENTS = "(SELECT COUNT(*) FROM trainings) + (SELECT COUNT(*) FROM points)"
"""How much has become of trainings so far."""


class Streak(Struct, frozen=True):
    """How long a search has gone without success, at its latest candidate.

    ``unmeasured`` candidates were drawn since one was last measured, ``duplicates`` of them known already;
    ``measured_over`` measurements in a row were over the budget.
    """

    unmeasured: int
    duplicates: int
    measured_over: int


class JournalReader(JournalFile):
    """The decisions of one run, as they were recorded."""

    @property
    def elapsed_seconds(self) -> float:
        """The wall-clock time used up to the latest record, over all processes that worked on the run."""
        return float(self._value("SELECT seconds FROM clock"))

    @property
    def next_number(self) -> int:
        """The number of the first candidate that is not judged yet."""
        return int(self._value("SELECT COALESCE(MAX(number), -1) + 1 FROM candidates"))

    def verdict_counts(self) -> dict[VerdictKind, int]:
        """How many candidates met each verdict."""
        found = dict(self._connection.execute("SELECT verdict, COUNT(*) FROM candidates GROUP BY verdict"))
        return {kind: found.get(kind, 0) for kind in get_args(VerdictKind)}

    def training_seconds(self) -> dict[int, float]:
        """How long each training that ended well or is paused kept a worker busy, by its individual."""
        return {point.number: point.seconds for point in self.points() if point.kind in TOLD}

    def failures(self) -> dict[int, str]:
        """Why trainings failed, by the candidate's number; one that was paused before stays an individual."""
        return dict(
            self._connection.execute(
                "SELECT number, failure FROM trainings WHERE failure IS NOT NULL AND number NOT IN "
                "(SELECT number FROM points WHERE kind = 'paused') ORDER BY sequence"
            )
        )

    def streak(self) -> Streak:
        """How long the search has gone without success."""
        last_measured = self._last("verdict IN ('accepted', 'rejected_measured')")
        return Streak(
            unmeasured=self.next_number - 1 - last_measured,
            duplicates=int(
                self._value(
                    "SELECT COUNT(*) FROM candidates WHERE verdict = 'duplicate' AND number > ?",
                    last_measured,
                )
            ),
            measured_over=int(
                self._value(
                    "SELECT COUNT(*) FROM candidates WHERE verdict = 'rejected_measured' AND number > ?",
                    self._last("verdict = 'accepted'"),
                )
            ),
        )

    def measured_ids(self) -> set[str]:
        """The identity of every genome that was measured, and so never needs to be again."""
        rows = self._connection.execute(
            "SELECT genome_id FROM candidates WHERE verdict IN ('accepted', 'rejected_measured')"
        )
        return {identity for [identity] in rows}

    def measured(self) -> list[Candidate]:
        """The candidates that were measured, in the order in which they were."""
        rows = self._connection.execute(
            "SELECT * FROM candidates WHERE measurement IS NOT NULL ORDER BY number"
        )
        return [candidate_from_row(row) for row in rows]

    def predictions(self) -> list[tuple[int, float]]:
        """The numbers of the candidates whose latency was predicted, and that in ms, in their order."""
        rows = self._connection.execute(
            "SELECT number, json_extract(estimate, '$.latency_ms') FROM candidates "
            "WHERE estimate IS NOT NULL ORDER BY number"
        )
        return [(number, predicted_ms) for number, predicted_ms in rows]

    def failed_measurements(self) -> list[str]:
        """Why candidates could not be measured at all, in their order."""
        rows = self._connection.execute(
            "SELECT reason FROM candidates WHERE verdict = 'rejected_measured' AND measurement IS NULL "
            "ORDER BY number"
        )
        return [reason for [reason] in rows]

    def pending(self) -> list[Candidate]:
        """The candidates that were accepted and whose training has not ended, the paused ones left out."""
        rows = self._connection.execute(
            "SELECT candidates.* FROM candidates LEFT JOIN trainings USING (number) "
            "WHERE verdict = 'accepted' AND trainings.sequence IS NULL AND COALESCE((SELECT kind FROM points "
            "WHERE points.number = candidates.number ORDER BY points.sequence DESC LIMIT 1), '') <> 'paused' "
            "ORDER BY number"
        )
        return [candidate_from_row(row) for row in rows]

    def ended(self) -> set[int]:
        """The numbers of the candidates whose training has ended, well or not."""
        return {number for [number] in self._connection.execute("SELECT number FROM trainings")}

    def told(self) -> list[Individual]:
        """All that a strategy was told, in order: what was paused, and trained as a whole later, twice."""
        rows = self._connection.execute("SELECT * FROM candidates WHERE verdict = 'accepted'")
        candidates = {row[0]: candidate_from_row(row) for row in rows}
        return [
            individual_of(candidates[point.number], point.fitness)
            for point in self.points()
            if point.kind in TOLD
        ]

    def individuals(self) -> list[Individual]:
        """Everything that was trained, as it was told last, in the order of that."""
        latest: dict[int, Individual] = {}
        for individual in self.told():
            latest.pop(individual.number, None)
            latest[individual.number] = individual
        return list(latest.values())

    def points(self) -> list[CurvePoint]:
        """All points of all curves that were looked at, the ends of trainings included, in order."""
        rows = self._connection.execute(
            "SELECT number, fitness, seconds, kind FROM ("
            "SELECT trainings, sequence, number, fitness, seconds, kind FROM points UNION ALL "
            "SELECT sequence, 0, number, fitness, seconds, 'ended' FROM trainings WHERE fitness IS NOT NULL"
            ") ORDER BY trainings, sequence"
        )
        return [
            CurvePoint(number, msgspec.json.decode(fitness, type=Fitness), seconds, kind)
            for number, fitness, seconds, kind in rows
        ]

    def controls(self) -> list[Control]:
        """All trainings from scratch of individuals that inherited weights, in order."""
        rows = self._connection.execute("SELECT number, fitness, next_number FROM controls ORDER BY sequence")
        return [Control(*row) for row in rows]

    def winner(self) -> Winner | None:
        """The latest winner, if one was chosen and was not measured over the budget since."""
        row = self._connection.execute("SELECT number FROM winners ORDER BY sequence DESC LIMIT 1").fetchone()
        if row is None:
            return None
        [number] = row
        measurement = self.fresh_measurements()[number]
        if measurement.ci_high_ms > self.plan.budget.max_ms:
            return None
        return Winner(self._by_number()[number], measurement)

    def fresh_measurements(self) -> dict[int, Measurement]:
        """The latest measurement of each individual that was measured again, by its number.

        That of a finalist is the one in the finals: one that has won since has its measurement there too.
        """
        rows = self._connection.execute("SELECT number, measurement FROM winners ORDER BY sequence")
        winning = {number: msgspec.json.decode(text, type=Measurement) for number, text in rows}
        return winning | self.final_measurements()

    def final_measurements(self) -> dict[int, Measurement]:
        """The fresh measurements of the fittest individuals, by their numbers."""
        rows = self._connection.execute("SELECT number, measurement FROM finals")
        return {number: msgspec.json.decode(text, type=Measurement) for number, text in rows}

    def final_trainings(self) -> set[int]:
        """The numbers of the finalists whose whole training has ended, well or not."""
        return {number for [number] in self._connection.execute("SELECT number FROM finals WHERE is_trained")}

    def finalists(self) -> list[Finalist]:
        """The finalists that were trained at full length."""
        fitnesses, measurements = self.final_fitnesses(), self.final_measurements()
        individuals = self._by_number() if fitnesses else {}
        return [
            Finalist(individuals[number], measurements[number], fitness)
            for number, fitness in fitnesses.items()
        ]

    def final_fitnesses(self) -> dict[int, Fitness]:
        """The fitness of the finalists after a whole training, by their numbers."""
        rows = self._connection.execute("SELECT number, fitness FROM finals WHERE fitness IS NOT NULL")
        return {number: msgspec.json.decode(text, type=Fitness) for number, text in rows}

    def trainings_saved(self) -> int:
        """How many candidates were duplicates of networks that had been given to training already."""
        return int(
            self._value(
                "SELECT COUNT(*) FROM candidates WHERE verdict = 'duplicate' AND genome_id IN "
                "(SELECT genome_id FROM candidates WHERE verdict = 'accepted')"
            )
        )

    def measured_under_bound(self) -> tuple[int, int]:
        """How many candidates were measured, and how many of them under the lower bound of their estimate."""
        measured, under = self._connection.execute(
            "SELECT COUNT(*), COALESCE(SUM(json_extract(measurement, '$.latency_ms') < "
            "json_extract(estimate, '$.lower_ms')), 0) FROM candidates WHERE measurement IS NOT NULL"
        ).fetchone()
        return measured, under

    def workload(self) -> Workload | None:
        """What the workers were last heard to do; None before the first training."""
        [text] = self._connection.execute("SELECT json FROM workload").fetchone()
        return None if text is None else msgspec.json.decode(text, type=Workload)

    def winner_is_final(self) -> bool:
        """Whether the winner was chosen after the last training."""
        return bool(self._value(f"SELECT EXISTS (SELECT 1 FROM winners WHERE events = (SELECT {EVENTS}))"))

    def lines(self) -> list[str]:
        """The sentences about the run, in order."""
        return [text for [text] in self._connection.execute("SELECT text FROM lines ORDER BY sequence")]

    def _by_number(self) -> dict[int, Individual]:
        return {individual.number: individual for individual in self.individuals()}

    def _last(self, condition: str) -> int:
        return int(self._value(f"SELECT COALESCE(MAX(number), -1) FROM candidates WHERE {condition}"))
