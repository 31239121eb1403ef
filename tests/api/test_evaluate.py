"""Trained networks scored on clips: on one split alone, or on all, by the names of the classes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tvnsearch
from tests.api.conftest import CLASSES
from tests.api.watches import Heard
from tests.data.videos import picture, write_video
from tvnsearch.api.trained_model import ModelCard, load_model, write_model
from tvnsearch.data.catalog import open_dataset
from tvnsearch.errors import UserError

LABELS = {"left": 3, "right": 2, "up": 2}
"""How many clips there are of each class."""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of decoded clips."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "tvnsearch" / "clips"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips in folders of their classes, each of other shades, some too few for a split."""
    root = tmp_path_factory.mktemp("clips")
    for row, (name, count) in enumerate(LABELS.items()):
        for number in range(count):
            shades = [picture(64, 48, 30 + 60 * row + 20 * number + 3 * frame) for frame in range(12)]
            write_video(root / name / f"{number}.mp4", pictures=shades)
    return root


def matrix(net: Path, data: Path) -> dict[str, list[int]]:
    """What the clips of each class are taken for, all of them scored."""
    [scored] = tvnsearch.evaluate(net, data=data, split="all", threads=1).models
    assert scored.report.confusion is not None
    return dict(zip(CLASSES, map(list, scored.report.confusion), strict=True))


def test_all_clips_are_scored_where_there_are_too_few_for_a_split(net: Path, clips: Path) -> None:
    heard = Heard()
    evaluated = tvnsearch.evaluate(net, data=clips, split="all", threads=1, watch=heard.watch)
    assert evaluated.mean.clips == 7
    [scored] = evaluated.models
    assert {each.name: each.clips for each in scored.report.classes} == LABELS
    assert f"clips: folders:{clips}, 7 clips of any split, of 3 of the network's 3 classes" in heard.said


def test_classes_are_known_by_their_names(net: Path, clips: Path, tmp_path: Path) -> None:
    """Data with some of them only, whose numbers are others, are scored as they are among all."""
    for name in ("up", "right"):
        shutil.copytree(clips / name, tmp_path / "some" / name)
    shutil.copytree(clips / "up", tmp_path / "one" / "up")
    whole = matrix(net, clips)
    assert {name: sum(row) for name, row in whole.items()} == LABELS
    assert matrix(net, tmp_path / "some") == whole | {"left": [0, 0, 0]}
    assert matrix(net, tmp_path / "one") == whole | {"left": [0, 0, 0], "right": [0, 0, 0]}


def test_a_class_that_the_network_does_not_know_is_named(net: Path, clips: Path, tmp_path: Path) -> None:
    shutil.copytree(clips, tmp_path / "clips")
    (tmp_path / "clips" / "up").rename(tmp_path / "clips" / "Up")
    with pytest.raises(UserError, match=r"the 3 classes .* but they show others: Up \(2 clips\); take these"):
        tvnsearch.evaluate(net, data=tmp_path / "clips", split="all", threads=1)


def test_clips_with_several_labels_are_none_for_a_network_that_tells_one(
    net: Path, clips: Path, tmp_path: Path
) -> None:
    rows = [f"{clips}/up/0.mp4,up;left,test", f"{clips}/left/0.mp4,left,test"]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=r"one label each, .*0\.mp4 has 2"):
        tvnsearch.evaluate(net, data=tmp_path / "clips.csv", split="all", threads=1)


def test_a_network_that_tells_any_number_takes_clips_with_one(net: Path, clips: Path, tmp_path: Path) -> None:
    shutil.copytree(net, tmp_path / "net")
    write_model(tmp_path / "net", load_model(net).genome, ModelCard(CLASSES, multi_label=True))
    scored = tvnsearch.evaluate(tmp_path / "net", data=clips, split="all", threads=1).mean
    assert (scored.clips, scored.top1) == (7, None)
    assert 0 < (scored.mean_average_precision or 0) <= 1


def test_a_split_needs_and_decodes_its_own_clips_alone(
    net: Path, clips: Path, tmp_path: Path, cache: Path
) -> None:
    rows = ["nowhere.mp4,left,train", "nor-there.mp4,right,val"]
    rows += [f"{clips}/{name}/0.mp4,{name},test" for name in CLASSES]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    assert tvnsearch.evaluate(net, data=tmp_path / "clips.csv", threads=1).mean.clips == 3
    assert len(list((cache / "videos").iterdir())) == 3
    (tmp_path / "clips.csv").write_text("\n".join(rows[2:]))
    assert tvnsearch.evaluate(net, data=tmp_path / "clips.csv", threads=1).mean.clips == 3
    with pytest.raises(UserError, match=r"clips in the train split of .* but there are none; .* --split all"):
        tvnsearch.evaluate(net, data=tmp_path / "clips.csv", split="train", threads=1)


def test_the_split_is_the_one_that_the_network_was_trained_with(
    net: Path, clips: Path, tmp_path: Path
) -> None:
    """All clips but those of its own test split are broken."""
    root, seed = tmp_path / "clips", 3
    for name in CLASSES:
        for number in range(12):
            target = root / name / f"{number}.mp4"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clips / name / "0.mp4", target)
    tests = [set(open_dataset(root, each).test) for each in range(50)]
    own = tests[seed]
    other = next(each for each, test in enumerate(tests) if 0 < len(test & own) < len(own))
    for clip in set(open_dataset(root, seed).clips) - own:
        clip.path.write_bytes(b"")
    shutil.copytree(net, tmp_path / "net")
    card = ModelCard(CLASSES, False, data=f"folders:{root}", split_seed=seed)
    write_model(tmp_path / "net", load_model(net).genome, card)
    assert tvnsearch.evaluate(tmp_path / "net", threads=1).mean.clips == len(own)
    assert tvnsearch.evaluate(tmp_path / "net", data=root, threads=1).mean.clips == len(own)
    asked = tvnsearch.evaluate(tmp_path / "net", split_seed=other, threads=1)
    assert asked.mean.clips == len(own & tests[other])
