from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tvnsearch.devices import reference
from tvnsearch.devices.reference import (
    KEPT_COPIES,
    best_copy_ns,
    keep_best_ns,
    keep_copy_ns,
    known_best_ns,
    reference_path,
)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(reference.platformdirs, "user_state_path", lambda name: tmp_path / name)


def test_the_best_reading_is_kept_and_worse_ones_are_not():
    assert known_best_ns("abc") is None
    for reading_ns in (500, 700, 400, 600):
        keep_best_ns("abc", reading_ns)
    assert known_best_ns("abc") == 400
    assert known_best_ns("def") is None


def test_a_reading_of_yesterday_is_forgotten(monkeypatch):
    now_s = reference.time.time()
    keep_best_ns("abc", 400)
    monkeypatch.setattr(reference.time, "time", lambda: now_s + 25 * 3600)
    assert known_best_ns("abc") is None
    keep_best_ns("abc", 900)
    assert known_best_ns("abc") == 900


def test_a_reading_of_the_future_is_not_believed(monkeypatch):
    """A clock that was wrong once, and is right again."""
    now_s = reference.time.time()
    with monkeypatch.context() as wrong:
        wrong.setattr(reference.time, "time", lambda: now_s + 365 * 24 * 3600)
        keep_best_ns("abc", 100)
        keep_copy_ns("abc", "process", 200)
        assert (known_best_ns("abc"), best_copy_ns("abc")) == (100, 200)
    assert (known_best_ns("abc"), best_copy_ns("abc")) == (None, None)
    keep_best_ns("abc", 400)
    keep_copy_ns("abc", "another process", 1000)
    assert (known_best_ns("abc"), best_copy_ns("abc")) == (400, 1000)


def test_a_full_disk_keeps_what_is_known_and_nothing_half():
    keep_best_ns("abc", 400)
    with pytest.MonkeyPatch.context() as full:

        def fail(path, content):
            path.touch()
            raise OSError(errno.ENOSPC, "No space left on device")

        full.setattr(Path, "write_bytes", fail)
        keep_best_ns("abc", 300)
    assert known_best_ns("abc") == 400
    assert list(reference_path("abc").parent.iterdir()) == [reference_path("abc")]


def test_the_usual_best_copy_is_that_of_the_tenth_process_of_a_hundred():
    assert best_copy_ns("abc") is None
    for number in range(101):
        keep_copy_ns("abc", f"process {number}", 1000 + number)
    assert best_copy_ns("abc") == pytest.approx(1011, abs=1)
    for number in range(KEPT_COPIES):
        keep_copy_ns("abc", f"slow process {number}", 5000)
    assert best_copy_ns("abc") == 5000


def test_a_process_that_goes_on_for_hours_in_a_slow_phase_is_one_of_many():
    for number in range(10):
        keep_copy_ns("abc", f"process {number}", 1000)
    for _ in range(KEPT_COPIES):
        keep_copy_ns("abc", "search", 5000)
    assert best_copy_ns("abc") == 1000


def test_copies_and_the_yardstick_do_not_push_each_other_out(monkeypatch):
    keep_best_ns("abc", 400)
    keep_copy_ns("abc", "process", 1000)
    keep_best_ns("abc", 300)
    assert (known_best_ns("abc"), best_copy_ns("abc")) == (300, 1000)
    now_s = reference.time.time()
    monkeypatch.setattr(reference.time, "time", lambda: now_s + 25 * 3600)
    assert best_copy_ns("abc") is None


@pytest.mark.parametrize("text", ["", "{", '{"best_ns": "fast"}'])
def test_a_damaged_file_is_no_reference_and_is_replaced(text):
    path = reference_path("abc")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert known_best_ns("abc") is None
    keep_best_ns("abc", 300)
    assert known_best_ns("abc") == 300


def test_where_nothing_can_be_written_nothing_is_kept():
    reference_path("abc").parent.parent.mkdir(parents=True)
    reference_path("abc").parent.write_text("a file where the folder should be")
    keep_best_ns("abc", 300)
    assert known_best_ns("abc") is None
