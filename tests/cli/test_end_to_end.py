"""The main job as a user does it, in small: real clips, a profile, an interrupted search, a winner."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.search import Journal

SPACE = (Path(__file__).parents[2] / "benchmarks" / "tiny_space.toml").read_text()
TRAININGS = "SELECT number, json FROM events WHERE kind IN ('trained', 'failed') ORDER BY sequence"
COMMAND = [sys.executable, "-c", "from cli.main import main; main()"]


class World:
    """A folder in which everything of a user lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "XDG_DATA_HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object, code: int = 0) -> str:
        process = self.start(*arguments)
        printed, errors = process.communicate()
        assert process.returncode == code, errors
        return errors if code else printed

    def json(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def rows(self, query: str) -> list[Any]:
        connection = sqlite3.connect(self.folder / "run" / "journal.sqlite")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


SEARCH = (
    "evolve", "--max-ms", 30, "--max-params", "1M", "--space", "space.toml", "--data", "clips",
    "--strategy", "ageing", "--max-mb", 4, "--level", 0.95, "--db", "l.sqlite", "--run", "run",
    "--population", 3, "--tournament", 2, "--trainings", 5, "--iterations", 12,
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    (folder / "space.toml").write_text(SPACE)
    generate(folder / "clips", ClipsPerClass(8, 3, 3), digits=[0, 1])
    (folder / "clips" / "train" / "0-left" / "broken.mp4").write_bytes(b"no video at all")
    return World(folder)


@pytest.fixture(scope="module")
def profiled(world: World) -> Any:
    """A quarter of a minute, or longer where the machine's other work disturbs too many networks to learn."""
    command = ("profile", "--max-ms", 4, "--space", "space.toml", "--db", "l.sqlite", "--json", "--minutes")
    for minutes in (0.25, 0.5, 1.0, 2.0):
        process = world.start(*command, minutes)
        printed, errors = process.communicate()
        if process.returncode == 0:
            return json.loads(printed)
        assert process.returncode == 2 and "undisturbed ones; run `tvnsearch profile` for longer" in errors
    raise AssertionError(errors)


@pytest.fixture(scope="module")
def found(world: World, profiled: Any) -> Any:
    """Interrupted by Ctrl-C after its second training, then the same command again."""
    interrupted = world.start(*SEARCH)
    deadline = time.monotonic() + 120
    trained: list[Any] = []
    while len(trained) < 2 and time.monotonic() < deadline and interrupted.poll() is None:
        time.sleep(0.1)
        if (world.folder / "run" / "journal.sqlite").exists():
            trained = world.rows(TRAININGS)
    interrupted.send_signal(signal.SIGINT)
    errors = interrupted.communicate()[1]
    assert interrupted.returncode == 130, errors
    assert "Traceback" not in errors
    assert "of 5 networks are trained" in errors and "`tvnsearch resume run` goes on" in errors
    assert len(trained) >= 2
    report = world.json(*SEARCH, "--workers", 2)
    kept = world.rows(TRAININGS)
    assert kept[: len(trained)] == trained
    return report


def test_profile_reports_and_goes_on(world: World, profiled: Any) -> None:
    assert profiled["genomes"] >= 10
    assert profiled["rows"] > profiled["genomes"]
    assert 10 <= profiled["heldout"]["networks"] <= profiled["genomes"]
    again = world.json("profile", "--minutes", 0.25, "--space", "space.toml", "--db", "l.sqlite")
    assert (again["rows"], again["genomes"]) == (profiled["rows"], profiled["genomes"])


def test_predictions_add_up_and_agree_with_measurements(world: World, profiled: Any) -> None:
    files = [row["file"] for row in world.json("sample", "--count", 2, "--space", "space.toml", "--out", "g")]
    for row in world.json("predict", *files, "--db", "l.sqlite"):
        assert sum(layer["latency_ms"] for layer in row["layers"]) == pytest.approx(row["latency_ms"])
        assert row["lower_ms"] <= row["latency_ms"] <= row["upper_ms"]
    measured = world.json("measure", *files, "--max-seconds", 1, "--layers")
    assert [row["name"] for row in measured] == files
    known = [row for row in measured if row["ci_low_ms"] is not None]
    assert all(row["ci_low_ms"] <= row["latency_ms"] <= row["ci_high_ms"] for row in known)
    assert all(row in known or not row["trusted"] for row in measured)
    for row, predicted in zip(measured, world.json("predict", *files, "--db", "l.sqlite"), strict=True):
        names = [call["name"] for call in row["layers"]["calls"]]
        assert names == [layer["name"] for layer in predicted["layers"]]
        assert sum(call["latency_ms"] for call in row["layers"]["calls"]) == row["layers"]["sum_ms"]


def test_the_lookup_table_holds_every_distinct_call(world: World, profiled: Any) -> None:
    told = world.json("lut", "export", "--db", "l.sqlite", "--out", "table.csv")
    lines = (world.folder / "table.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(rows) == told["rows"]
    with closing(sqlite3.connect(world.folder / "l.sqlite")) as connection:
        [(undisturbed,)] = connection.execute("SELECT count(*) FROM layer_calls WHERE passes > 0")
    assert sum(int(row["count"]) for row in rows) == undisturbed <= profiled["rows"]
    assert world.json("lut", "export", "--db", "l.sqlite", "--format", "json", "--out", "t.json")[
        "rows"
    ] == len(rows)


def test_the_winner_keeps_its_budget_and_is_handed_over(world: World, found: Any) -> None:
    winner = found["winner"]
    assert found["trained"] + found["failed"] == 5
    assert winner["ci_high_ms"] <= 30
    assert winner["params"] <= 1_000_000
    assert winner["clips"] == 24
    assert winner["chance"] == 1 / 8
    assert 0 <= winner["top1"] <= winner["top5"] <= 1
    assert winner["max_relative_error"] < 1e-3
    assert winner["on_clips"]["clips"] > 0
    assert winner["on_clips"]["top1_agreement"] == 1
    file = winner["exported"]
    if file["ci_low_ms"] is not None:
        assert 0 < file["ci_low_ms"] <= file["latency_ms"] <= file["ci_high_ms"]
    assert (file["threads"], file["clips"], file["max_ms"]) == (1, 1, 30)
    if file["trusted"]:
        assert file["keeps_budget"] == (file["ci_high_ms"] <= 30)
    else:
        far_below = file["ci_high_ms"] is not None and file["ci_high_ms"] <= 20
        assert file["keeps_budget"] == (True if far_below else None)
    names = {Path(path).name for path in winner["files"]}
    assert {"genome.json", "model.json", "model.onnx", "scores.json", "weights.safetensors"} < names
    assert {"README.md", "config.json", "video_preprocessor_config.json", "layers_ms.json"} < names


def test_a_dry_run_says_the_plan_and_begins_nothing(world: World, found: Any) -> None:
    told = world.json(*SEARCH[:-10], "--run", "dry", "--trainings", 5, "--iterations", 12, "--dry-run")
    assert (told["trainings"], told["iterations"], told["strategy"]) == (5, 12, "ageing")
    assert 0 < told["hours"] == told["unscaled_hours"] < 1
    left = told["space_left"]
    assert 0 < left["within_predictions"] <= left["within_counts"] <= left["genomes"]
    assert not (world.folder / "dry").exists()


def test_nothing_is_trained_twice_and_status_agrees(world: World, found: Any) -> None:
    with Journal.read(world.folder / "run") as journal:
        history = journal.history()
    ids = [history.accepted[number].genome_id for number in history.ended]
    assert len(set(ids)) == len(ids) == 5
    assert world.json("status", "run") == found
    assert world.json("resume", "run")["winner"] == found["winner"]
    plan = json.loads(world.rows("SELECT json FROM plan")[0][0])
    assert (plan["search"]["strategy"], plan["budget"]["max_mb"]) == ("ageing", 4.0)
    assert (plan["asked"]["device"]["level"], plan["asked"]["workforce"]["workers"]) == (0.95, 1)
    shown = world.run("status", "run")
    assert "budget 30 ms" in shown
    assert f"model.onnx takes {found['winner']['exported']['latency_ms']:.2f} ms" in shown
    assert "chance is 12.5 %" in shown


def test_two_workers_went_on_where_one_was_interrupted(found: Any) -> None:
    assert found["workers"] == 2
    assert found["in_training"] == []
    assert max(point["fitness"] for point in found["front"]) == found["best_fitness"]


def test_the_winner_is_a_genome_and_a_classifier(world: World, found: Any) -> None:
    own = world.json("show", "run")
    assert (own["params"], own["classes"]) == (found["winner"]["params"], 8)
    clip = next((world.folder / "clips" / "test" / "1-up").iterdir())
    [labelled] = world.json("classify", "run", clip)
    assert len(labelled["labels"]) == 5
    assert labelled["labels"][0]["label"] in {
        f"{digit}-{way}" for digit in "01" for way in ("left", "right", "up", "down")
    }
    assert sum(label["probability"] for label in labelled["labels"]) <= 1.0001
    exported = world.json("export", "run", "--out", "again.onnx")
    assert exported["max_relative_error"] < 1e-3
    assert exported["exported"]["latency_ms"] > 0


def test_mistakes_on_a_real_run_lose_nothing(world: World, found: Any) -> None:
    before = world.json("status", "run")
    classified = world.start("classify", "run", "clips/train/0-left/broken.mp4")
    assert "cannot be decoded" in classified.communicate()[0]
    assert classified.returncode == 1
    other = [*SEARCH[:2], 20, *SEARCH[3:]]
    assert "--run" in world.run(*other, code=2)
    impossible = ["evolve", "--max-ms", 0.0001, *SEARCH[3:-10], "--run", "impossible"]
    assert "budget" in world.run(*impossible, code=2).splitlines()[-1]
    assert not (world.folder / "impossible").exists()
    another_device = ["predict", "tvn-1", "--db", "l.sqlite", "--threads", 2]
    if len(os.sched_getaffinity(0)) > 1:
        assert "tvnsearch profile" in world.run(*another_device, code=2)
    assert world.json("status", "run") == before
    assert before["winner"] == found["winner"]


def test_a_run_goes_on_in_the_space_that_it_began_in(world: World, found: Any) -> None:
    space = world.folder / "space.toml"
    space.write_text(SPACE.replace("max = 32, step = 16", "max = 64, step = 16"))
    assert "search space" in world.run(*SEARCH, code=2)
    space.unlink()
    assert world.json("resume", "run")["winner"] == found["winner"]
    space.write_text(SPACE)


def test_finalists_are_trained_anew_and_the_best_is_handed_over(world: World, found: Any) -> None:
    report = world.json("finalists", "run", "--count", 2)
    finalists = report["finalists"]
    assert 1 <= len(finalists) <= 2
    assert all(one["ci_high_ms"] <= 30 for one in finalists)
    assert finalists[0]["fitness"] == max(one["fitness"] for one in finalists)
    assert report["winner"]["number"] == finalists[0]["number"]
    assert report["winner"]["ci_high_ms"] == finalists[0]["ci_high_ms"]
    weights = (world.folder / finalists[0]["weights"]).read_bytes()
    assert (world.folder / "run" / "winner" / "weights.safetensors").read_bytes() == weights
