"""What the API tells while it works, as people see it: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import io
from threading import Thread

import pytest
from rich.console import Console

from cli import output


@pytest.fixture(params=[True, False], ids=["terminal", "elsewhere"])
def console(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(file=io.StringIO(), force_terminal=request.param, width=100)
    monkeypatch.setattr(output, "err", console)
    return console


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_task_has_a_bar_and_sentences_are_lines(console: Console) -> None:
    with output.watching() as watch:
        watch.progress("decode clips", 0.5, "3 of 6 videos")
        watch.say("left out: a.mp4")
        watch.progress("train", 0.25, "loss 1.0")
        watch.progress("train", 1.0, "loss 0.5")
    for words in ("decode clips", "3 of 6 videos", "left out: a.mp4", "train", "loss"):
        assert words in shown(console)
    assert ("\x1b" in shown(console)) == console.is_terminal


def test_a_task_that_is_done_stays_done_until_it_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=100)
    monkeypatch.setattr(output, "err", console)
    with output.watching() as watch:
        for share in (0.5, 1.0, 1.0, 0.5, 1.0):
            watch.progress("score", share, "")
    assert [line.split(",")[0].strip() for line in shown(console).splitlines()] == ["score: 50 %"] * 2


def test_lines_are_ten_seconds_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=100)
    monkeypatch.setattr(output, "err", console)
    clock = iter([1000.0, 1001.0, 1005.0, 1012.0])  # when the bar begins, then each time that it is told
    monkeypatch.setattr(output.time, "monotonic", lambda: next(clock, 1012.0))
    with output.watching() as watch:
        for share in (0.1, 0.2, 0.3):
            watch.progress("train", share, "")
    assert [line.split(",")[0] for line in shown(console).splitlines()] == ["train: 10 %", "train: 30 %"]


def test_any_thread_may_tell(console: Console) -> None:
    with output.watching() as watch:
        threads = [Thread(target=watch.progress, args=(f"task {n}", 0.5, "")) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(f"task {n}" in shown(console) for n in range(8))


def test_what_ends_early_ends_its_bar(console: Console) -> None:
    with pytest.raises(KeyboardInterrupt), output.watching() as watch:
        watch.progress("train", 0.5, "")
        raise KeyboardInterrupt
    watch.progress("train", 0.75, "")
    watch.say("after it")
    assert shown(console).rstrip().endswith("after it")
    assert "75" not in shown(console)
