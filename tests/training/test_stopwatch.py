from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tvnsearch.training import stopwatch
from tvnsearch.training.stopwatch import Stopwatch


def test_it_counts_while_the_process_works():
    began = time.monotonic()
    with Stopwatch() as watch:
        while time.monotonic() < began + 0.6:
            sum(range(1000))
        assert watch.seconds == pytest.approx(0.6, abs=0.1)
        assert watch.stood_still_seconds == 0.0


def test_a_gap_in_the_time_does_not_count_whoever_looks_first(monkeypatch):
    """As if the process had been stopped: the clock has gone on, and nobody has looked at it meanwhile."""
    now = 100.0
    monkeypatch.setattr(stopwatch, "time", SimpleNamespace(monotonic=lambda: now))
    with Stopwatch() as watch:
        now = 100.2
        assert watch.seconds == pytest.approx(0.2)
        now = 104.2
        assert watch.seconds == pytest.approx(0.2, abs=0.06)
        assert watch.stood_still_seconds == pytest.approx(4.0, abs=0.06)
        now = 104.3
        assert watch.seconds == pytest.approx(0.3, abs=0.06)
