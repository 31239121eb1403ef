"""What trainings come to: as accurate as plain torch, and better the more they see of a motion.

    python benchmarks/training_accuracy.py [--only parity] [--only motion] [--only events] [--seed 0]
                                           [--threads 1] [--folder DIR]

*parity*: a small network trained by ours (in what "auto" chooses here) and by the plain torch loop of
`plain_training`, from the same weights on the same batches of moving digits for as many iterations, with
three seeds: both top-1, and the mean difference. *motion*: 40 classes, a digit in a motion each; the aim is a
top-1 of at least 0.9 on clips that were not trained on, while the same network given one frame stays clearly
under that: a frame does not show a motion. *events*, after *motion*: any number of labels, three events in a
clip; the networks of *motion*, with a head for each frame and 18 frames, go on from their weights; the aim is
a mean average precision of at least 0.8, and again one frame stays clearly under that.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import platformdirs
import torch
from msgspec.structs import replace
from plain_training import train_plainly

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.loader import training_batches
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.genome.genome import Block, Genome, Head, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network.build import build_network
from tvnsearch.training.evaluation import evaluate
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train
from tvnsearch.training.weights import load_weights

RESOLUTION = 32
CLIPS = ClipsPerClass(100, 6, 6)
PARTS = ("parity", "motion", "events")

PARITY_SEEDS = (0, 1, 2)
PARITY = Recipe(iterations=400, learning_rate=5e-3)
MOTION = Recipe(iterations=2500, learning_rate=5e-3, dropout=0.2)
EVENTS = Recipe(iterations=300, learning_rate=3e-3, dropout=0.2)


def small_network(frames: int, frame_stride: int, head: Head = "mean", width: int = 24) -> Genome:
    """Three blocks of convolutions over space and time, at 32 pixels."""
    return Genome(
        square_input(RESOLUTION, frames, frame_stride),
        (
            Block((SpatialConv(width, 3, 2, "relu"), TemporalConv(width, 3, 1, "relu"))),
            Block((SpatialConv(2 * width, 3, 2, "relu"), TemporalConv(2 * width, 3, 1, "relu"))),
            Block((SpatialConv(4 * width, 3, 2, "relu"), SpatialConv(4 * width, 3, 1, "relu"))),
        ),
        head,
    )


def main() -> None:
    """Run the parts that were asked for, and print what they came to."""
    parser = argparse.ArgumentParser(description="Accuracy of trainings on moving digits.")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, default=platformdirs.user_cache_path("tvnsearch") / "benchmarks"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cache = _clips(arguments.folder, "digits", multi_label=False)
    parts = arguments.only or PARTS
    figures: dict[str, Any] = {"seed": arguments.seed, "threads": arguments.threads}
    if "parity" in parts:
        figures["parity"] = _parity(cache, arguments.folder)
    if "motion" in parts:
        figures["motion"] = _motion(cache, replace(MOTION, seed=arguments.seed), arguments.folder)
    if "events" in parts:
        events = _clips(arguments.folder, "events", multi_label=True)
        figures["events"] = _events(events, replace(EVENTS, seed=arguments.seed), arguments.folder)
    print(json.dumps(figures))


def _clips(folder: Path, name: str, multi_label: bool) -> ClipCache:
    dataset = open_dataset(generate(folder / name, CLIPS, multi_label=multi_label))
    cache = ClipCache(dataset, RESOLUTION, folder / "clips")
    cache.prepare()
    return cache


def _parity(cache: ClipCache, folder: Path) -> dict[str, Any]:
    genome = small_network(4, 4)
    dataset = cache.dataset
    rows = []
    for seed in PARITY_SEEDS:
        recipe = replace(PARITY, seed=seed)
        began = time.monotonic()
        result = train(genome, cache, recipe, folder / "parity.safetensors")
        ours_s = time.monotonic() - began
        network = build_network(genome, len(dataset.classes))
        load_weights(network, folder / "parity.safetensors")
        ours = evaluate(network, cache, dataset.test, genome.input)
        torch.manual_seed(seed)
        fresh = build_network(genome, len(dataset.classes))
        batches = training_batches(cache, dataset.train, genome.input, recipe.batch_size, seed)
        began = time.monotonic()
        plain, _ = train_plainly(fresh, recipe, batches)
        plain_s = time.monotonic() - began
        batches.close()
        theirs = evaluate(plain, cache, dataset.test, genome.input)
        rows.append(
            {"seed": seed, "ours_top1": ours.top1, "plain_top1": theirs.top1, "precision": result.precision}
        )
        print(
            f"parity, seed {seed}: ours {ours.top1:.3f} in {ours_s:.0f} s ({result.precision}), plain "
            f"{theirs.top1:.3f} in {plain_s:.0f} s",
            flush=True,
        )
    differences = [row["ours_top1"] - row["plain_top1"] for row in rows]
    return {"seeds": rows, "mean_difference": sum(differences) / len(differences)}


def _motion(cache: ClipCache, recipe: Recipe, folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, genome in {"four_frames": small_network(4, 4), "one_frame": small_network(1, 1)}.items():
        weights = folder / f"{name}.safetensors"
        result = train(genome, cache, recipe, weights)
        network = build_network(genome, len(cache.dataset.classes))
        load_weights(network, weights)
        scores = evaluate(network, cache, cache.dataset.test, genome.input)
        figures[name] = {
            "top1": scores.top1,
            "clips": scores.clips,
            "precision": result.precision,
            "training_s": result.seconds,
        }
        print(
            f"{genome.input.frames} frame(s): top-1 {scores.top1:.3f} in {result.seconds:.0f} s", flush=True
        )
    return figures


def _events(cache: ClipCache, recipe: Recipe, folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    networks = {
        "four_frames": small_network(18, 4, "per_frame"),
        "one_frame": small_network(1, 1, "per_frame"),
    }
    for name, genome in networks.items():
        weights = folder / f"{name}-events.safetensors"
        initial = folder / f"{name}.safetensors"
        result = train(genome, cache, recipe, weights, initial_weights=initial)
        network = build_network(genome, len(cache.dataset.classes))
        load_weights(network, weights)
        scores = evaluate(network, cache, cache.dataset.test, genome.input)
        figures["eighteen_frames" if name == "four_frames" else name] = {
            "mean_average_precision": scores.mean_average_precision,
            "clips": scores.clips,
            "precision": result.precision,
            "training_s": result.seconds,
        }
        print(
            f"events, {genome.input.frames} frame(s): mAP {scores.mean_average_precision:.3f} in "
            f"{result.seconds:.0f} s",
            flush=True,
        )
    return figures


if __name__ == "__main__":
    main()
