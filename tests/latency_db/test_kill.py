"""Real profiler processes, killed at any moment or writing together: what they reported is in the file."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest

from latency_db import LatencyStore
from latency_db.verify import verify


def start(path, minutes, kind, seed=0):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.latency_db.profile_process",
            *map(str, (path, minutes, kind, seed)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )


def reported(lines):
    """The identity of each measured genome, as often as it was reported; the last counts reported."""
    genomes = rows = 0
    acknowledged = Counter()
    for line in lines:
        genomes, rows, identity = line.split()
        acknowledged[identity] += 1
    return acknowledged, int(genomes), int(rows)


def measured(path):
    """The identity of each measured genome, as often as it is in the file, which must be sound."""
    found = verify(path, lambda done, total: None)
    assert found.problems == []
    with closing(sqlite3.connect(path)) as connection:
        return Counter(
            identity
            for (identity,) in connection.execute(
                "SELECT genome_id FROM network_measurements m JOIN genomes ON m.genome = genomes.id"
            )
        ), found


@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("fake", 5),
        ("real", 2),
        pytest.param("fake", 50, marks=pytest.mark.slow),
        pytest.param("real", 50, marks=pytest.mark.slow),
    ],
)
def test_a_profiler_killed_at_any_moment_loses_nothing_it_reported(tmp_path, kind, kills):
    path = tmp_path / "latency.sqlite"
    rng = random.Random(kind)
    acknowledged = Counter()
    for kill in range(kills):
        process = start(path, 60, kind)
        # every other one while it starts: imports, opens or makes the file, reads what is there
        lines = [] if kill % 2 else [process.stdout.readline()]
        time.sleep(rng.uniform(0, 3.0 if kill % 2 else 0.6))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        counts, genomes, rows = reported(lines)
        acknowledged += counts
        in_file, found = measured(path)
        assert acknowledged <= in_file
        assert found.genomes >= genomes
        assert found.rows >= rows
        # at most the one that each was busy with was kept and not reported
        assert in_file.total() <= acknowledged.total() + kill + 1
    with LatencyStore(path) as store:
        (device,) = store.devices()
    process = start(path, device.minutes + 0.02, kind)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0
    acknowledged += reported(lines)[0]
    in_file, found = measured(path)
    assert acknowledged <= in_file
    with LatencyStore(path) as store:
        assert store.minutes(device.digest) >= device.minutes + 0.02


def test_four_profilers_fill_one_file_and_nothing_is_lost_or_doubled(tmp_path):
    path = tmp_path / "new folder" / "latency.sqlite"
    profilers = [start(path, 0.05, "fake", seed) for seed in range(4)]
    acknowledged = Counter()
    for profiler in profilers:
        acknowledged += reported(profiler.communicate()[0].splitlines())[0]
    assert [profiler.returncode for profiler in profilers] == [0] * 4
    in_file, found = measured(path)
    assert in_file == acknowledged
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*), count(DISTINCT digest) FROM devices").fetchone() == (1, 1)
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (4,)
        drawn = connection.execute(
            "SELECT seed, seed_index FROM genomes JOIN sessions ON session = sessions.id"
        ).fetchall()
    assert len(set(drawn)) == len(drawn) == found.genomes
    assert {seed for seed, _ in drawn} == set(range(4))
