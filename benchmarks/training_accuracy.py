"""What trainings come to: as accurate as plain torch, and better the more they see of a motion.

    python benchmarks/training_accuracy.py [--only parity] [--only one-label] [--only any-number] [--seed 0]
                                           [--threads 1] [--folder DIR]

*parity*: a small network trained by ours (in what "auto" chooses here) and by the plain torch loop of
`plain_training`, from the same weights on the same batches of moving digits for as many iterations, with
three seeds: both top-1, and the mean difference. *one-label*: 40 classes, a digit in a motion each; the aim
is a top-1 of at least 0.9 on clips that were not trained on. *any-number*: three events in a clip; the aim
is a mean average precision of at least 0.8. The same networks given one frame must stay clearly under that:
a frame does not show a motion.
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
from tvnsearch.genome.genome import Block, Genome, Head, InputSpec
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network.build import build_network
from tvnsearch.training.evaluation import evaluate
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train
from tvnsearch.training.weights import load_weights

RESOLUTION = 32
CLIPS = ClipsPerClass(100, 6, 6)
PARTS = ("parity", "one-label", "any-number")

PARITY_SEEDS = (0, 1, 2)
PARITY = Recipe(iterations=400, learning_rate=5e-3)
ONE_LABEL = Recipe(iterations=2500, learning_rate=5e-3, dropout=0.2)
ANY_NUMBER = Recipe(iterations=2500, learning_rate=5e-3, dropout=0.2)


def small_network(frames: int, frame_stride: int, width: int = 24, head: Head = "mean") -> Genome:
    """Three blocks of convolutions over space and time, at 32 pixels."""
    return Genome(
        InputSpec(RESOLUTION, frames, frame_stride),
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
    parts = arguments.only or PARTS
    figures: dict[str, Any] = {"seed": arguments.seed, "threads": arguments.threads}
    one_label = _clips(arguments.folder, multi_label=False) if {"parity", "one-label"} & set(parts) else None
    if "parity" in parts and one_label:
        figures["parity"] = _parity(one_label, arguments.folder)
    if "one-label" in parts and one_label:
        networks = {"several": small_network(4, 4), "one": small_network(1, 1)}
        recipe = replace(ONE_LABEL, seed=arguments.seed)
        figures["one_label"] = _motion("one-label", one_label, networks, recipe, arguments.folder)
    if "any-number" in parts:
        networks = {
            "several": small_network(18, 4, head="per_frame"),
            "one": small_network(1, 1, head="per_frame"),
        }
        recipe = replace(ANY_NUMBER, seed=arguments.seed)
        clips = _clips(arguments.folder, multi_label=True)
        figures["any_number"] = _motion("any-number", clips, networks, recipe, arguments.folder)
    print(json.dumps(figures))


def _clips(folder: Path, multi_label: bool) -> ClipCache:
    name = "any-number" if multi_label else "one-label"
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


def _motion(
    part: str, cache: ClipCache, networks: dict[str, Genome], recipe: Recipe, folder: Path
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, genome in networks.items():
        began = time.monotonic()
        weights = folder / f"{part}-{name}.safetensors"
        result = train(genome, cache, recipe, weights)
        network = build_network(genome, len(cache.dataset.classes))
        load_weights(network, weights)
        scores = evaluate(network, cache, cache.dataset.test, genome.input)
        figure = _figure(scores)
        figures[f"{name}_frames" if name == "several" else "one_frame"] = {
            **figure,
            "clips": scores.clips,
            "frames": genome.input.frames,
            "precision": result.precision,
            "training_s": time.monotonic() - began,
        }
        said = ", ".join(f"{key} {value:.3f}" for key, value in figure.items())
        print(
            f"{part}, {genome.input.frames} frame(s): {said} in {time.monotonic() - began:.0f} s", flush=True
        )
    return figures


def _figure(scores: Scores) -> dict[str, float]:
    if scores.mean_average_precision is not None:
        return {"mean_average_precision": scores.mean_average_precision}
    return {"top1": scores.top1 or 0.0}


if __name__ == "__main__":
    main()
