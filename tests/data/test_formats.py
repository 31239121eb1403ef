"""What every format of the catalog has to do, on small trees in the data sets' true layouts."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import islice

import pytest
import torch

from tests.data.layouts import LAYOUTS
from tests.data.videos import write_picture, write_sound, write_video
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import FORMATS, open_dataset
from tvnsearch.data.loader import training_batches
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import square_input

SECONDS, RATE = 2, 12
NAMES = [layout.build.__name__ for layout in LAYOUTS]


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """A video of two seconds for each extension, and a picture."""
    folder = tmp_path_factory.mktemp("encoded")
    encoded = {
        extension: write_video(folder / f"clip{extension}", frames=SECONDS * RATE).read_bytes()
        for extension in (".mp4", ".webm", ".avi")
    }
    return encoded | {".jpg": write_picture(folder / "picture.jpg").read_bytes()}


@pytest.fixture(params=LAYOUTS, ids=NAMES)
def layout(request):
    return request.param


@pytest.fixture
def root(layout, videos, tmp_path):
    """The tree of a layout, in a folder whose name is odd as well."""
    folder = tmp_path / "my däta: [1] %d"
    layout.build(folder, videos)
    return folder


def opened(layout, root, seed=0):
    return open_dataset(root if layout.recognised else f"{layout.name}:{root}", seed)


def test_every_format_is_in_the_suite():
    assert {re.sub(r"-split\d", "", layout.name) for layout in LAYOUTS} == set(FORMATS)


def test_it_is_recognised_and_can_be_named(layout, root):
    dataset = opened(layout, root)
    assert dataset.format == layout.name
    assert open_dataset(f"{layout.name}:{root}") == dataset
    assert open_dataset(dataset.address) == dataset


def test_charades_alone_is_scored_by_its_own_protocol(layout, root):
    expected = "charades" if layout.name == "charades" else "standard"
    assert opened(layout, root).protocol == expected


def test_a_relative_path_is_the_same(layout, root, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert open_dataset(f"{layout.name}:{root.name}") == opened(layout, root)


def test_classes_splits_and_labels(layout, root):
    dataset = opened(layout, root)
    assert dataset.classes == layout.classes
    assert (dataset.multi_label, dataset.mirrorable) == (layout.multi_label, layout.mirrorable)
    assert (len(dataset.train) + len(dataset.validation), len(dataset.test)) == (layout.train, layout.test)
    assert len(dataset.validation) < len(dataset.train)
    shown = {
        (clip.path.relative_to(root).as_posix(), clip.start_s): {dataset.classes[n] for n in clip.labels}
        for clip in dataset.clips
    }
    for (path, start_s), labels in layout.labels.items():
        (found,) = [shown[key] for key in shown if key[0].endswith(path) and key[1] == start_s]
        assert found == labels, (path, start_s)


def test_no_recording_is_in_two_of_train_and_validation(layout, root):
    for seed in range(5):
        dataset = opened(layout, root, seed)
        train, validation = (
            {clip.recording or clip.path.as_posix() for clip in split}
            for split in (dataset.train, dataset.validation)
        )
        assert not train & validation


def test_every_clip_decodes_to_its_own_frames(layout, root, tmp_path):
    dataset = opened(layout, root)
    cache = ClipCache(dataset, 16, tmp_path / "cache")
    assert cache.prepare().broken == ()
    rate = 24 if any(clip.path.is_dir() for clip in dataset.clips) else RATE
    for clip in dataset.clips:
        end_s = SECONDS if clip.end_s is None else clip.end_s
        assert abs(len(cache.frames(clip)) - (end_s - clip.start_s) * rate) <= 1


def broken_ones(files, sound):
    """Break the first of some files, each in another way; returns those."""
    if files[0].is_dir():
        (files[0] / f"{files[0].name}-000001.jpg").unlink()
        return set(files[:1])
    content = files[0].read_bytes()
    files[0].write_bytes(content[: len(content) // 2])
    files[1].write_bytes(b"")
    files[2].write_bytes(sound.read_bytes())
    files[3].write_text("<html>404</html>")
    files[4].unlink()
    return set(files[:5])


def test_broken_files_are_named_and_training_goes_on(layout, root, tmp_path):
    dataset = opened(layout, root)
    broken = broken_ones(sorted({clip.path for clip in dataset.train}), write_sound(tmp_path / "sound.mp4"))
    cache = ClipCache(dataset, 16, tmp_path / "cache")
    assert {failure.path for failure in cache.prepare().broken} == broken
    left_out = set(dataset.train) - set(cache.usable(dataset.train))
    assert {clip.path for clip in left_out} == broken
    with closing(training_batches(cache, dataset.train, square_input(16, 4, 2), 4, 0)) as batches:
        for clips, labels, _ in islice(batches, 3):
            assert clips.shape == (4, 4, 16, 16, 3)
            shape = (4, len(layout.classes)) if layout.multi_label else (4,)
            assert labels.shape == torch.Size(shape)


@pytest.mark.parametrize(
    ("layout", "spoiled"),
    [(layout, spoiled) for layout in LAYOUTS for spoiled in layout.spoiled],
    ids=[f"{layout.name}-{spoiled[0]}" for layout in LAYOUTS for spoiled in layout.spoiled],
)
def test_a_spoiled_list_is_one_sentence_that_says_where(layout, root, spoiled):
    name, was, now, words = spoiled
    text = (root / name).read_text()
    assert was in text
    (root / name).write_text(text.replace(was, now, 1))
    with pytest.raises(UserError, match=words) as caught:
        open_dataset(f"{layout.name}:{root}")
    assert str(root / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "needed"),
    [(layout, name) for layout in LAYOUTS for name in layout.needs],
    ids=[f"{layout.name}-{name}" for layout in LAYOUTS for name in layout.needs],
)
def test_a_list_that_is_missing_is_named(layout, root, needed):
    (root / needed).unlink()
    with pytest.raises(UserError, match="is not there") as caught:
        open_dataset(f"{layout.name}:{root}")
    assert (root / needed).name in str(caught.value)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("csv", "folders")])
def test_an_empty_folder_is_no_data_set(tmp_path, name):
    with pytest.raises(UserError, match="expected"):
        open_dataset(f"{name}:{tmp_path}")
