"""The latency store: one SQLite file of layer latencies, each with the genome that it was stamped in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from latency_db.contents import described
from latency_db.records import (
    LAYER_CALL_PLACES,
    MEASUREMENT_FIELDS,
    call_columns,
    insert_measurement,
    new_uid,
    now,
    row_id,
)
from latency_db.schema import connect, transaction
from tvnsearch.devices.device import fingerprint_digest
from tvnsearch.devices.measurement import LayerProfile, Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, genome_from_json
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace

if TYPE_CHECKING:
    import pandas as pd


class StoredDevice(msgspec.Struct, frozen=True):
    """A device that a store holds, and how much of it."""

    digest: str
    name: str
    fingerprint: dict[str, str]
    genomes: int
    rows: int
    minutes: float


class StoredProfile(msgspec.Struct, frozen=True):
    """One profiled genome: ``latencies_ms`` in the order of ``trace(genome, classes).calls``.

    ``network`` is the whole network measured in the same session; ``row`` names the genome in its store.
    """

    row: int
    genome: Genome
    classes: int
    latencies_ms: tuple[float, ...]
    network: Measurement


def default_path() -> Path:
    """Where latencies are kept unless the user says otherwise."""
    return platformdirs.user_data_path("tvnsearch") / "latency.sqlite"


class LatencyStore:
    """A latency database file; a context manager. Devices are asked for by the digest of their fingerprint.

    Several processes may write at once. What a method has written when it returns survives a kill.

    Raises:
        UserError: the file cannot be opened, is damaged, is something else, or comes from a newer release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = connect(path)

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
        found = self._connection.execute(
            "SELECT count(*) FROM sessions JOIN devices ON device = devices.id "
            "WHERE digest = ? AND space = ? AND max_ms = ? AND levelled_off",
            (digest, space, max_ms),
        )
        return bool(found.fetchone()[0])

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
            times = zip(named_calls, profile.latencies_ms, profile.spreads_ms, strict=True)
            connection.executemany(
                f"INSERT INTO layer_calls VALUES ({LAYER_CALL_PLACES})",
                [
                    (row, position, name, *call_columns(call), latency_ms, spread_ms, profile.passes)
                    for position, ((name, call), latency_ms, spread_ms) in enumerate(times)
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

    def devices(self) -> list[StoredDevice]:
        """What the file holds."""
        found = self._connection.execute(
            """
            WITH held AS (SELECT genomes.id, device FROM genomes JOIN sessions ON session = sessions.id)
            SELECT digest, name, fingerprint, (SELECT count(*) FROM held WHERE device = devices.id), (SELECT
            count(*) FROM held JOIN layer_calls ON genome = held.id WHERE device = devices.id), (SELECT
            coalesce(sum(seconds), 0) / 60 FROM held JOIN network_measurements ON genome = held.id WHERE
            device = devices.id) FROM devices ORDER BY id
            """
        )
        return [
            StoredDevice(digest, name, msgspec.json.decode(fingerprint), genomes, rows, minutes)
            for digest, name, fingerprint, genomes, rows, minutes in found
        ]

    def device(self, digest: str) -> StoredDevice:
        """The device of that digest.

        Raises:
            UserError: the file holds nothing of it; the sentence says what it holds.
        """
        devices = [device for device in self.devices() if device.genomes]
        for device in devices:
            if device.digest == digest:
                return device
        if not devices:
            raise UserError(
                f"expected latencies of the device {digest} in {self.path}, but it holds none yet; "
                f"run `tvnsearch profile` first"
            )
        held = "; ".join(f"{device.digest} ({described(device.fingerprint)})" for device in devices)
        raise UserError(
            f"expected latencies of the device {digest} in {self.path}, "
            f"but it holds those of another device, {held}; "
            f"run `tvnsearch profile` on this device, or give its own file with --db"
        )

    def minutes(self, digest: str) -> float:
        """How long the device was profiled, in all sessions; 0 where it is not in the file."""
        return next((device.minutes for device in self.devices() if device.digest == digest), 0.0)

    def noise_floor_percent(self, digest: str) -> float | None:
        """The median absolute difference between two measurements of one network, in percent of the first.

        No predictor can be better than that. None before anything was measured again.
        """
        differences = [100 * abs(repeat_ms / first_ms - 1) for first_ms, repeat_ms in self._repeated(digest)]
        return median(differences) if differences else None

    def next_seed_index(self, digest: str, seed: int) -> int:
        """The place in the sequence of sampled genomes where profiling stopped."""
        found = self._connection.execute(
            f"SELECT coalesce(max(seed_index) + 1, 0) FROM genomes {_OF_DEVICE} AND seed = ?",
            (digest, seed),
        )
        return int(found.fetchone()[0])

    def sessions_at_the_end(self, digest: str, seed: int) -> int:
        """How many sessions: the one that the last of the sampled genomes is of, and all after it."""
        last = self._connection.execute(
            f"SELECT session FROM genomes {_OF_DEVICE} AND seed = ? ORDER BY seed_index DESC LIMIT 1",
            (digest, seed),
        ).fetchone()
        found = self._connection.execute(
            "SELECT count(*) FROM sessions JOIN devices ON device = devices.id "
            "WHERE digest = ? AND seed = ? AND sessions.id >= ?",
            (digest, seed, last[0] if last else 0),
        )
        return int(found.fetchone()[0])

    def unrepeated(self, digest: str) -> list[int]:
        """The row numbers of the genomes that were measured once, oldest first."""
        found = self._connection.execute(
            f"SELECT genomes.id FROM genomes JOIN network_measurements m ON m.genome = genomes.id "
            f"{_OF_DEVICE} GROUP BY genomes.id HAVING count(*) = 1 ORDER BY genomes.id",
            (digest,),
        )
        return [row for (row,) in found]

    def undisturbed(self, digest: str) -> list[tuple[int, float]]:
        """The row number of each genome that was not always disturbed when profiled, and its latency in ms.

        Raises:
            UserError: the file holds nothing of that device.
        """
        self.device(digest)
        found = self._connection.execute(
            f"SELECT genomes.id, m.latency_ms "
            f"FROM genomes JOIN network_measurements m ON m.genome = genomes.id "
            f"{_OF_DEVICE} AND m.samples > 0 "
            f"AND m.id = (SELECT min(id) FROM network_measurements WHERE genome = genomes.id) "
            f"ORDER BY genomes.id",
            (digest,),
        )
        return found.fetchall()

    def genome(self, row: int) -> Genome:
        """The genome of a row number."""
        found = self._connection.execute("SELECT genome FROM genomes WHERE id = ?", (row,)).fetchone()
        return genome_from_json(found[0], str(self.path))

    def profiles(self, digest: str) -> list[StoredProfile]:
        """Every profiled genome of a device with its latencies, oldest first.

        Raises:
            UserError: the file holds nothing of that device.
        """
        self.device(digest)
        with self._snapshot() as connection:
            genomes = connection.execute(
                f"SELECT genomes.id, genomes.genome, classes, {_MEASUREMENT_COLUMNS} "
                f"FROM genomes JOIN network_measurements m ON m.genome = genomes.id {_OF_DEVICE} "
                f"AND m.id = (SELECT min(id) FROM network_measurements WHERE genome = genomes.id) "
                f"ORDER BY genomes.id",
                (digest,),
            ).fetchall()
            rows = connection.execute(
                f"SELECT genomes.id, latency_ms FROM layer_calls JOIN genomes "
                f"ON layer_calls.genome = genomes.id {_OF_DEVICE} ORDER BY genomes.id, position",
                (digest,),
            ).fetchall()
        latencies_ms: dict[int, list[float]] = {}
        for row, latency_ms in rows:
            latencies_ms.setdefault(row, []).append(latency_ms)
        return [
            StoredProfile(
                row,
                genome_from_json(text, str(self.path)),
                classes,
                tuple(latencies_ms[row]),
                _measurement(columns),
            )
            for row, text, classes, *columns in genomes
        ]

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one state of the file, whoever writes meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield self._connection
        finally:
            self._connection.execute("COMMIT")

    def rows(self, digest: str) -> pd.DataFrame:
        """Every layer row of a device with the ``genome_id`` and ``classes`` of its network, oldest first.

        Raises:
            UserError: the file holds nothing of that device.
        """
        import pandas as pd  # noqa: PLC0415 - only tables need it, and it takes half a second

        self.device(digest)
        return pd.read_sql_query(
            f"SELECT genome_id, classes, layer_calls.* "
            f"FROM layer_calls JOIN genomes ON layer_calls.genome = genomes.id "
            f"{_OF_DEVICE} ORDER BY layer_calls.genome, position",
            self._connection,
            params=(digest,),
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> LatencyStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._connection):
                yield self._connection
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                raise
            raise UserError(
                f"expected to go on with a session in {self.path}, but it was removed meanwhile; "
                f"start again for a new one"
            ) from None

    def _repeated(self, digest: str) -> list[tuple[float, float]]:
        found = self._connection.execute(
            f"SELECT first.latency_ms, again.latency_ms FROM network_measurements first "
            f"JOIN network_measurements again ON again.genome = first.genome AND again.id > first.id "
            f"JOIN genomes ON first.genome = genomes.id {_OF_DEVICE}",
            (digest,),
        )
        return found.fetchall()


_OF_DEVICE = "JOIN sessions ON session = sessions.id JOIN devices ON device = devices.id WHERE digest = ?"
_MEASUREMENT_COLUMNS = ", ".join(f"m.{field}" for field in MEASUREMENT_FIELDS)


def _measurement(columns: list[object]) -> Measurement:
    return msgspec.convert(dict(zip(MEASUREMENT_FIELDS, columns, strict=True)), Measurement, strict=False)
