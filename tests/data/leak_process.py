"""Decodes and loads a great many clips in a process of its own, whose memory is to stay the same.

`python -m tests.data.leak_process FOLDER CLIPS FILES` makes FILES videos, decodes CLIPS times one of them,
and loads CLIPS of them from a cache of each form. It prints, as JSON, the process's memory in MB after a
tenth of each of these works, and at its end.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path
from unittest import mock

from tests.data.fuzz_process import memory_mb
from tests.data.videos import write_video
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.loader import training_batches
from tvnsearch.genome.genome import square_input

BATCH_SIZE = 20


def make_clips(folder, files):
    content = write_video(folder / "clip.mp4").read_bytes()
    for number in range(files):
        path = folder / "clips" / "ab"[number % 2] / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return open_dataset(folder / "clips")


def decoded(dataset, clips):
    for number in range(clips):
        decode_clip(dataset.clips[number % len(dataset.clips)].path, 16)
        yield number + 1


def loaded(dataset, clips, directory, form):
    cache = ClipCache(dataset, 16, directory)
    with mock.patch("tvnsearch.data.preparation.choose_form", return_value=form):
        assert set(cache.prepare().forms) == {form}
    with closing(training_batches(cache, dataset.clips, square_input(16, 4, 2), BATCH_SIZE, 0)) as batches:
        for number, _ in enumerate(islice(batches, clips // BATCH_SIZE)):
            yield (number + 1) * BATCH_SIZE


def main(folder, clips, files):
    dataset = make_clips(folder, files)
    works = {
        "decoded": decoded(dataset, clips),
        **{form: loaded(dataset, clips, folder / form, form) for form in ("raw", "jpeg", "h264", "source")},
    }
    told = {}
    for name, work in works.items():
        for done in work:
            if done == clips // 10:
                early_mb = memory_mb()
        told[name] = {"clips": done, "early_mb": early_mb, "late_mb": memory_mb()}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
