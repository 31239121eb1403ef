from __future__ import annotations

import pytest

from tvnsearch.devices import reference
from tvnsearch.devices.reference import keep_best_ns, known_best_ns, reference_path


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
