"""Make the replayed table: train every network of its space, a tenth of them from a second seed as well.

    python benchmarks/replay_table/build.py [--work runs/replay_table] [--max-minutes 2]

One thread. Each training is one line of ``trainings.jsonl`` in the working folder as soon as it is done, so a
run may be interrupted at any time, and the next goes on; exit code 3 says that there is more to do. When all
are done, latencies are measured and ``table.csv.gz`` is written beside this file.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from table import CLASSES, COLUMNS, DIGITS, ITERATIONS, POINTS, TABLE, all_genomes, load_table, seed_noise_sd
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.data.loader import Batch, evaluation_batches, training_batches
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.genome import Genome
from tvnsearch.genome.genome import InputSpec
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import trace
from tvnsearch.network import TinyVideoNetwork, build_network, deployed
from tvnsearch.training.metrics import Scores, score
from tvnsearch.training.recipe import Recipe

CLIPS_PER_CLASS = ClipsPerClass(train=40, validation=32, test=1)
RESOLUTION = 32
BATCH_SIZE = 16
LEARNING_RATE = 0.02
WARMUP_SHARE = 0.1
WEIGHT_DECAY = 0.05
LABEL_SMOOTHING = 0.1

TWICE_EVERY = 10
"""One in so many networks is trained from two seeds."""

LATENCY_ROUNDS = 2
LATENCY_RUNS = 10
MORE_TO_DO = 3


def table_recipe(iterations: int) -> Recipe:
    """The recipe of the table's trainings, as the product's own trainer takes it."""
    return Recipe(
        iterations=iterations,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        warmup_share=WARMUP_SHARE,
        weight_decay=WEIGHT_DECAY,
        label_smoothing=LABEL_SMOOTHING,
    )


def main() -> int:
    """Train what is missing, as far as the time goes; write the table when nothing is."""
    parser = argparse.ArgumentParser(description="Train every network of the replayed table's space.")
    parser.add_argument("--work", type=Path, default=Path("runs/replay_table"))
    parser.add_argument("--max-minutes", type=float, default=math.inf)
    arguments = parser.parse_args()
    ends = time.monotonic() + 60 * arguments.max_minutes
    torch.set_num_threads(1)
    log = arguments.work / "trainings.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    done = {(row["genome_id"], row["seed"]) for row in _read(log)}
    left = [job for job in _jobs() if job[1:] not in done]
    if left:
        cache = clips(arguments.work)
        genomes = {genome_id(genome): genome for _, genome in all_genomes()}
    for number, (layers, identity, seed) in enumerate(left):
        if time.monotonic() > ends:
            print(f"{len(left) - number} trainings to do", flush=True)
            return MORE_TO_DO
        row = {"layers": layers, "genome_id": identity, "seed": seed}
        with log.open("a") as file:
            file.write(json.dumps(row | _trained(genomes[identity], seed, cache)) + "\n")
    _write_table(_read(log), _latencies_ms())
    table = load_table()
    values = [rows[0].fitness[-1] for rows in table.values()]
    figures = {
        "networks": len(table),
        "trainings": sum(map(len, table.values())),
        "hours": sum(row.seconds for rows in table.values() for row in rows) / 3600,
        "fitness_min": min(values),
        "fitness_median": statistics.median(values),
        "fitness_max": max(values),
        "seed_noise_sd": seed_noise_sd(table),
        "bytes": TABLE.stat().st_size,
    }
    print(json.dumps(figures))
    return 0


def _read(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _jobs() -> Iterator[tuple[str, str, int]]:
    """(layers, identity, seed) of every training, in the order in which they are made: cheap ones first."""
    networks = sorted(
        (trace(genome, CLASSES).macs, genome_id(genome), layers) for layers, genome in all_genomes()
    )
    for place, (_, identity, layers) in enumerate(networks):
        for seed in (0, 1) if place % TWICE_EVERY == 0 else (0,):
            yield layers, identity, seed


def clips(work: Path) -> ClipCache:
    """The clips that the table's networks learn and are scored on, generated and decoded below ``work``."""
    generate(work / "clips", CLIPS_PER_CLASS, digits=range(DIGITS), seed=0)
    cache = ClipCache(open_dataset(work / "clips", seed=0), RESOLUTION, work / "cache")
    cache.prepare()
    return cache


