from __future__ import annotations

import multiprocessing
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from latency_db import LatencyStore
from latency_db.merge import merge
from latency_db.verify import verify
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT, layer_profile, measurement
from tvnsearch.devices import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome import trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space


def silent(done, total):
    pass


def fill(path, fingerprint, seed, count):
    """A session with ``count`` genomes; the first of them measured twice."""
    rng = random.Random(seed)
    with LatencyStore(path) as store:
        session = store.start_session(fingerprint, "{}", seed, 50.0)
        for index in range(count):
            genome = sample_genome(load_space("digits"), rng)
            row = store.add_profile(session, index, genome, 10, layer_profile(genome, 10, index), 1.5)
            if index == 0:
                store.add_repeat(row, measurement(3.0, trusted=False), 2.0)
    return session


def records(path):
    """Everything in a file but the numbers that its rows have there."""
    with closing(sqlite3.connect(path)) as connection:
        genomes = connection.execute(
            "SELECT digest, fingerprint, s.uid, started, space, seed, max_ms, g.uid, seed_index, genome_id, "
            "genome, classes, g.id FROM genomes g JOIN sessions s ON session = s.id JOIN devices d "
            "ON device = d.id ORDER BY g.uid"
        ).fetchall()
        found = []
        for *genome, number in genomes:
            rows = connection.execute(
                "SELECT * FROM layer_calls WHERE genome = ? ORDER BY position", (number,)
            ).fetchall()
            measurements = connection.execute(
                "SELECT * FROM network_measurements WHERE genome = ? ORDER BY id", (number,)
            ).fetchall()
            found.append((genome, [row[1:] for row in rows], [(row[1], *row[3:]) for row in measurements]))
    return found


def test_two_files_become_one_that_holds_the_records_of_both(tmp_path):
    one, two = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    fill(one, FINGERPRINT, 1, 3)
    fill(two, FINGERPRINT, 2, 4)
    fill(two, OTHER_FINGERPRINT, 3, 2)
    both = sorted(records(one) + records(two), key=lambda record: record[0][7])
    progress = []
    added = merge(two, one, lambda done, total: progress.append((done, total))).devices
    assert records(one) == both
    assert verify(one, silent).problems == []
    counts = {device.device: (device.sessions, device.genomes, device.measurements) for device in added}
    assert counts == {
        fingerprint_digest(FINGERPRINT): (1, 4, 5),
        fingerprint_digest(OTHER_FINGERPRINT): (1, 2, 3),
    }
    with LatencyStore(two) as store:
        assert {device.device: device.rows for device in added} == {
            device.digest: device.rows for device in store.devices()
        }
    assert progress == [(done, 6) for done in range(1, 7)]


def test_the_same_file_twice_adds_nothing_in_either_direction(tmp_path):
    one, two = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    fill(one, FINGERPRINT, 1, 3)
    fill(two, FINGERPRINT, 1, 3)  # the same networks and figures, measured again: other records
    merge(two, one, silent)
    merged = records(one)
    assert len(merged) == 6
    for source, target in ((two, one), (one, one), (one, two), (two, one)):
        merge(source, target, silent)
    assert records(one) == records(two) == merged


def test_a_file_that_went_on_gives_only_what_is_new(tmp_path):
    one, two = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    session = fill(two, FINGERPRINT, 1, 3)
    merge(two, one, silent)
    genome = sample_genome(load_space("digits"), random.Random(9))
    with LatencyStore(two) as store:
        store.add_profile(session, 3, genome, 10, layer_profile(genome, 10), 1.0)
        store.add_repeat(store.unrepeated(fingerprint_digest(FINGERPRINT))[0], measurement(2.0), 1.0)
    (added,) = merge(two, one, silent).devices
    calls = len(trace(genome, 10).calls)
    assert (added.sessions, added.genomes, added.rows, added.measurements) == (0, 1, calls, 2)
    assert records(one) == records(two)


def test_imported_tables_come_along_unless_their_name_is_taken(tmp_path):
    one, two = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    for path, tables in ((one, {"phone": "old"}), (two, {"phone": "new", "board": "other"})):
        with LatencyStore(path):
            pass
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(
                "INSERT INTO imported_tables (name, imported, format, content) VALUES (?, '', 'csv', ?)",
                tables.items(),
            )
    assert merge(two, one, silent).tables == ["board"]
    with closing(sqlite3.connect(one)) as connection:
        held = dict(connection.execute("SELECT name, content FROM imported_tables").fetchall())
    assert held == {"phone": "old", "board": "other"}


def test_what_is_not_sound_is_refused(tmp_path):
    one, two = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    fill(two, FINGERPRINT, 1, 2)
    with closing(sqlite3.connect(two)) as connection, connection:
        connection.execute("UPDATE layer_calls SET macs = macs + 1 WHERE genome = 2 AND position = 1")
    with pytest.raises(UserError, match=r"genome 2.*macs.*db verify --db") as error:
        merge(two, one, silent)
    assert "\n" not in str(error.value)
    assert len(records(one)) == 1
    with closing(sqlite3.connect(two)) as connection, connection:
        connection.execute('UPDATE devices SET fingerprint = \'{"device":"cuda"}\'')
    with pytest.raises(UserError, match="fingerprint of another"):
        merge(two, tmp_path / "three.sqlite", silent)
    with pytest.raises(UserError, match="no such file"):
        merge(tmp_path / "nowhere.sqlite", one, silent)


def test_a_merge_killed_at_any_moment_is_finished_by_another(tmp_path):
    whole, into = tmp_path / "whole.sqlite", tmp_path / "into.sqlite"
    fill(whole, FINGERPRINT, 1, 60)
    code = (
        "import sys; from pathlib import Path; from latency_db.merge import merge\n"
        "def slowly(done, total): print(done, flush=True)\n"
        "merge(Path(sys.argv[1]), Path(sys.argv[2]), slowly)"
    )
    rng = random.Random(0)
    acknowledged = 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(whole), str(into)], stdout=subprocess.PIPE, text=True
        )
        lines = [process.stdout.readline()]
        time.sleep(rng.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        acknowledged = max(acknowledged, int(lines[-1]))
        assert verify(into, silent).problems == []
        assert acknowledged <= len(records(into)) <= 60
    merge(whole, into, silent)
    assert records(into) == records(whole)


def test_merges_and_a_profiler_at_once_double_nothing(tmp_path):
    sources, into = [tmp_path / "one.sqlite", tmp_path / "two.sqlite"], tmp_path / "into.sqlite"
    for seed, source in enumerate(sources):
        fill(source, FINGERPRINT, seed, 8)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=merge, args=(source, into, silent)) for source in sources * 2]
    writers.append(context.Process(target=fill, args=(into, FINGERPRINT, 5, 8)))
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 5
    assert verify(into, silent).problems == []
    held = {record[0][7]: record for record in records(into)}
    assert len(held) == 24
    assert all(held[record[0][7]] == record for source in sources for record in records(source))
