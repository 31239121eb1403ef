from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import islice

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.data.videos import picture, write_video
from tvnsearch import cores
from tvnsearch.data import loader
from tvnsearch.data.augmentation import Augmentation
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.loader import evaluation_batches, reading_threads, training_batches
from tvnsearch.data.sampling import look, normalise
from tvnsearch.data.views import Views, evaluation_views
from tvnsearch.genome.genome import square_input

SPEC = square_input(resolution=12, frames=4, frame_stride=2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    root = tmp_path_factory.mktemp("loader")
    for label, shades in (("bright", range(200, 250, 5)), ("dark", range(50, 100, 5))):
        for number, shade in enumerate(shades):
            write_video(root / "clips" / label / f"{number}.mp4", pictures=[picture(32, 32, shade)] * 10)
    prepared = ClipCache(open_dataset(root / "clips"), 16, root / "cache")
    prepared.prepare()
    return prepared


def first_batches(cache, seed, count=6):
    with closing(training_batches(cache, cache.dataset.train, SPEC, 5, seed)) as batches:
        return list(islice(batches, count))


def test_same_seed_same_batches(cache):
    one, same, other = first_batches(cache, 1), first_batches(cache, 1), first_batches(cache, 2)
    assert all(
        torch.equal(a.clips, b.clips) and torch.equal(a.labels, b.labels)
        for a, b in zip(one, same, strict=True)
    )
    assert not all(torch.equal(a.clips, b.clips) for a, b in zip(one, other, strict=True))


def test_a_training_goes_on_where_it_stopped(cache):
    whole = first_batches(cache, 1, 8)
    with closing(training_batches(cache, cache.dataset.train, SPEC, 5, 1, first=5)) as batches:
        rest = list(islice(batches, 3))
    assert all(torch.equal(a.clips, b.clips) for a, b in zip(whole[5:], rest, strict=True))
    assert all(torch.equal(a.labels, b.labels) for a, b in zip(whole[5:], rest, strict=True))


def of_rank(cache, clips, rank, ranks, batch_size, first=0, count=6):
    batches = training_batches(cache, clips, SPEC, batch_size, 3, first=first, rank=rank, ranks=ranks)
    with closing(batches):
        return list(islice(batches, count))


def test_ranks_share_what_one_process_would_read(cache):
    clips = cache.dataset.train[:10]
    whole = of_rank(cache, clips, 0, 1, batch_size=6)
    parts = [of_rank(cache, clips, rank, 3, batch_size=2) for rank in range(3)]
    for number, batch in enumerate(whole):
        assert torch.equal(torch.cat([part[number].clips for part in parts]), batch.clips)
        assert torch.equal(torch.cat([part[number].labels for part in parts]), batch.labels)
    later = of_rank(cache, clips, 1, 3, batch_size=2, first=4, count=2)
    assert all(torch.equal(a.clips, b.clips) for a, b in zip(parts[1][4:], later, strict=True))


def test_a_rank_has_other_clips_each_epoch(cache):
    clips = [*cache.dataset.train[:4], *cache.dataset.train[-4:]]
    assert len({clip.labels for clip in clips}) == 2
    epochs = of_rank(cache, clips, 0, 2, batch_size=4, count=12)
    assert len({int(batch.labels.sum()) for batch in epochs}) > 1


def test_labels_belong_to_their_clips(cache):
    for clips, labels, _ in first_batches(cache, 0):
        assert clips.shape == (5, 4, 12, 12, 3)
        assert clips.is_contiguous()
        assert ((clips.amax(dim=(1, 2, 3, 4)) < 1) == (labels == 1)).all()  # class 1 is "dark"


def test_an_epoch_has_every_clip_once(cache):
    clips = cache.dataset.train[:10]
    with closing(training_batches(cache, clips, square_input(16, 1, 1), 5, 0)) as batches:
        labels = torch.cat([batch.labels for batch in islice(batches, 4)]).sort().values
    assert labels.tolist() == sorted(2 * [clip.labels[0] for clip in clips])


def test_evaluation_is_one_pass_in_order(cache):
    clips = cache.dataset.train
    batches = list(evaluation_batches(cache, clips, SPEC, 5))
    assert torch.cat([batch.labels for batch in batches]).tolist() == [clip.labels[0] for clip in clips]
    again = list(evaluation_batches(cache, clips, SPEC, 3))
    assert torch.equal(torch.cat([b.clips for b in batches]), torch.cat([b.clips for b in again]))


def test_closing_ends_the_thread(cache):
    before = threading.active_count()
    first_batches(cache, 0)
    list(evaluation_batches(cache, cache.dataset.test, SPEC, 5))
    assert threading.active_count() == before


@pytest.mark.parametrize(("bytes_ahead", "batches"), [(1, 2), (2**30, 4)])
def test_what_is_read_ahead_is_bounded_by_bytes(cache, monkeypatch, bytes_ahead, batches):
    """Of batches of five: the one that is used, and at least one more."""
    monkeypatch.setattr(loader, "BYTES_AHEAD", bytes_ahead)
    read = []
    frames = cache.frames
    monkeypatch.setattr(cache, "frames", lambda clip: read.append(clip) or frames(clip))
    with closing(training_batches(cache, cache.dataset.train, SPEC, 5, 0)) as given:
        read.clear()  # clips are looked at when it is found whether they are usable
        next(given)
        until_s = time.monotonic() + 10
        while len(read) < 5 * batches and time.monotonic() < until_s:
            time.sleep(0.01)
    assert len(read) == 5 * batches


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({}, 6),
        ({"OMP_NUM_THREADS": "3"}, 1),  # of four workers on twelve cores, or as the user says
        ({"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "2"}, 3),  # what torchrun says where nobody did
        ({"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "24"}, 1),
        ({"LOCAL_WORLD_SIZE": "1"}, 6),
    ],
)
def test_workers_of_a_machine_share_its_cores(monkeypatch, environment, threads):
    monkeypatch.setattr(cores, "usable_threads", lambda: 12)
    monkeypatch.setattr(loader, "usable_threads", lambda: 12)
    for name in ("OMP_NUM_THREADS", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert reading_threads() == threads


def test_what_goes_wrong_ahead_is_raised_where_batches_are_used(cache, tmp_path):
    elsewhere = ClipCache(cache.dataset, 16, tmp_path)
    elsewhere.prepare()
    with closing(training_batches(elsewhere, cache.dataset.train, SPEC, 5, 0)) as batches:
        for entry in tmp_path.glob("videos/*"):
            entry.unlink()
        elsewhere._open.cache_clear()
        with pytest.raises(Exception, match="not in the cache"):
            list(islice(batches, 10))


def test_multi_label_batches(cache, tmp_path):
    paths = [clip.path for clip in cache.dataset.clips[:6]]
    rows = [
        f"{path},{label},{split}"
        for path, label, split in zip(
            paths, ["a", "a;c", "b", "c", "a;b;c", "b"], ["train"] * 4 + ["val", "test"], strict=True
        )
    ]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    listed = ClipCache(open_dataset(tmp_path / "list.csv"), 16, tmp_path / "cache")
    listed.prepare()
    (batch,) = evaluation_batches(listed, listed.dataset.train, SPEC, 8)
    assert batch.labels.dtype == torch.float32
    assert batch.labels.tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 1]]


def test_clips_are_mirrored_where_that_changes_no_class_or_where_one_says_so(tmp_path):
    """Every clip is dark on its left and light on its right."""
    both, as_it_is = {True, False}, {True}
    pixels = np.zeros((48, 48, 3), np.uint8)
    pixels[:, 24:] = 255
    for number in range(10):
        write_video(tmp_path / "clips" / "ab"[number % 2] / f"{number}.mp4", pictures=[pixels] * 6)
    for prefix, mirror, directions in (
        ("folders", "auto", as_it_is),
        ("folders", "always", both),
        ("folders", "never", as_it_is),
        ("kinetics", "auto", both),
        ("kinetics", "always", both),
        ("kinetics", "never", as_it_is),
    ):
        dataset = open_dataset(f"{prefix}:{tmp_path / 'clips'}")
        prepared = ClipCache(dataset, 16, tmp_path / "cache")
        prepared.prepare()
        batches = batches_of(prepared, dataset.train, 6, augmentation=Augmentation(mirror=mirror))
        seen = torch.cat([batch.clips for batch in batches])
        left, right = seen[:, :, :, :4].mean((1, 2, 3, 4)), seen[:, :, :, -4:].mean((1, 2, 3, 4))
        assert set((left < right).tolist()) == directions


def test_views_of_a_clip_are_those_that_are_looked_at_one_by_one(tmp_path):
    for number in range(10):
        shades = [picture(48, 32, 60 + 10 * number + 5 * step) for step in range(14)]
        write_video(tmp_path / "clips" / "ab"[number % 2] / f"{number}.mp4", pictures=shades)
    prepared = ClipCache(open_dataset(tmp_path / "clips"), 16, tmp_path / "cache")
    prepared.prepare()
    views = Views(3, 3)
    (batch,) = evaluation_batches(prepared, prepared.dataset.train, SPEC, 8, views)
    for clip, seen in zip(prepared.dataset.train, batch.clips.unflatten(0, (-1, 9)), strict=True):
        frames = prepared.frames(clip)
        for view, pixels in zip(evaluation_views(frames, SPEC, views), seen, strict=True):
            assert np.array_equal(normalise(look(frames, view, SPEC)), pixels.numpy())


def test_several_views_of_each_clip(cache):
    clips = cache.dataset.train[:7]
    batches = list(evaluation_batches(cache, clips, SPEC, 5, Views(2, 3)))
    assert torch.equal(batches[0].clips[1], batches[0].clips[0])  # the three crops of a square are the same
    assert [(len(batch.clips), len(batch.labels)) for batch in batches] == [(30, 5), (12, 2)]
    assert {batch.clips.shape[1:] for batch in batches} == {(4, 12, 12, 3)}


def batches_of(cache, clips, count, **settings):
    with closing(training_batches(cache, clips, SPEC, 4, 0, **settings)) as batches:
        return list(islice(batches, count))


def test_every_class_comes_equally_often_however_many_clips_it_has(cache):
    bright = [clip for clip in cache.dataset.train if clip.labels == (0,)]
    dark = [clip for clip in cache.dataset.train if clip.labels == (1,)]
    seen = batches_of(cache, bright[:1] + dark, 6, sampling="classes")
    assert [batch.labels.sum() for batch in seen] == [2] * 6
    rest = batches_of(cache, bright[:1] + dark, 2, sampling="classes", first=4)
    for one, same in zip(seen[4:], rest, strict=True):
        assert torch.equal(one.clips, same.clips)
        assert torch.equal(one.labels, same.labels)


def test_pixels_are_changed_by_the_seed_alone(cache):
    strong = Augmentation(rand_augment_operations=2, erasing_share=1.0)
    plain = batches_of(cache, cache.dataset.train, 3)
    one, same = (batches_of(cache, cache.dataset.train, 3, augmentation=strong) for _ in range(2))
    assert all(torch.equal(a.clips, b.clips) for a, b in zip(one, same, strict=True))
    assert not any(torch.equal(a.clips, b.clips) for a, b in zip(one, plain, strict=True))
    assert all(torch.equal(a.labels, b.labels) for a, b in zip(one, plain, strict=True))


def test_a_teacher_sees_the_same_views_in_its_own_size(cache):
    settings = {"augmentation": Augmentation(erasing_share=0.5), "teacher": SPEC}
    for batch in batches_of(cache, cache.dataset.train, 3, **settings):
        assert torch.equal(batch.clips, batch.teacher_clips)
    settings["teacher"] = square_input(16, 5, 1)
    for batch in batches_of(cache, cache.dataset.train, 3, **settings):
        assert batch.teacher_clips.shape == (4, 5, 16, 16, 3)
        # The last frame of each is of the same picture: what is erased of it, where, and how it is cropped.
        small = functional.interpolate(batch.teacher_clips[:, -1].permute(0, 3, 1, 2), (12, 12), mode="area")
        ours = batch.clips[:, -1].permute(0, 3, 1, 2)
        for theirs, own in zip(small, ours, strict=True):
            alike = torch.corrcoef(torch.stack([theirs.flatten(), own.flatten()]))[0, 1]
            assert alike > 0.9
    assert batches_of(cache, cache.dataset.train, 1)[0].teacher_clips is None


def test_a_teacher_changes_nothing_for_its_pupil(cache):
    alone = batches_of(cache, cache.dataset.train, 3)
    taught = batches_of(cache, cache.dataset.train, 3, teacher=square_input(16, 2, 1))
    assert all(torch.equal(a.clips, b.clips) for a, b in zip(alone, taught, strict=True))


def test_parts_of_a_batch_are_the_batch(cache):
    [batch] = batches_of(cache, cache.dataset.train, 1, teacher=square_input(16, 2, 1))
    parts = batch.parts(3)
    assert [len(part.labels) for part in parts] == [2, 2]
    assert torch.equal(torch.cat([part.clips for part in parts]), batch.clips)
    assert torch.equal(torch.cat([part.teacher_clips for part in parts]), batch.teacher_clips)
    assert batch._replace(teacher_clips=None).parts(2)[1].teacher_clips is None
