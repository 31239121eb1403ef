"""The commands as a user runs them: their output, their exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from latency_db import LatencyStore
from predictors import predictor_path
from tests.cli.running import refused, run, run_json
from tests.genome.released import COUNTS
from tests.predictors.synthetic_device import profiled_here, profiles, store_profiles
from tvnsearch.api.device_latency import DeviceLatency
from tvnsearch.devices import Meter, open_device
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.genome.zoo.peers import PEERS


def test_zoo_list_counts_exactly() -> None:
    listed = run_json("zoo", "list")
    released = {row["name"]: (row["params"], row["macs"]) for row in listed if row["kind"] == "released"}
    assert released == COUNTS
    assert listed[0]["paper"]["gflops"] == 13.0
    assert {row["name"] for row in listed if row["kind"] == "peer"} == set(PEERS)


def test_zoo_show_says_where_a_network_comes_from() -> None:
    shown = run_json("zoo", "show", "x3d-s")
    assert (shown["classes"], shown["kind"]) == (400, "peer")
    assert abs(shown["published"]["params_difference_percent"]) < 1
    assert "multiply-adds" in run("zoo", "show", "x3d-s").stdout
    assert "was not released" in " ".join(run("zoo", "show", "one-frame").stdout.split())


def test_zoo_prints_the_papers_figures_within_100_columns() -> None:
    listed = {row["name"]: row["paper"] for row in run_json("zoo", "list")}
    assert (listed["r2plus1d-50"]["cpu_ms"], listed["i3d"]["mlb_map_percent"]) == (3022, 48.3)
    assert listed["x3d-s"] is None
    lines = run("zoo", "list").stdout.splitlines()
    assert max(len(line.rstrip()) for line in lines if line.startswith(" ")) <= 100
    [resnet] = [line.split() for line in lines if line.startswith(" r2plus1d-101 ")]
    assert resnet[-3:] == ["3750", "140", "30.2"]
    shown = " ".join(run("zoo", "show", "i3d").stdout.split())
    assert (
        "prints: 216 GFLOPs, 1,865 ms on its CPU, 74.8 % top-1 on HMDB, 32.9 % mAP on Charades, "
        "48.3 % mAP on MLB-YouTube"
    ) in shown
    assert "does not say whether large or small" in " ".join(
        run("zoo", "show", "mobilenetv3-large-2f").stdout.split()
    )


def test_scale_gives_the_scaled_genome(tmp_path: Path) -> None:
    larger = tmp_path / "larger.json"
    printed = run_json("scale", "tvn-1", "--frames", 8, "--width", 2, "--resolution", 2)
    assert printed["input"] == {"height": 448, "width": 448, "frames": 8, "frame_stride": 4}
    assert run("scale", "tvn-m-2", "--compound", 1, "--out", larger).returncode == 0
    database = tmp_path / "none.sqlite"
    grown, original = (run_json("show", name, "--db", database) for name in (larger, "tvn-m-2"))
    assert 1.6 < grown["macs"] / original["macs"] < 2.6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scale", "tvn-1", "--width", 0), "width"),
        (("scale", "tvn-1", "--width", 2, "--compound", 1), "--compound"),
        (("scale", "tvn-1", "--out", "nowhere/x.json"), "nowhere/x.json"),
        (("zoo", "show", "resnet"), "tvn-1"),
    ],
)
def test_networks_that_cannot_be_made_are_one_line(arguments: tuple[object, ...], words: str) -> None:
    assert words in refused(*arguments)


def test_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    rows = run_json("sample", "--count", 3, "--seed", 4, "--max-params", "1M", "--out", tmp_path / "a")
    again = run_json("sample", "--count", 3, "--seed", 4, "--max-params", "1M", "--out", tmp_path / "b")
    assert [Path(row["file"]).read_text() for row in rows] == [Path(row["file"]).read_text() for row in again]
    assert all(row["params"] <= 1_000_000 for row in rows)
    shown = run_json("show", rows[0]["file"], "--db", "nowhere.sqlite")
    assert (shown["params"], shown["macs"]) == (rows[0]["params"], rows[0]["macs"])
    assert sum(layer["params"] for layer in shown["layers"]) == shown["params"]


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of this device whose predictor learnt from made-up latencies, none of a 3-D layer."""
    return profiled_here(tmp_path_factory.mktemp("profiled") / "latency.sqlite")


def shown_rows(printed: str) -> list[list[str]]:
    """The rows of the table of `tvnsearch show`, each in words."""
    lines = [line.split() for line in printed.splitlines()]
    header = next(number for number, words in enumerate(lines) if words[:2] == ["place", "layer"])
    return [words for words in lines[header + 2 : -1] if words]


def test_show_draws_a_line_a_block() -> None:
    shown = run("show", "tvn-1", "--db", "nowhere.sqlite").stdout
    assert "block 5" in shown
    assert "block 6" not in shown
    assert "2 frames of 224x224, one in 4" in shown


