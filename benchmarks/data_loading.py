"""Clips a second through the loader, from files and from the cache, against what a trainer asks for.

The clips are textures that drift, ten seconds of 340 x 256 pixels at 30 frames a second, H.264 with a key
frame in 250, as Kinetics' are. From files: what preparing the cache comes to, which decodes every clip whole.
From the cache, in each form that clips are kept in: training batches with their random views, made as fast as
they can be, and made while released TVN-1 trains on them; its clock tells how long it waits. In the form
`source` nothing was decoded before, and batches come from the files.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import av
import numpy as np
import torch
from msgspec.structs import replace
from torch import nn

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.dataset import Dataset
from tvnsearch.data.loader import Batch, training_batches
from tvnsearch.data.stored import Form
from tvnsearch.genome.genome import InputSpec, square_input
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.network.build import build_network

WIDTH, HEIGHT, RATE, SECONDS = 340, 256, 30, 10
CLIPS, CLASSES = 24, 4
RESOLUTIONS = (112, 224)
FRAMES, STRIDE = 8, 4
BATCH_SIZE = 16
SPARE_SECONDS, TRAIN_SECONDS = 6.0, 20.0
NETWORK = "tvn-1"


def measure() -> dict[str, object]:
    """Clips a second of each way to get them, and the share of its time a trainer waits, at each size."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(Path(folder))
        return {
            "cores": os.cpu_count(),
            "clip": f"{SECONDS} s, {WIDTH}x{HEIGHT}, {RATE} frames/s, H.264",
            "view": f"{FRAMES} frames, one in {STRIDE}",
            "batch_size": BATCH_SIZE,
            **{str(resolution): _at(dataset, resolution, Path(folder)) for resolution in RESOLUTIONS},
        }


def _at(dataset: Dataset, resolution: int, folder: Path) -> dict[str, object]:
    spec = square_input(resolution, FRAMES, STRIDE)
    figures: dict[str, object] = {}
    forms: tuple[Form, ...] = ("raw", "jpeg", "h264", "source")
    for form in forms:
        cache = ClipCache(dataset, resolution, folder / f"{form}-{resolution}")
        began_s = time.perf_counter()
        with mock.patch("tvnsearch.data.preparation.choose_form", return_value=form):
            stored_bytes = cache.prepare().stored_bytes
        prepared_s = time.perf_counter() - began_s
        with closing(_batches(cache, spec)) as batches:
            spare = _clips_per_second(batches)
        figures[form] = {
            "from_files_clips_per_s": CLIPS / prepared_s,
            "from_cache_clips_per_s": spare,
            "mb_per_clip": stored_bytes / CLIPS / 1e6,
            "trainer": _trained_on(cache, spec),
        }
        print(f"{resolution} px, {form}: {figures[form]}")
    return figures


def _batches(cache: ClipCache, spec: InputSpec) -> Iterator[Batch]:
    return training_batches(cache, cache.dataset.clips, spec, BATCH_SIZE, seed=0)


def _clips_per_second(batches: Iterator[Batch]) -> float:
    """After a second in which what is read ahead is used up."""
    seen, began_s = 0, time.perf_counter() + 1
    for batch in batches:
        now_s = time.perf_counter()
        if now_s >= began_s + SPARE_SECONDS:
            break
        seen += len(batch.clips) * (now_s >= began_s)
    return seen / (now_s - began_s)


def _trained_on(cache: ClipCache, spec: InputSpec) -> dict[str, float]:
    """A plain training loop on all cores, and how much of its time is spent waiting for clips."""
    genome = replace(load_zoo(NETWORK), input=spec)
    network = build_network(genome, CLASSES)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    waited_s, seen = 0.0, 0
    with closing(_batches(cache, spec)) as batches:
        next(batches)
        began_s = time.perf_counter()
        while time.perf_counter() < began_s + TRAIN_SECONDS:
            asked_s = time.perf_counter()
            batch = next(batches)
            waited_s += time.perf_counter() - asked_s
            loss = nn.functional.cross_entropy(network(batch.clips), batch.labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            seen += len(batch.clips)
        took_s = time.perf_counter() - began_s
    return {"clips_per_s": seen / took_s, "waits_percent": 100 * waited_s / took_s}


def _dataset(folder: Path) -> Dataset:
    rng = np.random.default_rng(0)
    for number in range(CLIPS):
        path = folder / "clips" / f"class {number % CLASSES}" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, rng)
    return open_dataset(folder / "clips")


def _write(path: Path, rng: np.random.Generator) -> None:
    """A texture of many scales that drifts, with noise as a camera's."""
    scales = [rng.normal(size=(2 + HEIGHT // size, 2 + WIDTH // size, 3)) for size in (4, 16, 64)]
    texture = sum(
        np.kron(scale, np.ones((size, size, 1)))[:HEIGHT, :WIDTH] * size**0.5 * 8
        for scale, size in zip(scales, (4, 16, 64), strict=True)
    )
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"preset": "fast", "crf": "24"}
        for number in range(RATE * SECONDS):
            shown = np.roll(texture, (number, 2 * number), (0, 1)) + rng.normal(size=(HEIGHT, WIDTH, 1)) * 4
            pixels = np.clip(128 + shown, 0, 255).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(video.encode())