def _trained(genome: Genome, seed: int, cache: ClipCache) -> dict:
    """Train one network at full length, scored at every point on the way."""
    torch.manual_seed(seed)
    network = build_network(genome, CLASSES)
    decayed = [weights for weights in network.parameters() if weights.dim() > 1]
    others = [weights for weights in network.parameters() if weights.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    )
    scores: list[Scores] = []
    losses: list[float] = []
    loss_at: list[float] = []
    began = time.monotonic()
    with closing(training_batches(cache, cache.dataset.train, genome.input, BATCH_SIZE, seed)) as batches:
        for iteration, batch in zip(range(ITERATIONS), batches, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * _learning_rate_factor(iteration / ITERATIONS)
            network.train()
            loss = functional.cross_entropy(
                network(batch.clips), batch.labels, label_smoothing=LABEL_SMOOTHING
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
            if iteration + 1 in POINTS:
                scores.append(_scored(network, genome, cache))
                loss_at.append(round(statistics.fmean(losses), 4))
                losses = []
    traced = trace(genome, CLASSES)
    return {
        "frames": genome.input.frames,
        "params": traced.params,
        "macs": traced.macs,
        "seconds": round(time.monotonic() - began, 2),
        "top1": round(scores[-1].top1 or 0.0, 4),
        "top5": round(scores[-1].top5 or 0.0, 4),
        "fitness": [round(point.fitness, 4) for point in scores],
        "loss": loss_at,
    }


def _learning_rate_factor(share: float) -> float:
    """The trainer's schedule: up over the warm-up, then a cosine to zero."""
    if share < WARMUP_SHARE:
        return max(share, 0.01 * WARMUP_SHARE) / WARMUP_SHARE
    return 0.5 * (1 + math.cos(math.pi * (share - WARMUP_SHARE) / (1 - WARMUP_SHARE)))


def _scored(network: TinyVideoNetwork, genome: Genome, cache: ClipCache) -> Scores:
    network.eval()
    batches = _validation(cache, genome.input)
    with torch.inference_mode():
        logits = np.concatenate([network(batch.clips).numpy() for batch in batches])
    return score(logits, np.concatenate([batch.labels.numpy() for batch in batches]))


@lru_cache
def _validation(cache: ClipCache, spec: InputSpec) -> list[Batch]:
    with closing(evaluation_batches(cache, cache.dataset.validation, spec, 64)) as batches:
        return list(batches)


def _latencies_ms() -> dict[str, float]:
    """One clip through each network as deployed: the median of a round's runs, of the rounds the least."""
    latencies: dict[str, float] = {}
    with torch.inference_mode():
        for _ in range(LATENCY_ROUNDS):
            for _, genome in all_genomes():
                network = deployed(build_network(genome, CLASSES))
                clip = torch.randn(1, genome.input.frames, RESOLUTION, RESOLUTION, 3)
                runs_ms = []
                for _ in range(LATENCY_RUNS):
                    began = time.perf_counter()
                    network(clip)
                    runs_ms.append(1000 * (time.perf_counter() - began))
                identity = genome_id(genome)
                latencies[identity] = min(statistics.median(runs_ms), latencies.get(identity, math.inf))
    return latencies


def _write_table(rows: list[dict], latencies_ms: dict[str, float]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    within = [row for row in rows if row["genome_id"] in latencies_ms]
    for row in sorted(within, key=lambda row: (row["frames"], row["macs"], row["genome_id"], row["seed"])):
        plain = {**row, "latency_ms": round(latencies_ms[row["genome_id"]], 3)}
        for name in ("fitness", "loss"):
            plain |= {f"{name}_{point}": value for point, value in zip(POINTS, row[name], strict=True)}
        writer.writerow([plain[column] for column in COLUMNS])
    with gzip.GzipFile(TABLE, "wb", mtime=0) as file:
        file.write(text.getvalue().encode())


if __name__ == "__main__":
    raise SystemExit(main())
