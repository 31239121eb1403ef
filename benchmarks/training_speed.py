"""Iterations a second of a training: released TVN-1 at 112 pixels against a plain torch loop with Conv3d.

    python benchmarks/training_speed.py [--network tvn-1] [--resolution 112] [--batch 16] [--rounds 3]
                                        [--iterations 4] [--threads 1]

The plain loop is the same network (its logits are compared first) written with 3-D modules, in float32,
with the optimizer and the memory allocator as they come. Ours is `Fitting`, as a training runs it in its
worker: the pinned allocator, and the precision that "auto" chooses here. Both learn from the same batches
in memory, each in a fresh process a round, in turn; the first iteration of a process is left out, and the
median of the rest is taken. The aim is 2.5 times as many iterations a second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from msgspec.structs import replace
from plain_network import PlainNetwork
from plain_training import train_plainly

from tvnsearch.data.loader import Batch
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.network.build import TinyVideoNetwork, build_network
from tvnsearch.training.fitting import Fitting
from tvnsearch.training.recipe import Recipe
from tvnsearch.workers import PINNED_ALLOCATOR

CLASSES = 40


def main() -> None:
    """Time both in turn, and print what they took; as a child, time one of them."""
    parser = argparse.ArgumentParser(description="Training iterations a second, ours against plain torch.")
    parser.add_argument("--network", default="tvn-1")
    parser.add_argument("--resolution", type=int, default=112)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=["ours", "plain"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(_timed(arguments)))
        return
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    precision, difference = "", 0.0
    for number in range(arguments.rounds):
        for name in seconds:
            told = _child(name)
            seconds[name] += told["seconds"]
            precision, difference = told["precision"], max(difference, told["difference"])
            median = statistics.median(told["seconds"])
            print(f"round {number + 1}, {name}: {1 / median:.3f} iterations/s", flush=True)
    rates = {name: 1 / statistics.median(figures) for name, figures in seconds.items()}
    times = rates["ours"] / rates["plain"]
    print(
        f"{arguments.network} at {arguments.resolution} pixels, batches of {arguments.batch}: "
        f"ours {rates['ours']:.3f} iterations/s in {precision}, plain {rates['plain']:.3f}: "
        f"{times:.2f} times as many"
    )
    print(
        json.dumps(
            {
                "ours_iterations_per_s": rates["ours"],
                "plain_iterations_per_s": rates["plain"],
                "times_as_fast": times,
                "precision": precision,
                "largest_relative_difference_of_logits": difference,
                **{key: value for key, value in vars(arguments).items() if key != "only"},
            }
        )
    )


def _child(name: str) -> dict[str, object]:
    """One process's iterations, in the environment that it would have."""
    arguments = [*sys.argv[1:], "--only", name]
    pinned = PINNED_ALLOCATOR if name == "ours" else {}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env=environment | pinned,
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def _timed(arguments: argparse.Namespace) -> dict[str, object]:
    torch.set_num_threads(arguments.threads)
    genome = load_zoo(arguments.network)
    genome = replace(
        genome, input=replace(genome.input, height=arguments.resolution, width=arguments.resolution)
    )
    torch.manual_seed(0)
    network = build_network(genome, CLASSES)
    difference = _difference(network)
    recipe = Recipe(iterations=arguments.iterations + 1, batch_size=arguments.batch)
    batch = Batch(
        torch.randn(arguments.batch, *network.trace.in_shape), torch.arange(arguments.batch) % CLASSES
    )
    if arguments.only == "plain":
        _, seconds = train_plainly(network, recipe, [batch] * recipe.iterations)
        return {"seconds": seconds[1:], "precision": "float32", "difference": difference}
    fitting = Fitting(network, recipe)
    seconds = []
    for number in range(recipe.iterations):
        began = time.perf_counter()
        fitting.step(batch, number / recipe.iterations)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds[1:], "precision": fitting.precision, "difference": difference}


def _difference(network: TinyVideoNetwork) -> float:
    """The largest difference of the two networks' logits, over the largest logit."""
    plain = PlainNetwork(network.trace).eval()
    plain.take_weights(network)
    clips = torch.randn(2, *network.trace.in_shape)
    with torch.inference_mode():
        ours, theirs = network.eval()(clips), plain(clips)
    network.train()
    return float((ours - theirs).abs().max() / ours.abs().max())


if __name__ == "__main__":
    main()
