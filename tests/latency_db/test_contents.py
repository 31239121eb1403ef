from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from latency_db import LatencyStore
from latency_db.contents import contents
from latency_db.lut import lookup_table
from latency_db.remove import device_to_remove, remove, session_to_remove
from latency_db.verify import verify
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT, layer_profile, measurement
from tvnsearch.devices import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space


@pytest.fixture
def two_devices(filled):
    """A session of another device, a second one of the first, one without any genome."""
    rng = random.Random(5)
    for number, fingerprint in enumerate((OTHER_FINGERPRINT, FINGERPRINT)):
        session = filled.start_session(fingerprint, "{}", number, 50.0)
        for index in range(3):
            genome = sample_genome(load_space("digits"), rng)
            filled.add_profile(session, index, genome, 10, layer_profile(genome, 10), 1.0)
    filled.add_repeat(1, measurement(2.0, trusted=False), 1.0)
    filled.start_session(OTHER_FINGERPRINT, "{}", 0, 50.0)
    return filled.path


def test_contents_are_counted_by_device_and_by_session(two_devices, filled, digest):
    held = contents(two_devices)
    first, other = held.devices
    assert (first.device, first.sessions, first.genomes, first.measurements) == (digest, 2, 11, 12)
    assert first.trusted_share == pytest.approx(11 / 12)
    assert (other.fingerprint, other.sessions, other.genomes) == (OTHER_FINGERPRINT, 2, 3)
    for device in held.devices:
        assert device.rows == len(filled.rows(device.device))
        assert device.distinct_calls == len(lookup_table(filled, device.device).rows) < device.rows
        assert device.first <= device.last
    assert [(session.session, session.genomes) for session in held.sessions] == [
        (1, 8),
        (2, 3),
        (3, 3),
        (4, 0),
    ]
    empty = held.sessions[-1]
    assert (empty.rows, empty.distinct_calls, empty.trusted_share, empty.first) == (0, 0, None, None)
    assert sum(session.rows for session in held.sessions) == first.rows + other.rows
    assert held.bytes >= two_devices.stat().st_size


def test_an_empty_file_holds_nothing(store):
    held = contents(store.path)
    assert (held.devices, held.sessions) == ([], [])


def test_a_device_is_removed_with_all_that_is_of_it(two_devices, digest):
    before = contents(two_devices)
    remove(two_devices, device_to_remove(before, digest))
    after = contents(two_devices)
    assert after.devices == before.devices[1:]
    assert [session.session for session in after.sessions] == [2, 4]
    assert after.bytes < before.bytes
    assert verify(two_devices, lambda done, total: None).problems == []
    with closing(sqlite3.connect(two_devices)) as connection:
        assert connection.execute("SELECT count(*) FROM layer_calls").fetchone()[0] == after.devices[0].rows


def test_a_session_is_removed_and_the_last_one_takes_its_device_along(two_devices, digest):
    other = fingerprint_digest(OTHER_FINGERPRINT)
    for session, devices in ((3, [digest, other]), (4, [digest, other]), (2, [digest])):
        before = contents(two_devices)
        remove(two_devices, session_to_remove(before, session))
        after = contents(two_devices)
        assert after.sessions == [held for held in before.sessions if held.session != session]
        assert [device.device for device in after.devices] == devices
    assert verify(two_devices, lambda done, total: None).problems == []


def test_a_profiler_at_work_on_another_device_is_not_disturbed(two_devices, filled, digest):
    with LatencyStore(two_devices) as other:
        known = other.profiles(digest)[0]
        remove(two_devices, device_to_remove(contents(two_devices), fingerprint_digest(OTHER_FINGERPRINT)))
        profile = layer_profile(known.genome, known.classes)
        other.add_profile(1, 9, known.genome, known.classes, profile, 1.0)
        assert len(filled.profiles(digest)) == 12


def test_what_is_not_there_is_one_sentence(two_devices, digest):
    held = contents(two_devices)
    with pytest.raises(UserError, match=f"{digest}.*'abc' came"):
        device_to_remove(held, "abc")
    with pytest.raises(UserError, match="1, 2, 3, 4, but 9 came"):
        session_to_remove(held, 9)
    with pytest.raises(UserError, match="no such file"):
        contents(two_devices.with_name("nowhere.sqlite"))
    with closing(sqlite3.connect(two_devices)) as connection, connection:
        connection.execute("UPDATE devices SET fingerprint = 'cpu'")
    with pytest.raises(UserError, match=r"no readable fingerprint.*db verify"):
        contents(two_devices)
