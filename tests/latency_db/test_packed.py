from __future__ import annotations

import json
import lzma
import sqlite3
from contextlib import closing

import pytest

from latency_db import LatencyStore
from latency_db.merge import merge
from latency_db.packed import is_packed, pack, read_header, unpack
from latency_db.verify import verify
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT
from tests.latency_db.test_merge import fill, silent
from tvnsearch.devices import fingerprint_digest
from tvnsearch.errors import UserError

DIGEST = fingerprint_digest(FINGERPRINT)


@pytest.fixture
def db(tmp_path):
    """Two sessions of one device, and one of another."""
    path = tmp_path / "latency.sqlite"
    fill(path, FINGERPRINT, 0, 4)
    fill(path, OTHER_FINGERPRINT, 1, 2)
    fill(path, FINGERPRINT, 2, 3)
    return path


def packed(db, out):
    return pack(db, DIGEST, out, "tvnsearch 1", "CC0-1.0", {"mape_percent": 3.5}, silent)


def test_a_device_comes_out_of_its_packed_table_as_it_went_in(db, tmp_path):
    table = tmp_path / "cpu.jsonl.xz"
    header = packed(db, table)
    assert (header.genomes, header.licence, header.accuracy) == (7, "CC0-1.0", {"mape_percent": 3.5})
    assert header.fingerprint == FINGERPRINT
    assert read_header(table) == header
    assert is_packed(table) and not is_packed(db) and not is_packed(tmp_path / "none")
    into = tmp_path / "other.sqlite"
    [added] = merge(table, into, silent).devices
    assert (added.sessions, added.genomes, added.rows, added.measurements) == (2, 7, header.rows, 9)
    assert not verify(into, silent).problems
    with LatencyStore(db) as before, LatencyStore(into) as after:
        assert [device.digest for device in after.devices()] == [DIGEST]
        pairs = list(zip(before.profiles(DIGEST), after.profiles(DIGEST), strict=True))
        for one, other in pairs:
            assert (one.uid, one.genome, one.network, one.parts) == (
                other.uid,
                other.genome,
                other.network,
                other.parts,
            )
            assert other.latencies_ms == pytest.approx(one.latencies_ms, rel=1e-3)
        assert after.noise_floor_percent(DIGEST) == before.noise_floor_percent(DIGEST)
        assert after.minutes(DIGEST) == pytest.approx(before.minutes(DIGEST))
        assert sorted(before.undisturbed(DIGEST)) == sorted(after.undisturbed(DIGEST))
    assert not merge(table, db, silent).devices[0].genomes  # nothing that is there already
    assert not merge(db, into, silent).devices[0].genomes


def test_latencies_of_parts_and_disturbed_networks_are_kept(db, tmp_path):
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(
            "UPDATE layer_calls SET part = 0, latency_ms = 0 WHERE genome = 1 AND position = 1"
        )
        connection.execute("UPDATE layer_calls SET passes = 0 WHERE genome = 2")
    table, into = tmp_path / "cpu.jsonl.xz", tmp_path / "other.sqlite"
    packed(db, table)
    unpack(table, into)
    with LatencyStore(into) as store:
        first = store.profiles(DIGEST)[0]
        assert first.parts[:3] == (0, 0, 2) and first.latencies_ms[1] == 0
    with closing(sqlite3.connect(into)) as connection:
        passes = connection.execute("SELECT DISTINCT genome, passes FROM layer_calls ORDER BY 1").fetchall()
    assert passes[:3] == [(1, 12), (2, 0), (3, 12)]


def lines_of(table):
    return [json.loads(line) for line in lzma.open(table).read().splitlines()]


def write_lines(table, lines):
    table.write_bytes(lzma.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))


def changed(change):
    def damage(table):
        lines = lines_of(table)
        change(lines)
        write_lines(table, lines)

    return damage


DAMAGES = {
    "cut off": lambda table: table.write_bytes(table.read_bytes()[:-40]),
    "no text": lambda table: table.write_bytes(lzma.compress(b"\xff\xfe\n")),
    "empty": lambda table: table.write_bytes(lzma.compress(b"")),
    "another format": changed(lambda lines: lines[0].update(format="recipes")),
    "another version": changed(lambda lines: lines[0].update(version=9)),
    "a layer too few": changed(lambda lines: lines[3][7].pop()),
    "no such session": changed(lambda lines: lines[3].__setitem__(0, 7)),
    "not a network": changed(lambda lines: lines[3][5]["blocks"].clear()),
    "another network's number": changed(lambda lines: lines[3].__setitem__(3, "0" * 16)),
    "a negative latency": changed(lambda lines: lines[3][7].__setitem__(0, -1.0)),
    "half a measurement": changed(lambda lines: lines[3][10][0].pop()),
    "another device's fingerprint": changed(lambda lines: lines[0]["fingerprint"].update(threads="8")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_table_is_one_sentence_and_adds_nothing_unsound(db, tmp_path, damage):
    table, into = tmp_path / "cpu.jsonl.xz", tmp_path / "other.sqlite"
    packed(db, table)
    damage(table)
    with pytest.raises(UserError, match=r"^expected [^\n]+$"):
        merge(table, into, silent)
    assert not into.exists() or not verify(into, silent).problems


def test_what_is_not_there_or_not_sound_is_not_packed(db, tmp_path):
    with pytest.raises(UserError, match="expected latencies of the device 0000"):
        pack(db, "0000", tmp_path / "a.jsonl.xz", "", None, None, silent)
    with pytest.raises(UserError, match="expected to write the table"):
        packed(db, db / "a.jsonl.xz")
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE layer_calls SET macs = 7 WHERE genome = 1 AND position = 0")
    with pytest.raises(UserError, match=r"sound records in .*macs is 7"):
        packed(db, tmp_path / "a.jsonl.xz")
    assert not (tmp_path / "a.jsonl.xz").exists()
