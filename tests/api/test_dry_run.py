"""A search that is only planned."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.api.equipment import NamedLatency, Opened, PretendingTrainer
from tests.cli.running import refused, run, run_json
from tvnsearch.api.dry_run import plan_search
from tvnsearch.api.evolve import evolve
from tvnsearch.api.planning import TRIAL_DRAWS
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.genome import trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.chdir(tmp_path)
    return Opened(tmp_path, monkeypatch)


def test_a_plan_says_what_would_be_trained_and_begins_nothing(opened: Opened, tmp_path: Path) -> None:
    report = plan_search(run=tmp_path / "run", **opened.options(workers=2))
    assert (report.trainings, report.iterations, report.seconds_per_training) == (8, 100, None)
    assert (report.strategy, report.population, report.tournament, report.workers) == ("tournament", 4, 2, 2)
    assert (report.seconds_per_iteration, report.winner_minutes) == (0.5, None)
    assert report.hours == report.unscaled_hours == 8 * 100 * 0.5 / 2 / 3600
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "runs").exists()


def test_minutes_scale_the_plan(opened: Opened) -> None:
    report = plan_search(**opened.options(minutes=2.0, trainings=100))
    assert report.trainings < 100
    assert report.seconds_per_training is not None
    assert report.winner_minutes == pytest.approx(0.6)
    assert report.hours < report.unscaled_hours


def test_a_plan_counts_what_the_budget_leaves_of_the_space(opened: Opened) -> None:
    options = opened.options(max_ms=0.3, max_params=5_000)
    left = plan_search(**options).space_left
    rng, space, latency = random.Random("3/trial"), load_space("digits"), NamedLatency()
    genomes = [sample_genome(space, rng) for _ in range(TRIAL_DRAWS)]
    counted = [genome for genome in genomes if trace(genome, 2).params <= 5_000]
    predicted = [estimate for estimate in latency.estimate(counted) if estimate.lower_ms <= 0.3]
    assert (left.genomes, left.within_counts, left.within_predictions) == (
        TRIAL_DRAWS,
        len(counted),
        len(predicted),
    )
    assert 0 < len(predicted) < len(counted) < TRIAL_DRAWS


def test_a_plan_is_that_of_the_search_that_follows(opened: Opened, tmp_path: Path) -> None:
    evolve(run=tmp_path / "run", **opened.options())
    plan_search(run=tmp_path / "run", **opened.options())
    with pytest.raises(UserError, match="expected the settings that the run"):
        plan_search(run=tmp_path / "run", **opened.options(trainings=9))


def test_a_plan_of_more_than_a_day_is_said(opened: Opened) -> None:
    opened.trainer = PretendingTrainer(seconds_per_iteration=1000.0)
    said: list[str] = []
    plan_search(watch=Watch(say=said.append), **opened.options())
    assert "more than a day, about 222 hours" in said[-1]


def command(opened: Opened) -> list[object]:
    options = opened.options()
    return ["evolve", *(part for name, value in options.items() for part in (f"--{name}", value))]


def test_people_and_programs_read_the_plan(opened: Opened, tmp_path: Path) -> None:
    arguments = [str(part).replace("_", "-") if str(part)[:2] == "--" else part for part in command(opened)]
    report = run_json(*arguments, "--dry-run", "--run", tmp_path / "run")
    assert (report["trainings"], report["iterations"]) == (8, 100)
    assert report["budget"]["max_params"] == 100_000
    assert report["space_left"]["genomes"] == TRIAL_DRAWS
    lines = run(*arguments, "--dry-run").stdout.splitlines()
    assert lines[0] == "train   8 networks for 100 iterations each, 1 at once"
    assert lines[1] == "search  strategy tournament, a pool of 4, 2 compete"
    assert lines[2] == "time    about 7 min here"
    assert lines[3].startswith("budget  ") and "of 4,000 random genomes" in lines[3]
    assert not (tmp_path / "run").exists()
    assert "annealing" in refused(*arguments, "--dry-run", "--strategy", "annealing")
