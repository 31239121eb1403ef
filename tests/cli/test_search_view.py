"""What a running search shows to people: live on a terminal, in lines elsewhere, the same in `status`."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from cli import live, output
from cli.search_view import SearchView
from tests.cli.running import run as command
from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.search import Journal, run_search
from tvnsearch.search.progress.told import SearchProgress


def searched(run: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> str:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=160, height=50)
    monkeypatch.setattr(output, "err", console)
    monkeypatch.setattr(live, "err", console)
    view = SearchView(2.0)
    with view, Journal.create(run, make_plan(trainings=20)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), view.show)
    return shown.getvalue()


def test_a_terminal_sees_counts_front_workers_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = searched(tmp_path / "run", monkeypatch, is_terminal=True)
    for words in (
        "sampled",
        "rejected by counts",
        "of 20 trained",
        "to go",
        "front of fitness",
        "individual",
    ):
        assert words in shown
    assert "of 1 workers training" in shown
    assert "under its bounds" in shown


def test_the_terminal_is_free_before_the_first_step_and_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bars of what is done before a search and after it are drawn there."""
    console = Console(file=io.StringIO(), force_terminal=True, width=160, height=50)
    monkeypatch.setattr(live, "err", console)
    monkeypatch.setattr(output, "err", console)
    shown: set[bool] = set()

    def show(event: SearchProgress) -> None:
        view.show(event)
        shown.add(view._live.is_started)

    with SearchView(2.0) as view, Journal.create(tmp_path, make_plan(trainings=2)) as journal:
        assert not view._live.is_started
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), show)
        assert shown == {True, False}
        assert not view._live.is_started


def test_elsewhere_there_are_plain_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = searched(tmp_path / "run", monkeypatch, is_terminal=False)
    assert "\x1b" not in shown
    assert "evolve: " in shown
    assert shown.count("has fitness") + shown.count("could not be trained") == 20


def test_status_prints_the_figures_of_the_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched(tmp_path / "run", monkeypatch, is_terminal=False)
    shown = command("status", tmp_path / "run").stdout
    for words in ("of 20 trained", "0 s to go", "of 1 workers training", "front of fitness"):
        assert words in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "nowhere"],
        ["resume", "nowhere"],
        ["finalists", "nowhere"],
        ["evolve", "--max-ms", "50", "--db", "nowhere.sqlite"],
        ["evolve", "--max-ms", "phone=3"],
        ["evolve", "--max-ms", "50", "--workers", "0"],
        ["evolve", "--max-ms", "50", "--tournament", "500"],
        ["evolve", "--max-ms", "50", "--dry-run", "--db", "nowhere.sqlite"],
        ["evolve", "--config", "nowhere.toml"],
        ["pick", "nowhere", "--max-ms", "50"],
    ],
)
def test_mistakes_are_told_before_anything_heavy_is_loaded(arguments: list[str]) -> None:
    assert loaded_by_mistake(arguments).isdisjoint({"torch", "sklearn", "av", "lightgbm"})


def test_an_unknown_strategy_is_told_before_even_numpy_is_loaded() -> None:
    arguments = ["evolve", "--max-ms", "50", "--strategy", "annealing"]
    heavy = {"torch", "sklearn", "av", "lightgbm", "numpy", "pandas", "scipy"}
    assert loaded_by_mistake(arguments).isdisjoint(heavy)


def loaded_by_mistake(arguments: list[str]) -> set[str]:
    """The modules that a command has loaded when it refuses its arguments."""
    code = (
        "import sys\nfrom cli.main import main\nsys.argv[1:] = " + repr(arguments) + "\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("tvnsearch: expected ")
    code, *modules = done.stdout.split()
    assert code == "2"
    return set(modules)
