"""What a latency store holds of a device, read from its file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from latency_db.contents import described
from latency_db.records import MEASUREMENT_FIELDS
from latency_db.schema import connect, naming_database_errors
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, genome_from_json

if TYPE_CHECKING:
    import pandas as pd

OF_DEVICE = "JOIN sessions ON session = sessions.id JOIN devices ON device = devices.id WHERE digest = ?"
"""Narrows a query of table ``genomes`` to one device."""

_MEASUREMENT_COLUMNS = ", ".join(f"m.{field}" for field in MEASUREMENT_FIELDS)


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

    ``parts`` has for each call the place of the first call that is executed as one with it, at which the
    latency of all stands; the others have 0. ``network`` is the whole network measured in the same session.
    ``row`` is the genome's number in its store, ``uid`` names the record in whatever store it lies.
    """

    row: int
    uid: str
    genome: Genome
    classes: int
    latencies_ms: tuple[float, ...]
    parts: tuple[int, ...]
    network: Measurement


class LatencyReader:
    """A latency database file, read; a context manager. Devices are asked for by their fingerprint's digest.

    Raises:
        UserError: the file cannot be opened, is damaged, is something else, or comes from a newer release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = connect(path)

    def devices(self) -> list[StoredDevice]:
        """What the file holds."""
        found = self._select(
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

    def undisturbed(self, digest: str) -> list[tuple[str, float]]:
        """The identity of each genome that was not always disturbed when profiled, and its latency in ms.

        Raises:
            UserError: the file holds nothing of that device.
        """
        self.device(digest)
        return self._select(
            f"SELECT genomes.uid, m.latency_ms "
            f"FROM genomes JOIN network_measurements m ON m.genome = genomes.id "
            f"{OF_DEVICE} AND m.samples > 0 "
            f"AND m.id = (SELECT min(id) FROM network_measurements WHERE genome = genomes.id) "
            f"ORDER BY genomes.id",
            (digest,),
        )

    def genome(self, row: int) -> Genome:
        """The genome of a row number."""
        [(text,)] = self._select("SELECT genome FROM genomes WHERE id = ?", (row,))
        return genome_from_json(text, str(self.path))

    def profiles(self, digest: str) -> list[StoredProfile]:
        """Every profiled genome of a device with its latencies, oldest first.

        Raises:
            UserError: the file holds nothing of that device.
        """
        self.device(digest)
        with self._snapshot():
            genomes = self._select(
                f"SELECT genomes.id, genomes.uid, genomes.genome, classes, {_MEASUREMENT_COLUMNS} "
                f"FROM genomes JOIN network_measurements m ON m.genome = genomes.id {OF_DEVICE} "
                f"AND m.id = (SELECT min(id) FROM network_measurements WHERE genome = genomes.id) "
                f"ORDER BY genomes.id",
                (digest,),
            )
            rows = self._select(
                f"SELECT genomes.id, latency_ms, part FROM layer_calls JOIN genomes "
                f"ON layer_calls.genome = genomes.id {OF_DEVICE} ORDER BY genomes.id, position",
                (digest,),
            )
        latencies_ms: dict[int, list[float]] = {}
        parts: dict[int, list[int]] = {}
        for row, latency_ms, part in rows:
            latencies_ms.setdefault(row, []).append(latency_ms)
            parts.setdefault(row, []).append(part)
        return [
            StoredProfile(
                row,
                uid,
                genome_from_json(text, str(self.path)),
                classes,
                tuple(latencies_ms[row]),
                tuple(parts[row]),
                _measurement(columns),
            )
            for row, uid, text, classes, *columns in genomes
        ]

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
            f"{OF_DEVICE} ORDER BY layer_calls.genome, position",
            self._connection,
            params=(digest,),
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Several reads of one state of the file, whoever writes meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def _select(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows that a query finds.

        Raises:
            UserError: the file cannot be read any more.
        """
        with naming_database_errors(self.path):
            return self._connection.execute(statement, values).fetchall()

    def _repeated(self, digest: str) -> list[tuple[float, float]]:
        return self._select(
            f"SELECT first.latency_ms, again.latency_ms FROM network_measurements first "
            f"JOIN network_measurements again ON again.genome = first.genome AND again.id > first.id "
            f"JOIN genomes ON first.genome = genomes.id {OF_DEVICE}",
            (digest,),
        )


def _measurement(columns: list[object]) -> Measurement:
    return msgspec.convert(dict(zip(MEASUREMENT_FIELDS, columns, strict=True)), Measurement, strict=False)
