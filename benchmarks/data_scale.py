"""A catalogue of 300,000 clips: what listing, preparing and opening it takes, in time, memory and room.

The catalogue is made of hard links to a few small real clips, in several hundred class folders. It is listed;
prepared, which finds the few contents again in every file; prepared once more, with the list of the first
time at hand; and its list is opened by a process of its own, as every worker does. Room and time of each form
come from a sample of clips that are all different: ten seconds of 340 x 256 pixels, 30 frames a second,
H.264.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args
from unittest import mock

import av
import numpy as np

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.stored import Form
from tvnsearch.data.stored_sizes import size_to_store

CLASSES = 400
LINKS_OF_A_FILE = 30_000
"""Under what file systems allow (ext4: 65,000)."""

SMALL = {"width": 128, "height": 96, "frames": 15}
LARGE = {"width": 340, "height": 256, "frames": 300}
SMALL_RESOLUTION, RESOLUTION = 64, 224
SAMPLE = 24

OPEN = """
import json, sys, time
from pathlib import Path
from tvnsearch.data.cache import open_prepared

def memory_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":") for line in lines if line.startswith("Rss"))
    return {name: int(value.split()[0]) / 1024 for name, value in values.items()}

before, began_s = memory_mb(), time.perf_counter()
clips = open_prepared(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
usable = clips.usable(clips.dataset.train)
opened_s = time.perf_counter() - began_s
after = memory_mb()
began_s = time.perf_counter()
for clip in usable[:: max(1, len(usable) // 1000)]:
    clips.frames(clip).take([0])
read_ms = (time.perf_counter() - began_s) * 1000 / len(usable[:: max(1, len(usable) // 1000)])
print(json.dumps({
    "seconds": opened_s,
    "own_mb": after["RssAnon"] - before["RssAnon"],
    "shared_mb": after["RssFile"] - before["RssFile"],
    "usable": len(usable),
    "first_frame_ms": read_ms,
}))
"""


def main() -> None:
    """Make the catalogue in a temporary folder, and print all figures as JSON in the last line."""
    parser = argparse.ArgumentParser(description="Listing, preparing and opening very many clips.")
    parser.add_argument("--clips", type=int, default=300_000)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="different clips that are decoded")
    parser.add_argument("--folder", type=Path, help="where to make it; by default among temporary files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = {
            "clips": arguments.clips,
            "cores": os.cpu_count(),
            "catalogue": catalogue_figures(Path(folder), arguments.clips),
            "sample": sample_figures(Path(folder), arguments.sample),
        }
    print(json.dumps(figures))


def catalogue_figures(folder: Path, clips: int) -> dict[str, object]:
    """Seconds to list, prepare and open very many clips, and the memory of a process that has them open."""
    root, cache_folder = folder / "catalogue", folder / "cache"
    make_catalogue(root, folder / "contents", clips)
    figures: dict[str, object] = {}
    dataset, figures["list_s"] = timed(lambda: open_dataset(root))
    size = size_to_store(SMALL_RESOLUTION)
    for name in ("prepare_s", "prepare_again_s"):
        cache = ClipCache(dataset, SMALL_RESOLUTION, cache_folder, size=size)
        done, figures[name] = timed(cache.prepare)
        print(f"{name}: {figures[name]:.1f} s, {done.decoded} decoded, {done.found} found")
    figures["manifest_mb"] = cache.manifest_path.stat().st_size / 1e6
    given = [str(cache.manifest_path), str(cache_folder), str(SMALL_RESOLUTION), str(size)]
    opened = subprocess.run([sys.executable, "-c", OPEN, *given], capture_output=True, text=True, check=True)
    figures["open"] = json.loads(opened.stdout)
    print(f"open: {figures['open']}")
    shutil.rmtree(root)
    shutil.rmtree(cache_folder)
    return figures


def sample_figures(folder: Path, clips: int) -> dict[str, object]:
    """Seconds and bytes a clip to store some that are all different, in each form."""
    [original] = write_clips(folder / "sample contents", 1, **LARGE)
    content, paths = original.read_bytes(), []
    for number in range(clips):
        path = folder / "sample" / f"class {number % 2}" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        # An empty box at the end, which players pass over, makes another content of it.
        path.write_bytes(content + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
        paths.append(path)
    train = tuple(Clip(path, (number % 2,)) for number, path in enumerate(paths))
    dataset = Dataset(folder / "sample", "folders", ("class 0", "class 1"), False, False, train, (), ())
    figures: dict[str, object] = {"source_mb_per_clip": len(content) / 1e6}
    for form in get_args(Form):
        size = size_to_store(RESOLUTION)
        cache = ClipCache(dataset, RESOLUTION, folder / f"cache {form}", size=size)
        with mock.patch("tvnsearch.data.preparation.choose_form", return_value=form):
            done, seconds = timed(lambda cache=cache: cache.prepare(splits=["train"]))
        figures[form] = {"mb_per_clip": done.stored_bytes / clips / 1e6, "s_per_clip": seconds / clips}
        print(f"{form}: {figures[form]}")
        shutil.rmtree(cache.directory)
    return figures


def make_catalogue(root: Path, contents: Path, clips: int) -> None:
    """Class folders full of hard links to a few small clips."""
    originals = write_clips(contents, max(8, -(-clips // LINKS_OF_A_FILE)), **SMALL)
    for number in range(min(CLASSES, clips)):
        (root / f"class {number:03}").mkdir(parents=True)
    for number in range(clips):
        place = root / f"class {number % CLASSES:03}" / f"clip {number // CLASSES:06}.mp4"
        os.link(originals[number % len(originals)], place)


def write_clips(folder: Path, count: int, width: int, height: int, frames: int) -> list[Path]:
    """Clips of noise that drifts, each another one."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        texture = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
        paths.append(folder / f"{number}.mp4")
        with av.open(str(paths[-1]), "w") as container:
            video = container.add_stream("libx264", rate=30)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.options = {"preset": "fast", "crf": "24"}
            for shift in range(frames):
                pixels = np.roll(texture, (shift, 2 * shift), (0, 1))
                container.mux(video.encode(av.VideoFrame.from_ndarray(pixels)))
            container.mux(video.encode())
    return paths


def timed(work):
    """What some work gives, and the seconds that it takes."""
    began_s = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began_s


if __name__ == "__main__":
    main()
