"""The latency store: one SQLite file of layer latencies, each with the genome that it was stamped in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import platformdirs

from latency_db.reader import OF_DEVICE, LatencyReader
from latency_db.records import LAYER_CALL_PLACES, call_columns, insert_measurement, new_uid, now, row_id
from latency_db.schema import naming_database_errors, transaction
from tvnsearch.devices.device import fingerprint_digest
from tvnsearch.devices.measurement import LayerProfile, Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace
from tvnsearch.user_folders import user_folder


def default_path() -> Path:
    """Where latencies are kept unless the user says otherwise.

    Raises:
        UserError: the user has no home.
    """
    folder = user_folder(platformdirs.user_data_path)
    if folder is None:
        raise UserError(
            "expected a home folder to keep latencies in, but this user has none (HOME is not set); name a "
            "file with --db"
        )
    return folder / "latency.sqlite"


class LatencyStore(LatencyReader):
    """A :class:`LatencyReader` that writes as well: the sessions of profiling, and the rows of each.

    Several processes may write at once. What a method has written when it returns survives a kill.
    """

    def start_session(self, fingerprint: Mapping[str, str], space: str, seed: int, max_ms: float) -> int:
        """Note that profiling starts; the number of the session."""
        digest = fingerprint_digest(fingerprint)
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO devices (digest, name, fingerprint) VALUES (?, ?, ?)",
                (digest, fingerprint["device"], msgspec.json.encode(fingerprint).decode()),
            )
            cursor = connection.execute(
                "INSERT INTO sessions (uid, device, started, space, seed, max_ms) "
                "SELECT ?, id, ?, ?, ?, ? FROM devices WHERE digest = ?",
                (new_uid(), now(), space, seed, max_ms, digest),
            )
            return row_id(cursor)

    def note_levelled_off(self, session: int) -> None:
        """Note that a session ended because predictions no longer got better."""
        with self._transaction() as connection:
            connection.execute("UPDATE sessions SET levelled_off = 1 WHERE id = ?", (session,))

    def has_levelled_off(self, digest: str, space: str, max_ms: float) -> bool:
        """Whether a session of the device on that space and budget ended so."""
        found = self._select(
            "SELECT count(*) FROM sessions JOIN devices ON device = devices.id "
            "WHERE digest = ? AND space = ? AND max_ms = ? AND levelled_off",
            (digest, space, max_ms),
        )
        return bool(found[0][0])

    def add_profile(
        self,
        session: int,
        seed_index: int,
        genome: Genome,
        classes: int,
        profile: LayerProfile,
        seconds: float,
    ) -> int:
        """Keep a genome with all its layer rows and its measurement, in one transaction; its row number.

        Raises:
            UserError: the session was removed from the file.
        """
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO genomes (uid, session, seed_index, genome_id, genome, classes) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    new_uid(),
                    session,
                    seed_index,
                    genome_id(genome),
                    msgspec.json.encode(genome).decode(),
                    classes,
                ),
            )
            row = row_id(cursor)
            named_calls = trace(genome, classes).named_calls()
            times = zip(named_calls, profile.latencies_ms, profile.spreads_ms, profile.parts, strict=True)
            connection.executemany(
                f"INSERT INTO layer_calls VALUES ({LAYER_CALL_PLACES})",
                [
                    (row, position, name, *call_columns(call), latency_ms, spread_ms, profile.passes, part)
                    for position, ((name, call), latency_ms, spread_ms, part) in enumerate(times)
                ],
            )
            insert_measurement(connection, row, profile.network, seconds)
            return row

    def add_repeat(self, row: int, measurement: Measurement, seconds: float) -> None:
        """Keep a later measurement of a genome that is there already.

        Raises:
            UserError: the genome was removed from the file.
        """
        with self._transaction() as connection:
            insert_measurement(connection, row, measurement, seconds)

    def next_seed_index(self, digest: str, seed: int) -> int:
        """The place in the sequence of sampled genomes where profiling stopped."""
        found = self._select(
            f"SELECT coalesce(max(seed_index) + 1, 0) FROM genomes {OF_DEVICE} AND seed = ?",
            (digest, seed),
        )
        return int(found[0][0])

    def sessions_at_the_end(self, digest: str, seed: int) -> int:
        """How many sessions: the one that the last of the sampled genomes is of, and all after it."""
        last = self._select(
            f"SELECT session FROM genomes {OF_DEVICE} AND seed = ? ORDER BY seed_index DESC LIMIT 1",
            (digest, seed),
        )
        found = self._select(
            "SELECT count(*) FROM sessions JOIN devices ON device = devices.id "
            "WHERE digest = ? AND seed = ? AND sessions.id >= ?",
            (digest, seed, last[0][0] if last else 0),
        )
        return int(found[0][0])

    def unrepeated(self, digest: str) -> list[int]:
        """The row numbers of the genomes that were measured once, oldest first."""
        found = self._select(
            f"SELECT genomes.id FROM genomes JOIN network_measurements m ON m.genome = genomes.id "
            f"{OF_DEVICE} GROUP BY genomes.id HAVING count(*) = 1 ORDER BY genomes.id",
            (digest,),
        )
        return [row for (row,) in found]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with naming_database_errors(self.path), transaction(self._connection):
                yield self._connection
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                raise
            raise UserError(
                f"expected to go on with a session in {self.path}, but it was removed meanwhile; "
                f"start again for a new one"
            ) from None
