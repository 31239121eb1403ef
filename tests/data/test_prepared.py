"""What a preparation leaves for others: a list by which clips are read without looking at their files."""

from __future__ import annotations

import os
import shutil

import av
import numpy as np
import pytest

from tests.data.videos import picture, write_video
from tvnsearch.data.cache import ClipCache, open_prepared
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.manifest import ListedClips, read_manifest
from tvnsearch.data.preparation import SAMPLED_VIDEOS
from tvnsearch.errors import UserError


@pytest.fixture
def clips_dir(tmp_path):
    """Five different clips of each of two classes."""
    for name in "ab":
        for number in range(5):
            shade = 40 + 20 * number + 10 * (name == "b")
            write_video(tmp_path / "clips" / name / f"{number}.mp4", pictures=[picture(64, 48, shade)] * 6)
    return tmp_path / "clips"


def prepared(clips_dir, tmp_path, resolution=16, **more):
    cache = ClipCache(open_dataset(clips_dir), resolution, tmp_path / "cache", **more)
    return cache, cache.prepare()


def kept(cache, tmp_path, root=None):
    """The same clips in another process, which goes on with them."""
    manifest = read_manifest(cache.manifest_path, root)
    path = tmp_path / "kept.manifest"
    return ClipCache(manifest.dataset, cache.resolution, cache.directory, kept=manifest, manifest_path=path)


def pixels(cache, clip):
    frames = cache.frames(clip)
    return frames.take(range(len(frames)))


def test_the_list_says_what_is_stored_of_each_file(clips_dir, tmp_path):
    cache, preparation = prepared(clips_dir, tmp_path)
    records = dict(read_manifest(cache.manifest_path).records())
    assert records.keys() == {clip.path for clip in cache.dataset.clips}
    for path, record in records.items():
        with av.open(str(path)) as container:
            assert record.frames == container.streams.video[0].frames == 6
            assert record.duration_s == pytest.approx(container.duration / av.time_base)
        state = path.stat()
        assert (record.source_bytes, record.source_mtime_ns) == (state.st_size, state.st_mtime_ns)
        assert (record.resolution, record.form) == (16, "raw")
        assert record.stored_bytes == (tmp_path / "cache" / "videos" / record.video).stat().st_size
        assert f"PyAV {av.__version__}" in record.decoder
    assert sum(record.stored_bytes for record in records.values()) == preparation.stored_bytes
    again = ClipCache(cache.dataset, 16, tmp_path / "cache")
    again.prepare()
    assert dict(read_manifest(again.manifest_path).records()) == records


def test_copies_in_another_split_are_told_of(clips_dir, tmp_path):
    """Whatever they are called, and whether they were decoded before or not."""
    for split, numbers in (("train", "012"), ("val", "3"), ("test", "4")):
        for name in "ab":
            for number in numbers:
                path = tmp_path / "split" / split / name / f"{number}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(clips_dir / name / f"{number}.mp4", path)
    root = tmp_path / "split"
    assert prepared(root, tmp_path)[1].copies == {}
    copies = {
        root / "val" / "a" / "again.mp4": root / "train" / "a" / "1.mp4",
        root / "test" / "b" / "once more.mp4": root / "val" / "b" / "3.mp4",
    }
    for copy, original in copies.items():
        shutil.copy(original, copy)
    shutil.copy(root / "train" / "a" / "1.mp4", root / "train" / "a" / "twice.mp4")
    assert prepared(root, tmp_path)[1].copies == prepared(root, tmp_path)[1].copies == copies


def test_another_process_reads_the_clips_without_their_files(clips_dir, tmp_path):
    broken = clips_dir / "a" / "broken.mp4"
    broken.write_bytes(b"")
    cache, _ = prepared(clips_dir, tmp_path)
    expected = {clip: pixels(cache, clip) for clip in cache.dataset.clips if clip.path != broken}
    shutil.rmtree(clips_dir)
    other = open_prepared(cache.manifest_path, tmp_path / "cache", 16, 16)
    for name, split in other.dataset.splits.items():
        assert tuple(split) == cache.dataset.splits[name]
        usable = other.usable(split)
        assert isinstance(usable, ListedClips)
        assert tuple(usable) == tuple(clip for clip in split if clip.path != broken)
        assert tuple(usable) == other.usable(tuple(split)) == cache.usable(cache.dataset.splits[name])
        for clip in usable:
            assert np.array_equal(pixels(other, clip), expected[clip])
    train = cache.dataset.train
    assert other.identity(other.dataset.train) == cache.identity(train) != cache.identity(train[:2])


def test_on_a_machine_with_another_cache_the_videos_are_decoded_there(clips_dir, tmp_path):
    cache, _ = prepared(clips_dir, tmp_path)
    other = open_prepared(cache.manifest_path, tmp_path / "other cache", 16, 16)
    assert tuple(other.dataset.train) == cache.dataset.train
    for clip in other.dataset.clips:
        assert np.array_equal(pixels(other, clip), pixels(cache, clip))
    assert other.manifest_path.is_relative_to(tmp_path / "other cache")


def test_one_split_is_prepared_alone(clips_dir, tmp_path):
    cache = ClipCache(open_dataset(clips_dir), 16, tmp_path / "cache")
    dataset = cache.dataset
    for clip in dataset.train:
        clip.path.write_bytes(b"")
    assert cache.prepare(splits=["test"]).decoded == len(dataset.test)
    assert cache.usable(dataset.test) == dataset.test
    assert cache.usable(dataset.validation) == ()