def test_rows_of_show_add_up_to_the_network() -> None:
    shown = run("show", "tvn-2", "--db", "nowhere.sqlite")
    rows = shown_rows(shown.stdout)
    assert ["9.2.1", "x", "5", "conv", "1x1", "1", "1x43x43x1024", "9694.09", "5,253,120"] in rows
    assert sum(int(row[-1].replace(",", "")) for row in rows) == COUNTS["tvn-2"][0]
    assert sum(float(row[-2]) for row in rows) * 1e6 == pytest.approx(COUNTS["tvn-2"][1], rel=1e-5)
    closing = shown.stdout.splitlines()[-1]
    assert closing == (
        "tvn-2: 109,438,487 parameters, 34.61 GMACs, 69.23 GFLOPs (2 x GMACs), 339 classes; "
        "input: 2 x 256x256, stride 7"
    )
    assert "tvnsearch profile" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_kernels_are_shown_along_the_axes_that_they_work_on() -> None:
    rows = shown_rows(run("show", "i3d", "--db", "nowhere.sqlite").stdout)
    assert rows[0][:7] == ["1.1.1", "3-D", "conv", "7x7x7", "2x2x2", "32x112x112x64", "26435.13"]
    layers = run_json("show", "tvn-1", "--db", "nowhere.sqlite")["layers"]
    sizes = {layer["type"]: (layer["kernel"], layer["stride"]) for layer in layers[:5]}
    assert sizes["spatial_conv"] == ([1, 1], [1, 1])
    assert sizes["temporal_pool"] == ([2], [2])
    assert sizes["context_gate"] == ([], [])


def test_show_predicts_where_a_predictor_knows(profiled: Path) -> None:
    shown = run_json("show", "tvn-2", "--db", profiled)
    assert sum(layer["latency_ms"] for layer in shown["layers"]) == pytest.approx(shown["latency_ms"])
    assert shown["gflops"] == 2 * shown["gmacs"] == 2 * COUNTS["tvn-2"][1] / 1e9
    printed = run("show", "tvn-2", "--db", profiled)
    assert not printed.stderr
    rows = shown_rows(printed.stdout)
    assert len(rows) < len(shown["layers"])
    assert sum(float(row[-2]) for row in rows) == pytest.approx(shown["latency_ms"], rel=1e-3)
    assert sum(float(row[-1]) for row in rows) == pytest.approx(100, abs=0.05 * len(rows))
    assert f"predicted on cpu: {shown['latency_ms']:.2f} ms" in printed.stdout.splitlines()[-1]


def test_predict_explains_what_would_save_most(profiled: Path) -> None:
    [report] = run_json("predict", "tvn-1", "--explain", "--db", profiled)
    saved_ms = [hint["saves_ms"] for hint in report["hints"]]
    assert saved_ms == sorted(saved_ms, reverse=True)
    max_ms = report["latency_ms"] - saved_ms[0] / 2
    told = [
        line[2:]
        for line in run(
            "predict", "tvn-1", "--explain", "--max-ms", max_ms, "--db", profiled
        ).stdout.splitlines()
        if line.startswith("- ")
    ]
    assert told[0].startswith(f"{saved_ms[0] / 2:.2f} ms over {max_ms:g} ms")
    assert told[1] == f"{report['hints'][0]['change']} saves {saved_ms[0]:.2f} ms and keeps the budget"


def test_predict_says_what_breaks_a_budget(profiled: Path) -> None:
    [report] = run_json("predict", "tvn-1", "--max-ms", 1, "--db", profiled)
    gone = report["over_budget"]
    left_ms = report["latency_ms"] - sum(layer["latency_ms"] for layer in gone)
    assert left_ms <= 1 < left_ms + gone[-1]["latency_ms"]
    assert gone[0]["latency_ms"] == max(layer["latency_ms"] for layer in report["layers"])
    [verdict] = [
        line
        for line in run("predict", "tvn-1", "--max-ms", 1, "--db", profiled).stdout.splitlines()
        if line.startswith("- ")
    ]
    assert verdict.startswith(f"- {report['latency_ms'] - 1:.2f} ms over 1 ms; ")
    assert all(layer["name"] in verdict for layer in gone)
    [kept] = run_json("predict", "tvn-1", "--max-ms", 1e6, "--db", profiled)
    assert kept["over_budget"] == []
    assert "ms under 1e+06 ms" in run("predict", "tvn-1", "--max-ms", 1e6, "--db", profiled).stdout


def test_a_search_keeps_to_the_level_that_was_asked_for(profiled: Path) -> None:
    bounds = []
    for level in (0.99, 0.8):
        with DeviceLatency.open(open_device("cpu"), profiled, 10, 50.0, level=level) as latency:
            bounds += latency.estimate([load_zoo("tvn-1")])
    assert bounds[0].lower_ms < bounds[1].lower_ms < bounds[1].upper_ms < bounds[0].upper_ms


