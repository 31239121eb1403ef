"""What networks come to when each is trained for the same seconds on the same clips.

    python benchmarks/equal_seconds.py NETWORK... [--seconds 60] [--seeds 0 1 2] [--folder DIR]

NETWORK is a name of the zoo, which then looks at 8 frames of 64 pixels, or a genome file, taken as it is;
the clips are three digits in four motions, 12 classes. Trainings are single-threaded and last by the clock,
so nothing else may run meanwhile; to compare two versions of the code run this script of each at the same
time, each on its core.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import platformdirs
import torch
from msgspec.structs import replace

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.moving_digits import SIDE, ClipsPerClass, generate
from tvnsearch.genome.genome import Genome, load_genome, square_input
from tvnsearch.genome.zoo import load_zoo, zoo
from tvnsearch.network.build import build_network
from tvnsearch.training.evaluation import evaluate
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train
from tvnsearch.training.weights import load_weights

CLIPS = ClipsPerClass(60, 6, 12)
DIGITS = 3
FRAMES, FRAME_STRIDE = 8, 3
RECIPE = Recipe(iterations=1_000_000, batch_size=8, learning_rate=3e-3, dropout=0.2, precision="float32")


def main() -> None:
    """Train every network with every seed, and print what each came to on unseen clips."""
    parser = argparse.ArgumentParser(description="Top-1 after equal seconds of training.")
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--folder", type=Path, default=platformdirs.user_cache_path("tvnsearch") / "benchmarks"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset = open_dataset(generate(arguments.folder / "three-digits", CLIPS, digits=range(DIGITS)))
    cache = ClipCache(dataset, SIDE, arguments.folder / "clips")
    cache.prepare()
    figures: dict[str, object] = {"seconds": arguments.seconds, "chance": dataset.chance}
    for name in arguments.networks:
        genome = _network(name)
        top1, iterations = [], []
        for seed in arguments.seeds:
            recipe = replace(RECIPE, max_seconds=arguments.seconds, seed=seed)
            weights = arguments.folder / "equal-seconds.safetensors"
            result = train(genome, cache, recipe, weights)
            network = build_network(genome, len(dataset.classes))
            load_weights(network, weights)
            top1.append(evaluate(network, cache, dataset.test, genome.input).top1)
            iterations.append(result.iterations)
            print(f"{name}, seed {seed}: top-1 {top1[-1]:.3f}, {iterations[-1]} iterations", flush=True)
        print(f"{name}: top-1 {statistics.mean(top1):.3f} +- {statistics.pstdev(top1):.3f}", flush=True)
        figures[name] = {"top1": top1, "mean_top1": statistics.mean(top1), "iterations": iterations}
    print(json.dumps(figures))


def _network(name: str) -> Genome:
    if name in zoo():
        return replace(load_zoo(name), input=square_input(SIDE, FRAMES, FRAME_STRIDE))
    return load_genome(Path(name))


if __name__ == "__main__":
    main()
