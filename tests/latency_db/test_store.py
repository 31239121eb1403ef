from __future__ import annotations

import multiprocessing
import random
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from latency_db import LatencyStore
from latency_db.schema import APPLICATION_ID, SCHEMA_VERSION
from tests.genome.strategies import PAPER, genomes
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT, layer_profile, measurement
from tvnsearch.devices import Measurement, fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_id, trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space

milliseconds = st.floats(0, 1e6)
measurements = st.builds(
    Measurement,
    *[milliseconds] * 6,
    samples=st.integers(0, 10**6),
    disturbed=st.integers(0, 10**6),
    trusted=st.booleans(),
    reason=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


def sampled(count, seed=0):
    rng = random.Random(seed)
    return [sample_genome(load_space("digits"), rng) for _ in range(count)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(genomes() | genomes(PAPER), st.integers(1, 700), measurements), min_size=1, max_size=3
    ),
    st.integers(0, 2**32),
)
def test_what_is_put_in_comes_out(entries, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latency.sqlite"
        put_in = []
        with LatencyStore(path) as store:
            session = store.start_session(FINGERPRINT, "{}", seed, 50.0)
            for index, (genome, classes, network) in enumerate(entries):
                profile = layer_profile(genome, classes, seed)
                parts = tuple(place // (seed % 3 + 1) * (seed % 3 + 1) for place in range(len(profile.parts)))
                profile = structs.replace(profile, network=network, parts=parts)
                store.add_profile(session, index, genome, classes, profile, 1.0)
                put_in.append((genome, classes, profile.latencies_ms, parts, network))
        with LatencyStore(path) as store:
            came_out = store.profiles(fingerprint_digest(FINGERPRINT))
            assert [
                (one.genome, one.classes, one.latencies_ms, one.parts, one.network) for one in came_out
            ] == put_in
            assert [store.genome(one.row) for one in came_out] == [genome for genome, *_ in put_in]


def test_rows_are_the_layer_calls_with_their_latencies(store, digest):
    (genome,) = sampled(1)
    profile = layer_profile(genome, 10)
    store.add_profile(store.start_session(FINGERPRINT, "{}", 0, 50.0), 0, genome, 10, profile, 1.0)
    rows = store.rows(digest)
    calls = trace(genome, 10).calls
    assert list(rows.latency_ms) == list(profile.latencies_ms)
    assert list(rows.spread_ms) == list(profile.spreads_ms)
    assert list(rows.type) == [call.type for call in calls]
    assert list(rows.name) == [name for name, _ in trace(genome, 10).named_calls()]
    for prefix in ("in", "out"):
        columns = [f"{prefix}_{axis}" for axis in ("frames", "height", "width", "channels")]
        shapes = [tuple(getattr(call, f"{prefix}_shape")) for call in calls]
        assert list(rows[columns].itertuples(index=False, name=None)) == shapes
    for field in ("kernel", "stride", "hidden", "mode", "activation", "params", "macs", "bytes_moved"):
        assert list(rows[field]) == [getattr(call, field) for call in calls]
    assert set(rows.genome_id) == {genome_id(genome)}
    assert list(rows.position) == list(range(len(calls)))


def test_devices_are_kept_apart(filled, digest):
    (genome,) = sampled(1, seed=9)
    session = filled.start_session(OTHER_FINGERPRINT, "{}", 0, 50.0)
    filled.add_profile(session, 0, genome, 10, layer_profile(genome, 10), 60.0)
    other = fingerprint_digest(OTHER_FINGERPRINT)
    assert [(device.digest, device.genomes) for device in filled.devices()] == [(digest, 8), (other, 1)]
    assert [profile.genome for profile in filled.profiles(other)] == [genome]
    assert len(filled.rows(other)) == len(trace(genome, 10).calls)
    assert filled.minutes(other) == 1.0
    assert filled.minutes(digest) == 8 * 1.5 / 60
    assert filled.next_seed_index(digest, 0) == 8
    assert filled.next_seed_index(digest, 1) == 0
    assert filled.next_seed_index(other, 0) == 1


def test_another_devices_database_is_one_sentence(filled, digest):
    other = fingerprint_digest(OTHER_FINGERPRINT)
    for ask in (filled.rows, filled.profiles, filled.device):
        with pytest.raises(UserError) as error:
            ask(other)
        text = str(error.value)
        assert all(
            word in text for word in (other, digest, "Imaginary 9000", str(filled.path), "tvnsearch profile")
        )
        assert "\n" not in text
    assert filled.minutes(other) == 0
    assert filled.noise_floor_percent(other) is None


def test_an_empty_database_says_to_profile(store, digest):
    store.start_session(FINGERPRINT, "{}", 0, 50.0)
    with pytest.raises(UserError, match="holds none yet; run `tvnsearch profile` first"):
        store.rows(digest)


def test_the_noise_floor_is_the_median_difference_of_repeats(filled, digest):
    assert filled.noise_floor_percent(digest) is None
    rows = filled.unrepeated(digest)
    firsts = {profile.row: profile.network.latency_ms for profile in filled.profiles(digest)}
    for row, factor in zip(rows, (1.02, 0.95, 1.10), strict=False):
        filled.add_repeat(row, measurement(firsts[row] * factor), 3.0)
    assert filled.noise_floor_percent(digest) == pytest.approx(5)
    assert filled.unrepeated(digest) == rows[3:]
    assert filled.minutes(digest) == pytest.approx((8 * 1.5 + 3 * 3) / 60)
    assert {profile.row: profile.network.latency_ms for profile in filled.profiles(digest)} == firsts


def test_a_genome_is_there_whole_or_not_at_all(store, digest):
    first, second = sampled(2)
    session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
    store.add_profile(session, 0, first, 10, layer_profile(first, 10), 1.0)
    short = layer_profile(second, 10)
    short = structs.replace(short, latencies_ms=short.latencies_ms[:-1])
    with pytest.raises(ValueError, match="zip"):
        store.add_profile(session, 1, second, 10, short, 1.0)
    assert [profile.genome for profile in store.profiles(digest)] == [first]
    assert store.next_seed_index(digest, 0) == 1


def test_a_session_that_was_removed_is_one_sentence_and_its_number_is_not_given_out_again(store):
    (genome,) = sampled(1)
    session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DELETE FROM sessions")
    with pytest.raises(UserError, match="removed meanwhile; start again"):
        store.add_profile(session, 0, genome, 10, layer_profile(genome, 10), 1.0)
    assert store.start_session(OTHER_FINGERPRINT, "{}", 0, 50.0) != session


def broken_files(folder):
    whole = folder / "whole.sqlite"
    with LatencyStore(whole) as store:
        session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
        for index, genome in enumerate(sampled(8)):
            store.add_profile(session, index, genome, 10, layer_profile(genome, 10), 1.0)
    content = whole.read_bytes()
    text = folder / "text.sqlite"
    text.write_text("layer,latency_ms\n" * 100)
    cut = folder / "cut.sqlite"
    cut.write_bytes(content[: len(content) // 2])
    scribbled = folder / "scribbled.sqlite"
    scribbled.write_bytes(content[:4096] + bytes(4096) + content[8192:])
    foreign = folder / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    newer = folder / "newer.sqlite"
    with LatencyStore(newer):
        pass
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    older = folder / "older.sqlite"
    with LatencyStore(older):
        pass
    with sqlite3.connect(older) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    without_table = folder / "without_table.sqlite"
    with LatencyStore(without_table):
        pass
    with sqlite3.connect(without_table) as connection:
        connection.execute("DROP TABLE network_measurements")
    without_column = folder / "without_column.sqlite"
    with LatencyStore(without_column):
        pass
    with sqlite3.connect(without_column) as connection:
        connection.execute("ALTER TABLE layer_calls DROP COLUMN spread_ms")
    return {
        text: "file is not a database",
        cut: "malformed",
        scribbled: "damaged|malformed|cannot be read",
        foreign: "another program's",
        newer: "upgrade tvnsearch",
        older: "profile again",
        without_table: "no column network_measurements",
        without_column: r"no column layer_calls\.spread_ms",
        folder: "cannot be opened",
        text / "below.sqlite": "cannot be opened",
    }


def test_a_file_that_is_no_latency_database_is_one_sentence_and_left_alone(tmp_path):
    for path, words in broken_files(tmp_path).items():
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(UserError, match=words) as error:
            LatencyStore(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
        assert before is None or path.read_bytes() == before


def test_the_file_says_what_it_is(store):
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def write_genomes(path, number):
    with LatencyStore(path) as store:
        session = store.start_session(FINGERPRINT, "{}", number, 50.0)
        for index, genome in enumerate(sampled(10, seed=number)):
            store.add_profile(session, index, genome, 10, layer_profile(genome, 10), 1.0)


def test_several_processes_make_and_fill_one_file(tmp_path, digest):
    path = tmp_path / "new folder" / "latency.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_genomes, args=(path, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    with LatencyStore(path) as store:
        assert len(store.devices()) == 1
        assert sorted(genome_id(profile.genome) for profile in store.profiles(digest)) == sorted(
            genome_id(genome) for number in range(4) for genome in sampled(10, seed=number)
        )