def test_predictions_follow_the_tables(profiled: Path, tmp_path: Path) -> None:
    with Meter(open_device("cpu")) as meter:
        fingerprint, digest = meter.fingerprint, meter.digest
    db = tmp_path / "latency.sqlite"
    shutil.copy(profiled, db)
    shutil.copy(predictor_path(profiled, digest), predictor_path(db, digest))
    [before] = run_json("predict", "tvn-1", "--db", db)
    with LatencyStore(db) as store:
        store_profiles(store, fingerprint, profiles(30, seed=2))
    first, second = (run("predict", "tvn-1", "--db", db, "--json") for _ in range(2))
    assert f"{digest}: its tables have changed since" in first.stderr
    assert not second.stderr
    assert json.loads(first.stdout) == json.loads(second.stdout) != [before]


def test_bounds_are_narrower_at_a_lower_level(profiled: Path) -> None:
    [sure], [less_sure] = (
        run_json("predict", "tvn-1", "--level", level, "--db", profiled) for level in (0.99, 0.8)
    )
    assert sure["lower_ms"] < less_sure["lower_ms"] < less_sure["upper_ms"] < sure["upper_ms"]
    assert sure["latency_ms"] == less_sure["latency_ms"]


def test_show_does_not_guess_what_a_predictor_never_saw(profiled: Path) -> None:
    shown = run("show", "i3d", "--db", profiled)
    assert shown.returncode == 0
    assert "conv3d" in shown.stderr
    assert " ms" not in shown.stdout


def test_show_goes_on_without_a_readable_database(tmp_path: Path) -> None:
    (tmp_path / "latency.sqlite").write_text("not a database")
    for db in (tmp_path / "latency.sqlite", tmp_path):
        done = run("show", "tvn-1", "--db", db)
        assert done.returncode == 0
        assert str(db) in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "26,414,721 parameters" in done.stdout


def test_show_draws_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "tvn-1.svg"
    shown = run_json("show", "tvn-1", "--svg", path, "--db", "nowhere.sqlite", "--classes", 10)
    root = ElementTree.parse(path).getroot()
    assert f"tvn-1: {shown['params']:,} parameters" in root.attrib["aria-label"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evolve", "--max-ms", 50, "--max-params", "twelve"], "twelve"),
        (["evolve", "--max-ms", 50, "--device", "tpu", "--data", "nowhere"], "tpu"),
        (["evolve", "--max-ms", 50, "--space", "tiny"], "tiny"),
        (["evolve", "--max-ms", 50, "--db", "nowhere.sqlite", "--run", "new"], "tvnsearch profile"),
        (["predict", "tvn-1", "--db", "nowhere.sqlite"], "tvnsearch profile"),
        (["predict", "tvn-9"], "tvn-9"),
        (["show", "tvn-1", "--device", "tpu"], "tpu"),
        (["show", "tvn-1", "--svg", "nowhere/tvn-1.svg"], "nowhere"),
        (["measure", "tvn-1", "--device", "gpu"], "gpu"),
        (["status", "nowhere"], "nowhere"),
        (["resume", "nowhere"], "nowhere"),
        (["classify", "nowhere", "clip.mp4"], "nowhere"),
        (["export", "nowhere", "--out", "model.onnx"], "nowhere"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[object], said: str) -> None:
    assert said in refused(*arguments)


def test_a_process_of_its_own_ends_in_the_same_way() -> None:
    arguments = ["predict", "tvn-9"]
    command = [sys.executable, "-c", "from cli.main import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == run(*arguments)


def test_a_database_that_is_not_there_is_one_line_and_is_not_made(tmp_path: Path) -> None:
    typo = tmp_path / "latncy.sqlite"
    for command in (
        ("fit",),
        ("predict", "tvn-1"),
        ("lut", "show"),
        ("lut", "show", "--table", "phone"),
        ("lut", "export"),
    ):
        said = refused(*command, "--db", typo)
        assert str(typo) in said
        assert "there is none" in said
        assert not typo.exists()


def test_a_database_that_cannot_be_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in (("profile", "--minutes", 0.05), ("fit",), ("db", "list"), ("lut", "show")):
        assert str(tmp_path / "file") in refused(*command, "--db", tmp_path / "file" / "latency.sqlite")


def test_clips_that_are_not_there_are_one_line(profiled: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / "new"
    said = refused("evolve", "--max-ms", 50, "--db", profiled, "--data", "nowhere", "--run", run_folder)
    assert "nowhere" in said
    assert not run_folder.exists()


def test_malformed_files_are_refused_by_name(tmp_path: Path) -> None:
    genome = tmp_path / "genome.json"
    genome.write_text('{"input": {"height": 64, "width": 64}}')
    assert "frames" in refused("show", genome)
    space = tmp_path / "space.toml"
    space.write_text("kernel = { min = 9, max = 2 }")
    assert "kernel" in refused("sample", "--space", space, "--out", tmp_path / "out")
    database = tmp_path / "latency.sqlite"
    database.write_text("not a database")
    assert str(database) in refused("lut", "export", "--db", database)
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("evolve", "--max-ms", 50, "--data", tmp_path / "empty", "--db", database)
