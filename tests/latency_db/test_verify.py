from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from latency_db import LatencyStore
from latency_db.verify import verify
from tests.latency_db.fakes import layer_profile


def silent(done, total):
    pass


def change(path, *statements):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_a_sound_file_is_counted_and_has_no_problems(filled, digest):
    progress = []
    found = verify(filled.path, lambda done, total: progress.append((done, total)))
    assert found.problems == []
    (device,) = filled.devices()
    assert (found.genomes, found.rows, found.measurements) == (8, device.rows, 8)
    assert found.apart == 0
    assert progress == [(done, 8) for done in range(1, 9)]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM layer_calls WHERE genome = 3 AND position = 1", r"genome 3.*layer rows.*layer calls"),
        ("UPDATE layer_calls SET macs = macs + 1 WHERE genome = 3 AND position = 0", r"genome 3.*macs is"),
        ("UPDATE layer_calls SET params = 7 WHERE genome = 3 AND position = 0", r"genome 3.*params is 7"),
        ("UPDATE layer_calls SET in_height = 7 WHERE genome = 3 AND position = 0", r"genome 3.*in_height is"),
        (
            "UPDATE layer_calls SET type = 'dense' WHERE genome = 3 AND position = 0",
            r"genome 3.*type is 'dense'",
        ),
        ("UPDATE layer_calls SET name = 'x' WHERE genome = 3 AND position = 0", r"genome 3.*name is 'x'"),
        ("UPDATE layer_calls SET latency_ms = -1 WHERE genome = 3 AND position = 0", r"latency_ms is -1"),
        ("UPDATE layer_calls SET latency_ms = 9e999 WHERE genome = 3 AND position = 0", r"latency_ms is inf"),
        ("UPDATE layer_calls SET latency_ms = 'fast' WHERE genome = 3", r"latency_ms is 'fast'"),
        ("UPDATE layer_calls SET spread_ms = -1 WHERE genome = 3 AND position = 0", r"spread_ms is -1"),
        ("UPDATE network_measurements SET latency_ms = -1 WHERE genome = 3", r"genome 3.*latency_ms is -1"),
        ("UPDATE network_measurements SET p99_ms = 9e999 WHERE genome = 3", r"genome 3.*p99_ms is inf"),
        ("DELETE FROM network_measurements WHERE genome = 3", r"genome 3.*no measurement"),
        ("UPDATE genomes SET genome = '{}' WHERE id = 3", r"genome 3.*cannot be read"),
        ("UPDATE genomes SET genome = x'ff00' WHERE id = 3", r"genome 3.*cannot be read"),
        ("UPDATE genomes SET classes = 'ten' WHERE id = 3", r"genome 3.*cannot be read"),
        ("UPDATE genomes SET genome_id = '0' WHERE id = 3", r"genome 3.*said to be 0"),
        ("UPDATE genomes SET session = 99 WHERE id = 3", r"row of genomes belongs to a row of sessions"),
        ("UPDATE devices SET digest = '0'", r"device 0 has the fingerprint of another"),
        ("UPDATE devices SET fingerprint = 'cpu'", r"fingerprint that cannot be read"),
    ],
)
def test_each_thing_that_is_wrong_is_said_once(filled, statement, said):
    change(filled.path, statement)
    found = verify(filled.path, silent)
    (problem,) = found.problems
    assert re.search(said, problem)


def test_a_layer_that_is_shorter_than_a_stamp_is_sound(filled):
    change(filled.path, "UPDATE layer_calls SET latency_ms = 0, spread_ms = 0 WHERE position = 0")
    assert verify(filled.path, silent).problems == []


def test_all_that_is_wrong_is_listed(filled):
    change(
        filled.path,
        "UPDATE layer_calls SET macs = 1 WHERE genome = 2",
        "DELETE FROM network_measurements WHERE genome IN (4, 5)",
    )
    problems = verify(filled.path, silent).problems
    assert [problem.split(" of ")[0] for problem in problems] == ["genome 2", "genome 4", "genome 5"]


def test_networks_whose_layers_do_not_add_up_are_counted_but_no_damage(filled):
    change(
        filled.path,
        "UPDATE network_measurements SET latency_ms = latency_ms * 1.5 WHERE genome = 2",
        "UPDATE network_measurements SET latency_ms = latency_ms / 1.3 WHERE genome = 3",
        "UPDATE network_measurements SET latency_ms = latency_ms * 1.2 WHERE genome = 4",
    )
    found = verify(filled.path, silent)
    assert found.problems == []
    assert found.apart == 2


def test_damage_is_a_problem_and_not_a_refusal(filled):
    filled.close()
    content = filled.path.read_bytes()
    filled.path.write_bytes(content[:8192] + bytes(4096) + content[12288:])
    assert verify(filled.path, silent).problems
    filled.path.write_bytes(content[: len(content) // 2])
    assert verify(filled.path, silent).problems


def test_an_index_that_lacks_a_row_is_found(filled):
    change(
        filled.path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX genomes_of_session ON genomes (classes)' "
        "WHERE name = 'genomes_of_session'",
    )
    assert any("genomes_of_session" in problem for problem in verify(filled.path, silent).problems)


def test_what_a_profiler_writes_meanwhile_is_not_seen_by_halves(filled, digest):
    known = filled.profiles(digest)[0]
    with LatencyStore(filled.path) as other:
        session = other.start_session({"device": "cpu"}, "{}", 0, 50.0)

        def write(done, total):
            profile = layer_profile(known.genome, known.classes)
            other.add_profile(session, done, known.genome, known.classes, profile, 1.0)

        assert verify(filled.path, write).genomes == 8
    assert verify(filled.path, silent).genomes == 16
