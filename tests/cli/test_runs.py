"""What is asked of runs, as a user asks it: real processes, their output, their exit codes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import asdict

from tests.cli.running import refused, run_json
from tests.cli.running import run as command
from tests.search.fakes import FakeFitness, FakeLatency, all_trained, in_process, make_plan, measurement
from tvnsearch.api.exported import ExportedLatency
from tvnsearch.api.status import FinalScores
from tvnsearch.search import Budget, Journal, pick, run_search


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    with Journal.create(run, make_plan()) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return run


def test_pick_answers_another_budget(run: Path) -> None:
    printed = run_json("pick", run, "--max-ms", 1, "--max-params", "50k")
    answer = pick(run, Budget(1.0, 50_000))
    assert printed["picked"]["number"] == answer.picked.number
    assert printed["picked"]["ci_high_ms"] <= 1.0
    assert {"genome", "latency_ms", "params", "macs", "fitness", "top1"} <= printed["picked"].keys()
    assert (printed["keeping"], printed["trained"]) == (answer.keeping, answer.trained)
    shown = command("pick", run, "--max-ms", 1, "--max-params", "50k").stdout
    assert f"{answer.picked.latency_ms:.2f}" in shown


def test_a_budget_that_no_trained_network_keeps_is_one_line(run: Path) -> None:
    assert "but none does" in refused("pick", run, "--max-ms", 0.001)


def test_status_counts_what_each_limit_rejected_and_what_duplicates_saved(run: Path) -> None:
    shown = command("status", run).stdout
    for words in ("by parameters", "by the predictor", "by real measurement", "of training"):
        assert words in shown


def test_status_names_no_limit_that_was_not_asked_for_and_nothing_that_did_not_happen(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    plan = make_plan(budget=Budget(max_ms=2.0), trainings=3)
    with Journal.create(run, plan) as journal:
        run_search(journal, FakeLatency(), FakeFitness(fails=False), in_process(), lambda event: None)
    shown = command("status", run).stdout
    for words in ("by parameters", "by GFLOPs", "by megabytes", "other devices", "stopped early", "failed"):
        assert words not in shown
    assert "3 trained" in shown


def test_status_says_what_of_the_budget_is_used_and_what_did_not_bind(run: Path, tmp_path: Path) -> None:
    printed, shown = run_json("status", run), command("status", run).stdout
    winner = printed["winner"]
    used_ms, used_params = winner["latency_ms"] / 2, winner["params"] / printed["max_params"]
    assert (
        f"budget  the winner uses {100 * used_ms:.3g} % of --max-ms 2, {100 * used_params:.3g} % of "
        f"--max-params {printed['max_params']:,}\n"
    ) in shown
    assert "did not bind" not in shown
    with Journal.create(tmp_path / "wide", make_plan(budget=Budget(2.0, 10**12), trainings=15)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    assert (
        "budget  --max-params 1,000,000,000,000 did not bind: the search rejected no genome by that\n"
        in command("status", tmp_path / "wide").stdout
    )


def test_a_run_that_another_process_writes_is_not_gone_on_with(run: Path) -> None:
    with Journal.open(run):
        assert f"process {os.getpid()} on " in refused("resume", run)
        assert command("pick", run, "--max-ms", 2).returncode == 0


def test_an_unknown_strategy_and_an_empty_budget_are_one_line(tmp_path: Path) -> None:
    sentence = refused("evolve", "--max-ms", 50, "--strategy", "annealing", "--run", tmp_path / "new")
    assert "tournament, ageing, random or pareto, but got 'annealing'" in sentence
    assert "--max-mb" in refused("evolve", "--max-ms", 50, "--max-mb", 0, "--run", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_fitness_of_a_paused_network_is_shown_as_foretold(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan(early_stopping=True, iterations=90)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(fails=False), in_process(), lambda event: None)
        budgets_ms = [one.measurement.ci_high_ms for one in all_trained(journal)]
    max_ms = next(ms for ms in budgets_ms if pick(run, Budget(ms)).picked.stopped)
    picked = pick(run, Budget(max_ms)).picked
    shown = command("pick", run, "--max-ms", max_ms).stdout
    assert f"individual {picked.number} is paused: its fitness is foretold" in shown
    assert f"have reached {picked.reached:.3f};" in shown
    assert run_json("pick", run, "--max-ms", max_ms)["picked"]["stopped"]
    assert "foretold" not in command("pick", run, "--max-ms", 2).stdout
    assert "foretold" in command("status", run).stdout


@pytest.mark.parametrize("option", ["resume", "finalists"])
def test_no_workers_are_refused(run: Path, option: str) -> None:
    assert "expected 1 worker or more, but got 0; say --workers 1" in refused(option, run, "--workers", 0)


@pytest.mark.parametrize("columns", [30, 40, 60, 120])
def test_the_front_is_whole_on_a_narrow_terminal(run: Path, columns: int) -> None:
    shown = command("status", run, columns=columns).stdout
    front = sorted(run_json("status", run)["front"], key=lambda point: -point["fitness"])
    words = shown.split()
    for point in front[:8]:
        assert f"{point['latency_ms']:.2f}" in words
        assert f"{point['fitness']:.3f}" in words
    assert "…" not in shown


@pytest.mark.parametrize(
    ("max_ms", "keeps", "told"),
    [
        (2.0, True, ", and keeps the budget of 2 ms"),
        (2.0, False, "does not keep the budget of 2 ms: what was promised holds for torch"),
        (None, None, "; the budget is for another device"),
    ],
)
def test_the_summary_says_what_the_file_takes(
    run: Path, tmp_path: Path, max_ms: float | None, keeps: bool | None, told: str
) -> None:
    shutil.copytree(run, tmp_path / "run")
    number = run_json("status", run)["winner"]["number"]
    file = ExportedLatency(
        **asdict(measurement(1.234)), threads=2, clips=1, max_ms=max_ms, keeps_budget=keeps
    )
    scores = FinalScores(number, 8, 0.5, 0.7, 1.0, None, 60.0, 1e-6, exported=file)
    (tmp_path / "run" / "winner").mkdir()
    (tmp_path / "run" / "winner" / "scores.json").write_bytes(msgspec.json.encode(scores))
    [line] = [line for line in command("status", tmp_path / "run").stdout.splitlines() if "onnx" in line]
    assert "model.onnx takes 1.23 ms (95 % interval 1.21 to 1.26 ms) in ONNX Runtime on the CPU" in line
    assert told in line
    assert run_json("status", tmp_path / "run")["winner"]["exported"]["keeps_budget"] is keeps
