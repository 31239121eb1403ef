"""The journal of a run: every decision, in one SQLite file, as it happens."""

from __future__ import annotations

from collections.abc import Sequence

from tvnsearch.devices.measurement import Measurement
from tvnsearch.search.journal.reader import EVENTS, JournalReader
from tvnsearch.search.journal.rows import candidate_to_row, to_json
from tvnsearch.search.progress.figures import Workload
from tvnsearch.search.protocols import Fitness
from tvnsearch.search.records import Candidate, Control, CurvePoint, Winner


class Journal(JournalReader):
    """The decisions of one run, append-only; a transaction for every measurement and every training.

    Of a genome that counting or predicting rejected only the figures are kept: the genome itself follows from
    the seed, its number and the individuals before it.
    """

    def record_candidates(self, candidates: Sequence[Candidate], elapsed_seconds: float) -> None:
        """Add judged candidates, all or none of them; ``elapsed_seconds`` is the run's time so far."""
        with self._transaction(elapsed_seconds):
            self._connection.executemany(
                "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(candidate_to_row, candidates),
            )

    def record_trained(self, number: int, fitness: Fitness, seconds: float, elapsed_seconds: float) -> None:
        """Add the fitness of the accepted candidate ``number``, whose training took ``seconds``."""
        with self._transaction(elapsed_seconds):
            self._connection.execute(
                "INSERT INTO trainings (number, fitness, seconds) VALUES (?, ?, ?)",
                (number, to_json(fitness), seconds),
            )

    def record_failed(self, number: int, reason: str, seconds: float, elapsed_seconds: float) -> None:
        """Add that the accepted candidate ``number`` could not be trained."""
        with self._transaction(elapsed_seconds):
            self._connection.execute(
                "INSERT INTO trainings (number, failure, seconds) VALUES (?, ?, ?)", (number, reason, seconds)
            )

    def record_point(self, point: CurvePoint, elapsed_seconds: float) -> None:
        """Add what was decided about a training that has not ended, at a point of its curve."""
        with self._transaction(elapsed_seconds):
            self._connection.execute(
                "INSERT INTO points (number, fitness, seconds, kind, trainings) "
                "SELECT ?, ?, ?, ?, COUNT(*) FROM trainings",
                (point.number, to_json(point.fitness), point.seconds, point.kind),
            )

    def record_control(self, control: Control, elapsed_seconds: float) -> None:
        """Add what an individual that inherited weights comes to from scratch."""
        with self._transaction(elapsed_seconds):
            self._connection.execute(
                "INSERT INTO controls (number, fitness, next_number) VALUES (?, ?, ?)",
                (control.number, control.fitness, control.next_number),
            )

    def record_line(self, text: str, elapsed_seconds: float) -> None:
        """Add a sentence about the run, for people."""
        with self._transaction(elapsed_seconds):
            self._connection.execute(
                "INSERT INTO lines (seconds, text) VALUES (?, ?)", (elapsed_seconds, text)
            )

    def record_workload(self, workload: Workload, elapsed_seconds: float) -> None:
        """Note what the workers do; it takes the place of what was noted before.

        Nothing is decided by it, so that no write waits for the disk: a loss of power may lose it.
        """
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with self._transaction(elapsed_seconds):
                self._connection.execute("UPDATE workload SET json = ?", (to_json(workload),))
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")

    def record_winner(self, winner: Winner, elapsed_seconds: float) -> None:
        """Add the winner of all trainings so far; of a finalist its measurement is the latest then."""
        number, measurement = winner.individual.number, to_json(winner.measurement)
        with self._transaction(elapsed_seconds):
            self._connection.execute(
                f"INSERT INTO winners (number, measurement, events) SELECT ?, ?, {EVENTS}",
                (number, measurement),
            )
            self._connection.execute(
                "UPDATE finals SET measurement = ? WHERE number = ?", (measurement, number)
            )

    def record_final_measurement(self, number: int, measurement: Measurement) -> None:
        """Add a fresh measurement of one of the fittest individuals."""
        with self._transaction(self.elapsed_seconds):
            self._connection.execute(
                "INSERT INTO finals (number, measurement) VALUES (?, ?)", (number, to_json(measurement))
            )

    def record_final_training(self, number: int, fitness: Fitness | None) -> None:
        """Add the fitness of a finalist after a whole training; None where that failed."""
        with self._transaction(self.elapsed_seconds):
            self._connection.execute(
                "UPDATE finals SET is_trained = 1, fitness = ? WHERE number = ?",
                (None if fitness is None else to_json(fitness), number),
            )
