"""What a running search shows to people: live on a terminal, in lines elsewhere, the same in `status`."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from cli import live, output
from cli.profile_view import ProfileView
from cli.reports import print_measurements
from cli.search_view import SearchView
from latency_db.profiler import ProfileProgress
from tests.cli.running import run as command
from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.devices.measurement import Measurement
from tvnsearch.search import Journal, run_search
from tvnsearch.search.progress.figures import Counts, ProgressKind, SearchProgress, Workload


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


def plain_lines(events: Sequence[SearchProgress], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said of events that are a minute apart, where there is no terminal."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=False, width=80)
    monkeypatch.setattr(output, "err", console)
    monkeypatch.setattr(live, "err", console)
    monkeypatch.setattr(live.time, "monotonic", itertools.count(1000.0, 60.0).__next__)
    with SearchView(50.0) as view:
        for event in events:
            view.show(event)
    return shown.getvalue().splitlines()


def event(
    kind: ProgressKind = "judged", text: str = "", minutes: float = 0.0, **counts: int
) -> SearchProgress:
    known = dict.fromkeys(Counts.__struct_fields__, 0)
    trained = counts.get("trained", 0)
    return SearchProgress(
        kind=kind,
        text=text,
        number=trained,
        counts=Counts(**(known | counts)),
        trainings=1000,
        best_fitness=1.512 if trained else None,
        front=(),
        under_bound_share=None,
        workload=Workload(1, (), 1.0, 11_520.0 if trained else None),
        elapsed_seconds=60 * minutes,
    )


def test_elsewhere_a_line_comes_only_when_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = {"sampled": 1_234_567, "rejected_predicted": 1_234_000}
    ended = "individual 567 has fitness 1.512"
    assert plain_lines(
        [
            event(minutes=1),
            event(minutes=2),
            event(minutes=3, **judged),
            event("training", minutes=4, **judged),
            event("training", minutes=5, **judged),
            event("trained", ended, minutes=6, trained=1, **judged),
            event("training", minutes=7, trained=1, **judged),
            event("noted", "the predictor has learnt", minutes=8, trained=1, **judged),
            event("training", minutes=9, trained=1, **judged),
            event("judged", minutes=10, trained=1, failed=2, **judged),
        ],
        monkeypatch,
    ) == [
        "evolve: 0 of 1,000 trained, best -; 0 sampled, 0 rejected; 60 s gone",
        "evolve: 0 of 1,000 trained, best -; 1.23 M sampled, 1.23 M rejected; 3 min gone",
        f"{ended} (1 of 1,000 trained, best 1.512, 3.2 h to go)",
        "the predictor has learnt",
        "evolve: 1 of 1,000 trained, 2 failed, best 1.512; 1.23 M sampled, 1.23 M rejected; 10 min gone, "
        "3.2 h to go",
    ]


def test_plain_lines_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = searched(tmp_path / "run", monkeypatch, is_terminal=False)
    lines = [line for line in shown.splitlines() if "could not be trained" not in line]
    assert max(map(len, lines)) < 120


def test_a_plain_line_of_a_profile_is_short_and_names_only_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=False, width=80)
    monkeypatch.setattr(output, "err", console)
    monkeypatch.setattr(live, "err", console)
    monkeypatch.setattr(live.time, "monotonic", itertools.count(1000.0, 60.0).__next__)
    with ProfileView() as view:
        view.update(ProfileProgress(1_234, 12, 1.0, 10.0, None, 9, None, False))
        view.update(ProfileProgress(1_234_567, 12_345, 500.0, 600.0, 12.3, 24, 104.5, False))
    first, second = shown.getvalue().splitlines()
    assert first == "profile: 10 %, at most 9 min to go; 12 networks, 1,234 layer rows"
    assert second == (
        "profile: 83 %, at most 1.7 h to go; 12,345 networks, 1,234,567 layer rows, held-out error 104.5 %, "
        "noise floor 12.3 %"
    )
    assert len(second) < 120


def test_why_a_measurement_is_not_trusted_is_a_line_below_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "other work on this machine disturbed 40 % of the passes, so that too few are left"
    trusted = Measurement(20.0, 19.9, 20.1, 20.0, 21.0, 25.0, 500, 3, True)
    monkeypatch.setattr(output.out, "_width", 80)
    print_measurements(
        "Measured", ["tvn-1", "tvn-2"], [trusted, replace(trusted, trusted=False, reason=reason)]
    )
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    rows = [line.split() for line in lines if line.startswith("tvn-")]
    assert [row[-1] for row in rows[:2]] == ["yes", "no"]
    assert lines[-1] == f"tvn-2 is not trusted: {reason}"


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
