"""Whether children ranked after a short training with inherited weights are ranked as at full length.

    python benchmarks/inherited_weights.py [--networks 40] [--share 0.25] [--work runs/replay_table]

Parents out of the replayed table are trained at full length. Their children, ``--networks`` in all, each one
or two mutations away within the table's space, are trained once from inherited weights for ``--share`` of the
iterations, and once from fresh ones for as many; their fitness from scratch at full length is the table's.
Printed is Kendall's tau of both short trainings with the full ones. The aim is 0.8; ``table_seed_kendall`` is
what two full trainings from different seeds come to.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

import torch
from scipy.stats import kendalltau

sys.path.insert(0, str(Path(__file__).parent / "replay_table"))

from build import clips, table_recipe
from table import CLASSES, ITERATIONS, Row, load_table, table_space

from tvnsearch.data.cache import ClipCache
from tvnsearch.genome import Genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.mutation import mutate
from tvnsearch.training.inheriting import inherit_weights
from tvnsearch.training.trainer import train

CHILDREN = 5
"""Of each parent."""

MOST_MUTATIONS = 2


def main() -> None:
    """Train parent and children, and print how well the short trainings foretell the long ones."""
    parser = argparse.ArgumentParser(description="Short trainings with inherited weights.")
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/replay_table"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = load_table()
    cache = clips(arguments.work)
    rng = random.Random(arguments.seed)
    families = _families(table, arguments.networks, rng)
    iterations = round(arguments.share * ITERATIONS)
    full, inherited, fresh, shares, preserved = [], [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        start, end = Path(folder) / "start.safetensors", Path(folder) / "end.safetensors"
        for parent, children in families:
            weights = Path(folder) / "parent.safetensors"
            _train(parent, cache, ITERATIONS, weights)
            for child in children:
                found = inherit_weights(parent, weights, child, start, CLASSES, arguments.seed)
                shares.append(found.share)
                preserved += found.preserves_function
                inherited.append(_train(child, cache, iterations, end, start))
                fresh.append(_train(child, cache, iterations, end))
                full.append(table[genome_id(child)][0].fitness[-1])
    figures = {
        "networks": len(full),
        "iterations": iterations,
        "full_iterations": ITERATIONS,
        "inherited_kendall": float(kendalltau(inherited, full).statistic),
        "fresh_kendall": float(kendalltau(fresh, full).statistic),
        "table_seed_kendall": _seed_kendall(table),
        "mean_share_inherited": statistics.fmean(shares),
        "function_preserved": preserved / len(full),
        "mean_fitness_inherited": statistics.fmean(inherited),
        "mean_fitness_fresh": statistics.fmean(fresh),
        "mean_fitness_full": statistics.fmean(full),
    }
    print(json.dumps(figures))


def _families(
    table: dict[str, list[Row]], networks: int, rng: random.Random
) -> list[tuple[Genome, list[Genome]]]:
    """Parents drawn from the whole table, with children that are one or two mutations away, none twice."""
    space, families, known = table_space(), [], set[str]()
    while len(known) < networks:
        parent = table[rng.choice(sorted(table))][0].genome
        children: list[Genome] = []
        while len(children) < min(CHILDREN, networks - len(known)):
            child = parent
            for _ in range(rng.randint(1, MOST_MUTATIONS)):
                child = mutate(child, space, rng)
            identity = genome_id(child)
            if identity in table and identity not in known and identity != genome_id(parent):
                known.add(identity)
                children.append(child)
        families.append((parent, children))
    return families


def _train(
    genome: Genome, cache: ClipCache, iterations: int, weights: Path, start: Path | None = None
) -> float:
    """The fitness after a training by the table's recipe."""
    recipe = table_recipe(iterations)
    return train(genome, cache, recipe, weights, initial_weights=start).fitness


def _seed_kendall(table: dict[str, list[Row]]) -> float:
    pairs = [(rows[0].fitness[-1], rows[1].fitness[-1]) for rows in table.values() if len(rows) > 1]
    return float(kendalltau(*zip(*pairs, strict=True)).statistic)


if __name__ == "__main__":
    main()