def test_a_larger_stored_size_serves_and_the_smallest_such(clips_dir, tmp_path):
    for size in (128, 48, 32, 24):
        assert prepared(clips_dir, tmp_path / str(size), resolution=size)[1].decoded == 10
    assert prepared(clips_dir, tmp_path, resolution=32)[1].decoded == 10
    cache, preparation = prepared(clips_dir, tmp_path, resolution=20, size=24)
    assert (preparation.decoded, preparation.found) == (0, 10)
    assert cache.frames(cache.dataset.train[0]).height == 32
    assert prepared(clips_dir, tmp_path, resolution=16, size=24)[1].found == 10
    assert prepared(clips_dir, tmp_path, resolution=33, size=40)[1].decoded == 10
    cache, preparation = prepared(clips_dir, tmp_path, resolution=33, size=40)
    assert (preparation.found, cache.frames(cache.dataset.train[0]).height) == (10, 40)


def test_videos_smaller_than_the_size_they_are_stored_at_serve_any(clips_dir, tmp_path):
    """They are kept as they are, 48 pixels high, and are not decoded again for larger networks."""
    assert prepared(clips_dir, tmp_path, resolution=64)[1].decoded == 10
    cache, preparation = prepared(clips_dir, tmp_path, resolution=112, size=128)
    assert (preparation.decoded, preparation.found) == (0, 10)
    clip = cache.dataset.train[0]
    assert np.array_equal(pixels(cache, clip), decode_clip(clip.path, 48))


def test_what_is_kept_goes_on_without_files_that_went_and_with_what_changed_ones_held(clips_dir, tmp_path):
    cache, _ = prepared(clips_dir, tmp_path)
    dataset = cache.dataset
    expected = {clip: pixels(cache, clip) for clip in dataset.clips}
    went, changed, touched = (clip.path for clip in dataset.train[:3])
    went.unlink()
    write_video(changed, frames=20)
    os.utime(touched, ns=(1, 1))
    write_video(clips_dir / "c" / "new.mp4")
    other = kept(cache, tmp_path)
    preparation = other.prepare()
    assert (preparation.went, preparation.changed) == ((went,), (changed,))
    assert (preparation.decoded, preparation.found, preparation.broken) == (0, 10, ())
    assert {clip: pixels(other, clip).tobytes() for clip in other.dataset.clips} == {
        clip: frames.tobytes() for clip, frames in expected.items()
    }
    records = dict(read_manifest(tmp_path / "kept.manifest").records())
    assert records[touched].source_mtime_ns == 1
    assert records[changed].frames == 6


def test_what_is_kept_is_decoded_again_where_the_cache_lost_it(clips_dir, tmp_path):
    cache, _ = prepared(clips_dir, tmp_path)
    expected = pixels(cache, cache.dataset.test[0])
    shutil.rmtree(tmp_path / "cache" / "videos")
    moved = clips_dir.rename(tmp_path / "moved")
    other = kept(cache, tmp_path, moved)
    assert other.prepare().decoded == 10
    assert np.array_equal(pixels(other, other.dataset.test[0]), expected)


@pytest.mark.parametrize("how", ["went", "changed"])
def test_what_nobody_has_any_more_is_refused_by_name(clips_dir, tmp_path, how):
    cache, _ = prepared(clips_dir, tmp_path)
    lost = cache.dataset.train[0].path
    record = dict(read_manifest(cache.manifest_path).records())[lost]
    (tmp_path / "cache" / "videos" / record.video).unlink()
    if how == "went":
        lost.unlink()
    else:
        write_video(lost, frames=20)
    with pytest.raises(UserError, match=rf"1 of their files are gone or have changed .*\({lost}\); restore"):
        kept(cache, tmp_path).prepare()


def test_what_was_left_out_stays_so_where_it_is_kept(clips_dir, tmp_path):
    """A clip that is mended since would make others of the clips that were trained on."""
    broken = clips_dir / "a" / "0.mp4"
    content = broken.read_bytes()
    broken.write_bytes(content[:50])
    cache, preparation = prepared(clips_dir, tmp_path)
    assert [failure.path for failure in preparation.broken] == [broken]
    broken.write_bytes(content)
    other = kept(cache, tmp_path)
    assert [str(failure) for failure in other.prepare().broken] == [str(preparation.broken[0])]
    [split] = [split for split in other.dataset.splits.values() if any(c.path == broken for c in split)]
    assert broken not in {clip.path for clip in other.usable(split)}
    assert prepared(clips_dir, tmp_path)[1].broken == ()


def test_many_videos_are_told_of_before_they_are_decoded(tmp_path):
    for number in range(SAMPLED_VIDEOS + 6):
        pictures = [picture(64, 48, 40 + number)] * 4
        write_video(tmp_path / "clips" / "ab"[number % 2] / f"{number}.mp4", pictures=pictures)
    cache = ClipCache(open_dataset(tmp_path / "clips"), 16, tmp_path / "cache")
    told = []
    cache.prepare(lambda done: told.append("decoding"), on_plan=told.append)
    plan = told[0]
    assert (plan.videos, plan.form) == (SAMPLED_VIDEOS + 6, "raw")
    raw_bytes = plan.videos * 4 * 16 * 21 * 3
    assert 0.9 * raw_bytes < plan.stored_bytes < 1.3 * raw_bytes
    assert plan.seconds > 0
    assert set(told[1:]) == {"decoding"}
