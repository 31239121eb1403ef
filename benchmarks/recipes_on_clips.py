"""What the settings of a recipe bring on clips of one's own: a small network, each setting alone, some seeds.

    python benchmarks/recipes_on_clips.py --data csv:/data/actions/by-subject.csv [--recipes plain,grw]
        [--seeds 0,1,2] [--iterations 1500] [--frames 8] [--frame-stride 6] [--resolution 48] [--width 24]
        [--batch-size 32] [--learning-rate 0.005] [--dropout 0.2] [--device cpu] [--threads 1] [--folder DIR]

Three blocks of convolutions over space and time are trained by `plain`, which is the paper's recipe but for
its length, learning rate and dropout, and by the same with each setting on; `taught` learns from a network of
four times the width, trained by `plain` with the same seed. Printed are top-1 (or mean average precision, of
data with any number of labels) on validation and test clips: of each training, then mean and standard
deviation over the seeds and the mean difference to `plain` of the same seed. What one seed differs by from
another is what a difference has to exceed.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import platformdirs
import torch
from msgspec.structs import replace

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.genome.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.network.build import build_network
from tvnsearch.training.evaluation import evaluate
from tvnsearch.training.metrics import Scores
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.teacher import Teacher
from tvnsearch.training.trainer import train
from tvnsearch.training.weights import load_weights

RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "rand_augment": {"rand_augment_operations": 2},
    "erasing": {"erasing_share": 0.25},
    "mixup": {"mixup_alpha": 0.8},
    "cutmix": {"cutmix_alpha": 1.0},
    "mixup_or_cutmix": {"mixup_alpha": 0.8, "cutmix_alpha": 1.0},
    "balanced": {"sampling": "classes"},
    "class_weights": {"class_weights": "inverse_frequency"},
    "grw": {"grw_weight": 0.1},
    "grw_weak": {"grw_weight": 0.01},
    "grw_faint": {"grw_weight": 0.001},
    "taught": {},
}

TEACHER_WIDTH = 4
"""Times the width of its pupil."""


def main() -> None:
    """Train by each recipe with each seed, and print what that came to."""
    parser = argparse.ArgumentParser(
        description="Settings of a recipe, one at a time, on clips of one's own."
    )
    parser.add_argument("--data", required=True, metavar="[FORMAT:]PATH")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--frame-stride", type=int, default=6, help="in thirtieths of a second")
    parser.add_argument("--resolution", type=int, default=48)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, default=platformdirs.user_cache_path("tvnsearch") / "benchmarks"
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.folder.mkdir(parents=True, exist_ok=True)
    cache = ClipCache(open_dataset(given.data), given.resolution, given.folder / "clips")
    cache.prepare()
    plain = Recipe(
        given.iterations, given.batch_size, learning_rate=given.learning_rate, dropout=given.dropout
    )
    pupil, wide = (_network(given, width) for width in (given.width, TEACHER_WIDTH * given.width))
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in given.recipes.split(",")}
    for seed in map(int, given.seeds.split(",")):
        for name, trainings in rows.items():
            teacher = None
            if name == "taught":
                weights = given.folder / "recipes-teacher.safetensors"
                row = _trained(wide, cache, replace(plain, seed=seed), weights, given.device)
                print(f"teacher, seed {seed}: {_said(row)}", flush=True)
                teacher = Teacher(wide, str(weights))
            recipe = replace(plain, seed=seed, **RECIPES[name])
            weights = given.folder / "recipes-pupil.safetensors"
            trainings.append(_trained(pupil, cache, recipe, weights, given.device, teacher))
            print(f"{name}, seed {seed}: {_said(trainings[-1])}", flush=True)
    figures = {name: _summary(trainings, rows.get("plain")) for name, trainings in rows.items()}
    for name, summary in figures.items():
        print(f"{name}: {json.dumps({key: value for key, value in summary.items() if key != 'trainings'})}")
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(given).items()}
    print(json.dumps({"settings": settings, "recipes": figures}))


def _network(given: argparse.Namespace, width: int) -> Genome:
    return Genome(
        square_input(given.resolution, given.frames, given.frame_stride),
        (
            Block((SpatialConv(width, 3, 2, "relu"), TemporalConv(width, 3, 1, "relu"))),
            Block((SpatialConv(2 * width, 3, 2, "relu"), TemporalConv(2 * width, 3, 1, "relu"))),
            Block((SpatialConv(4 * width, 3, 2, "relu"), TemporalConv(4 * width, 3, 1, "relu"))),
        ),
    )


def _trained(
    genome: Genome,
    cache: ClipCache,
    recipe: Recipe,
    weights: Path,
    device: str,
    teacher: Teacher | None = None,
) -> dict[str, Any]:
    result = train(genome, cache, recipe, weights, teacher=teacher, device=device)
    if result.failed is not None:
        return {"seed": recipe.seed, "failed": result.failed}
    network = build_network(genome, len(cache.dataset.classes))
    load_weights(network, weights)
    test = evaluate(network, cache, cache.dataset.test, genome.input, device)
    return {
        "seed": recipe.seed,
        "validation": _score(result.top1, result.mean_average_precision),
        "test": _score_of(test),
        "loss": result.loss,
        "training_s": result.seconds,
    }


def _score_of(scores: Scores) -> float:
    return _score(scores.top1, scores.mean_average_precision)


def _score(top1: float | None, mean_average_precision: float | None) -> float:
    return (mean_average_precision or 0.0) if top1 is None else top1


def _said(row: dict[str, Any]) -> str:
    if "failed" in row:
        return str(row["failed"])
    return f"validation {row['validation']:.3f}, test {row['test']:.3f}, {row['training_s']:.0f} s"


def _summary(trainings: list[dict[str, Any]], plain: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Mean, standard deviation and mean difference to the plain trainings of the same seeds."""
    summary: dict[str, Any] = {"trainings": trainings}
    usable = {row["seed"]: row for row in trainings if "failed" not in row}
    for split in ("validation", "test"):
        scores = [row[split] for row in usable.values()]
        if not scores:
            continue
        summary[f"{split}_mean"] = statistics.fmean(scores)
        summary[f"{split}_sd"] = statistics.stdev(scores) if len(scores) > 1 else None
        beside = [
            usable[row["seed"]][split] - row[split]
            for row in plain or ()
            if "failed" not in row and row["seed"] in usable
        ]
        if beside:
            summary[f"{split}_above_plain"] = statistics.fmean(beside)
    return summary


if __name__ == "__main__":
    main()
