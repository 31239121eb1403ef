"""A search by a recipe of one's own, on a device of one's own to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict

from tests.api.equipment import Opened
from tests.cli.running import refused, run, run_json
from tvnsearch.api.dry_run import plan_search
from tvnsearch.api.evolve import evolve, resume
from tvnsearch.api.finalists import finalists
from tvnsearch.api.recipes import asked_settings
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.search import Journal
from tvnsearch.search.events import FinalTrained
from tvnsearch.search.executors import opening
from tvnsearch.training.recipe import Recipe, load_recipe

SGD = "optimizer = 'sgd'\nbatch_size = 16\niterations = 50\nmax_seconds = 9.0\nseed = 4\n"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sgd.toml").write_text(SGD)
    return Opened(tmp_path, monkeypatch)


def without_iterations(opened: Opened, **changes: Any) -> dict[str, Any]:
    options = opened.options(**changes)
    del options["iterations"]
    return options


def test_all_networks_of_a_search_are_trained_by_its_recipe(opened: Opened) -> None:
    evolve(run="run", **opened.options(recipe="sgd.toml", minutes=0.01))
    searched = {(one.optimizer, one.batch_size) for one in opened.trainer.recipes}
    assert searched == {("sgd", 16)}  # timed, searched, and the winner trained longer
    assert 9.0 not in {one.max_seconds for one in opened.trainer.recipes}


def test_networks_and_finalists_are_mirrored_as_the_recipe_of_the_search_says(opened: Opened) -> None:
    evolve(run="run", **opened.options(recipe={"mirror": "always"}))
    finalists("run", 2, iterations=300)
    assert len(opened.trainer.recipes) > 2
    assert {one.mirror for one in opened.trainer.recipes} == {"always"}


def test_a_run_goes_on_by_the_recipe_that_it_began_with(opened: Opened) -> None:
    evolve(run="run", **opened.options(recipe="sgd.toml"))
    opened.trainer.recipes.clear()
    Path("sgd.toml").unlink()
    finalists("run", 2)
    assert opened.trainer.recipes == [Recipe(iterations=100, optimizer="sgd", batch_size=16)] * 2


def test_the_same_command_goes_on_and_one_with_another_recipe_does_not(opened: Opened) -> None:
    asked = opened.options(recipe="sgd.toml")
    evolve(run="run", **asked)
    trained = len(opened.trainer.trained)
    evolve(run="run", **asked)
    assert len(opened.trainer.trained) == trained
    Path("sgd.toml").write_text("optimizer = 'sgd'\n")
    with pytest.raises(UserError, match="expected the settings that the run"):
        evolve(run="run", **asked)


def test_a_recipe_gives_the_iterations_unless_they_are_asked_for(opened: Opened) -> None:
    assert plan_search(**without_iterations(opened, recipe="sgd.toml")).iterations == 50
    said: list[str] = []
    report = plan_search(watch=Watch(say=said.append), **opened.options(recipe="sgd.toml"))
    assert report.iterations == 100
    assert report.recipe == asdict(Recipe(iterations=100, optimizer="sgd", batch_size=16))
    assert said[-1] == (
        "networks would be trained by the recipe that was given: batch_size 16, optimizer sgd; its 50 "
        "iterations give way to the 100 asked for; its max_seconds and seed are left out, as the search has "
        "its own"
    )


def test_a_recipe_is_given_by_name_file_record_or_table(opened: Opened) -> None:
    assert asked_settings({"max_ms": 1.0, "recipe": "quick"}).training.iterations == 1000
    assert asked_settings({"max_ms": 1.0, "recipe": "paper"}) == asked_settings({"max_ms": 1.0})
    Path("plan.toml").write_text("[budget]\nmax_ms = 1.0\n[training.recipe]\ndropout = 0.25\n")
    from_table = asked_settings({}, "plan.toml")
    assert from_table == asked_settings({"max_ms": 1.0, "recipe": {"dropout": 0.25}})
    Path("dropout.toml").write_text("dropout = 0.25\n")
    assert from_table == asked_settings({"max_ms": 1.0, "recipe": "dropout.toml"})


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [("slow", "expected a recipe (paper, quick) or a TOML file, got 'slow'"), ("wrong.toml", "not a recipe")],
)
def test_what_is_no_recipe_is_one_line(opened: Opened, recipe: str, sentence: str) -> None:
    Path("wrong.toml").write_text("droput = 0.5\n")
    assert sentence in refused("evolve", "--max-ms", 50, "--recipe", recipe)
    evolve(run="run", **opened.options())
    assert sentence in refused("finalists", "run", "--recipe", recipe)
    with pytest.raises(UserError, match=r"expected the keys of a recipe, but: .*droput"):
        asked_settings({"max_ms": 1.0, "recipe": {"droput": 0.5}})


def final_events(run: str) -> list[FinalTrained]:
    with Journal.read(Path(run)) as journal:
        return [event for event in journal.events() if isinstance(event, FinalTrained)]


def test_finalists_of_another_length_are_trained_again_and_not_mistaken(opened: Opened) -> None:
    evolve(run="run", **opened.options())
    finalists("run", 3)
    opened.trainer.recipes.clear()
    longer = finalists("run", 2, iterations=300)
    assert opened.trainer.recipes == [Recipe(iterations=300)] * 2
    assert len(longer.finalists) == 2
    opened.trainer.recipes.clear()
    assert finalists("run", 2, iterations=300).finalists == longer.finalists
    assert opened.trainer.recipes == []
    finalists("run", 3)  # two have weights of other trainings by now
    assert opened.trainer.recipes == [Recipe(iterations=100)] * 2
    recipes = [event.recipe for event in final_events("run")]
    assert recipes == [None] * 3 + [asdict(Recipe(iterations=300))] * 2 + [None] * 2


def test_finalists_have_a_recipe_of_their_own(opened: Opened) -> None:
    evolve(run="run", **opened.options())
    said: list[str] = []
    finalists("run", 1, recipe="sgd.toml", watch=Watch(say=said.append))
    assert opened.trainer.recipes[-1] == Recipe(iterations=50, optimizer="sgd", batch_size=16)
    assert said[0] == (
        "finalists are trained for 50 iterations, those of the plan are 100; recipe: batch_size 16, "
        "optimizer sgd"
    )
    report = run_json("finalists", "run", "--count", 1, "--recipe", "quick", "--iterations", 70)
    assert opened.trainer.recipes[-1] == Recipe(iterations=70)
    assert report["finalists"][0]["iterations"] == 4  # those that the trainer of this test makes
    with pytest.raises(UserError, match="expected iterations of at least 1, but got 0"):
        finalists("run", iterations=0)


def test_the_length_of_the_plan_is_no_other_length(opened: Opened) -> None:
    evolve(run="run", **opened.options())
    finalists("run", 2)
    opened.trainer.recipes.clear()
    finalists("run", 2, iterations=100, recipe="paper")
    assert opened.trainer.recipes == []


def test_a_winner_of_another_length_is_handed_over_by_whoever_goes_on(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolve(run="run", **opened.options())
    finalists("run", 1)
    with monkeypatch.context() as patch:
        patch.setattr("tvnsearch.api.finalists.hand_over_finalist", interrupt)
        monkeypatch.setattr("tests.api.equipment.SECONDS", 600.0)
        with pytest.raises(KeyboardInterrupt):
            finalists("run", 1, iterations=300)
    winner = msgspec.to_builtins(resume("run").winner)
    assert winner["training_seconds"] == 600.0


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_networks_train_and_are_scored_on_what_the_user_says(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "gpus_here", lambda: 2)
    report = plan_search(**opened.options(train_on="cuda:1"))
    assert (report.device, report.train_on) == ("cpu", "cuda:1")
    evolve(run="run", **opened.options(train_on="cuda:1"))
    assert opened.trainer.devices == {"cuda"}
    resume("run", train_on="cpu")
    finalists("run", 1, train_on="cpu")
    assert opened.trainer.devices == {"cuda", "cpu"}
    evolve(run="run", **opened.options())
    assert [(one.train_on, one.gpus_per_worker) for one in opened.workforces] == [
        ("cuda:1", 1.0),
        ("cuda:1", 1.0),
        ("cpu", 1.0),
        ("cpu", 1.0),
        ("cpu", 1.0),
    ]


def test_hours_of_another_training_device_are_said_as_such(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "gpus_here", lambda: 2)
    said: list[str] = []
    evolve(run="run", watch=Watch(say=said.append), **opened.options(train_on="cuda", workers=2))
    assert any("about 3 min here, trained on cuda and measured on cpu" in line for line in said)
    arguments = [
        part if not str(part).startswith("--") else str(part).replace("_", "-")
        for name, value in opened.options(train_on="cuda").items()
        for part in (f"--{name}", value)
    ]
    lines = run("evolve", *arguments, "--dry-run").stdout.splitlines()
    assert lines[2] == "time    about 7 min here, trained on cuda and measured on cpu"


@pytest.mark.parametrize(
    ("gpus", "options", "sentence"),
    [
        (0, {}, "--train-on cuda, but torch sees none here, only a CPU; say --train-on cpu"),
        (1, {"workers": 3}, r"for 3 workers, but 1 fit on 1 GPU\(s\) with 1 for each; say --workers 1"),
        (2, {"workers": 3, "gpus_per_worker": 0.5}, None),
    ],
)
def test_gpus_that_are_not_here_are_refused_before_anything_is_opened(
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    options: dict[str, Any],
    sentence: str | None,
) -> None:
    monkeypatch.setattr(opening, "gpus_here", lambda: gpus)
    asked = opened.options(train_on="cuda", **options)
    if sentence is None:
        assert evolve(run="run", **asked).winner is not None
        return
    with pytest.raises(UserError, match=sentence):
        evolve(run="run", **asked)
    assert not opened.counts
    assert not Path("run").exists()


def test_a_run_that_goes_on_without_its_gpus_says_so_before_anything_is_opened(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolve(run="run", **opened.options())
    opened.counts.clear()
    monkeypatch.setattr(opening, "gpus_here", lambda: 0)
    assert "torch sees none here" in refused("resume", "run", "--train-on", "cuda")
    assert "torch sees none here" in refused("finalists", "run", "--train-on", "cuda")
    assert not opened.counts


def test_the_papers_recipe_is_the_default() -> None:
    assert load_recipe("paper") == Recipe()
