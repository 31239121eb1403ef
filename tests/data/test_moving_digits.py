from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tvnsearch.data import moving_digits
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.moving_digits import MOTIONS, ClipsPerClass, generate
from tvnsearch.errors import UserError

FEW = ClipsPerClass(3, 1, 2)


def content(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("moving") / "digits", FEW, digits=[3, 7])


def test_it_is_a_data_set_of_real_videos(generated):
    dataset = open_dataset(generated)
    assert dataset.classes == tuple(sorted(f"{digit}-{motion}" for digit in (3, 7) for motion in MOTIONS))
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (24, 8, 16)
    assert {decode_clip(clip.path, 64).shape for clip in dataset.validation} == {(24, 64, 64, 3)}
    assert dataset.train[0].path.relative_to(generated).as_posix() == "train/3-down/0000.mp4"


@pytest.mark.parametrize(("motion", "direction"), MOTIONS.items())
def test_digits_move_as_the_class_says(generated, motion, direction):
    for path in sorted((generated / "train" / f"7-{motion}").iterdir()):
        frames = decode_clip(path, 64).astype(float).mean(axis=-1)
        first, later = frames[4], frames[8]

        def match(shift, first=first, later=later):
            return np.abs(np.roll(first, (shift[1], shift[0]), axis=(0, 1)) - later).mean()

        steps = {name: min(match((n * x, n * y)) for n in range(4, 9)) for name, (x, y) in MOTIONS.items()}
        assert min(steps, key=steps.get) == motion, direction


def test_generating_again_does_nothing(generated):
    before = {path: path.stat().st_mtime_ns for path in generated.rglob("*")}
    generate(generated, FEW, digits=[3, 7], on_progress=lambda done, clips: pytest.fail("it wrote again"))
    assert {path: path.stat().st_mtime_ns for path in generated.rglob("*")} == before


def test_same_seed_same_files_and_another_seed_others(generated, tmp_path):
    assert content(generate(tmp_path / "same", FEW, digits=[3, 7])) == content(generated)
    assert content(generate(tmp_path / "other", FEW, digits=[3, 7], seed=1)) != content(generated)


def test_other_parameters_or_other_files_are_refused(generated, tmp_path):
    with pytest.raises(UserError, match="same parameters"):
        generate(generated, FEW, digits=[3, 7], seed=1)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        generate(tmp_path, FEW)
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(UserError, match=r"dataset\.json"):
        generate(tmp_path, FEW)


def test_an_interrupted_generation_goes_on(generated, tmp_path):
    script = (
        "import sys; from pathlib import Path; from tvnsearch.data.moving_digits import *;"
        "generate(Path(sys.argv[1]), ClipsPerClass(3, 1, 2), digits=[3, 7])"
    )
    root = tmp_path / "digits"
    process = subprocess.Popen([sys.executable, "-c", script, root], env=os.environ)
    while process.poll() is None and not list(root.rglob("*.mp4")):
        time.sleep(0.001)
    process.kill()
    process.wait()
    generate(root, FEW, digits=[3, 7])
    whole = {path: data for path, data in content(root).items() if path.suffix != ".part"}
    assert whole == content(generated)


def test_no_digit_image_is_in_two_splits():
    images = moving_digits._images_by_split(0)
    for digit in range(10):
        of_split = [
            {image.tobytes() for image in images[split, digit]} for split in ("train", "validation", "test")
        ]
        assert all(of_split)
        assert sum(map(len, of_split)) == len(set.union(*of_split))


def test_one_frame_does_not_show_the_motion():
    """At any time the digit is equally likely to be anywhere: the mean pictures of the motions agree."""
    images = moving_digits._images_by_split(0)
    means = {}
    for motion in MOTIONS:
        jobs = [moving_digits._Job("", "train", (f"1-{motion}",), (seed,)) for seed in range(150)]
        clips = np.stack([moving_digits._render(job, images)[[0, 12, 23]].mean(axis=-1) for job in jobs])
        means[motion] = clips.mean(axis=0)
    overall = np.mean(list(means.values()), axis=0)
    for mean in means.values():
        assert np.abs(mean - overall).max() < 30  # of 255; a path that keeps to one side differs by some 100


def test_several_events_in_a_clip(tmp_path):
    dataset = open_dataset(generate(tmp_path / "events", FEW, digits=[0, 5], multi_label=True))
    assert dataset.multi_label
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (24, 8, 16)
    assert {label for clip in dataset.train for label in clip.labels} == set(range(8))
    cache = ClipCache(dataset, 32, tmp_path / "cache")
    assert not cache.prepare().broken
    assert len(cache.frames(dataset.train[0])) == 72
