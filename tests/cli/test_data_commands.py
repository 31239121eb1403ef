"""`tvnsearch data` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import refused, run, run_json
from tests.data import layouts
from tests.data.videos import write_video


@pytest.fixture
def root(tmp_path: Path) -> Path:
    video = write_video(tmp_path / "x.mp4", frames=24).read_bytes()
    layouts.charades(tmp_path / "charades", {".mp4": video})
    (tmp_path / "charades" / "Charades_v1_480" / "TR000.mp4").write_bytes(video[:500])
    (tmp_path / "charades" / "Charades_v1_480" / "TE001.mp4").write_bytes(b"")
    return tmp_path / "charades"


def test_inspect_counts_and_names(root: Path) -> None:
    told = run_json("data", "inspect", f"charades:{root}")
    assert (told["format"], told["classes"], told["multi_label"]) == ("charades", 3, True)
    assert sum(told["clips"].values()) == 19
    assert sum(told["usable"].values()) == 16
    assert told["broken"] == 2
    assert {Path(path).name for path in told["broken_files"]} == {"TR000.mp4", "TE001.mp4"}
    assert told["codecs"] == {"h264": 14}
    assert told["data"] == f"charades:{root}"


def test_inspect_says_what_it_recognised(root: Path) -> None:
    done = run("data", "inspect", root)
    assert done.returncode == 0, done.stderr
    assert f"recognised as charades:{root}" in done.stderr
    assert "TE001.mp4: the file is empty" in done.stdout
    assert "mean average precision" in done.stdout


def test_inspect_tells_what_is_left_out_and_what_should_be_known(tmp_path: Path) -> None:
    video = write_video(tmp_path / "x.mp4").read_bytes()
    files = [f"train/{name}/{number}.mp4" for name in ("Run", "jump") for number in range(4)]
    for file in (*files, "test/run/0.mp4", "test/jump/0.mp4", "more/1.mp4", "train/Run/notes.txt"):
        (tmp_path / "clips" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / file).write_bytes(video)
    told = run_json("data", "inspect", tmp_path / "clips")
    assert told["left_out"] == {"videos outside of class folders": 1, ".txt files": 1}
    assert told["notes"] == ["'Run' and 'run' are read as one class, 'Run'"]
    printed = run("data", "inspect", tmp_path / "clips").stdout
    assert "'Run' and 'run' are read as one class, 'Run'\n" in printed
    assert "videos outside of class folders 1" in " ".join(printed.split())


def test_a_spoiled_list_is_one_line_with_file_and_line(root: Path) -> None:
    listed = root / "Charades_v1_test.csv"
    listed.write_text(listed.read_text().replace("c002 0.00", "c002 soon"))
    line = refused("data", "inspect", root)
    assert "Charades_v1_test.csv" in line
    assert "line 5" in line
    assert "nothing is at" in refused("data", "inspect", "charades:/not/there")


def test_prepare_decodes_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = run_json("data", "prepare", f"charades:{root}", "--space", "digits")
    assert (first["classes"], first["resolution"]) == (3, 64)
    assert sum(first["usable"].values()) == 16
    assert first["broken"] == len(first["broken_files"]) == 2
    assert first["decoded"] + first["found"] == 14
    assert first["forms"] == {"raw": 14}
    assert Path(first["directory"]).is_relative_to(tmp_path / "cache")
    again = run("data", "prepare", f"charades:{root}", "--space", "digits")
    assert again.returncode == 0, again.stderr
    assert "left out: " in again.stderr
    assert "TE001.mp4: the file is empty" in again.stderr
    assert "short side up to 64 pixels" in " ".join(again.stdout.split())
    found = run_json("data", "prepare", f"charades:{root}", "--space", "digits")
    assert (found["decoded"], found["found"], found["bytes"]) == (0, 14, first["bytes"])


def test_clean_shows_what_is_held_and_removes_what_is_asked_for(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_json("data", "prepare", root, "--space", "digits")
    held = run_json("data", "clean")
    [group] = held["held"]
    assert (group["data"], group["resolution"]) == ([f"charades:{root}"], 64)
    assert group["videos"] == 1  # all are the same one
    assert (group["form"], group["referred"], held["removed"]) == ("raw", True, [])
    shown = run("data", "clean")
    assert f"charades:{root}" in "".join(shown.stdout.split())
    assert "removed" not in shown.stderr
    assert run_json("data", "clean", "--unreferenced")["removed"] == []
    assert "would be removed: 1 videos" in run("data", "clean", "--all", "--dry-run").stderr
    root.rename(tmp_path / "elsewhere")
    done = run_json("data", "clean", "--unreferenced")
    assert (done["removed_bytes"], done["dry_run"]) == (group["bytes"], False)
    assert run_json("data", "clean")["held"] == []
    assert "0 days or more" in refused("data", "clean", "--older-than", "-1")
