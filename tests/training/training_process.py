"""A training in a process of its own, to be killed: `python -m tests.training.training_process JOB`.

JOB is a JSON file: the genome, the data, the recipe, the folder of the checkpoints and where the weights go.
A checkpoint follows every iteration, a line on standard output every checkpoint.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import torch

from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.genome.genome import Genome
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.team import ALONE, started_by_torchrun, team_of_torchrun
from tvnsearch.training.trainer import train


class Job(msgspec.Struct):
    genome: Genome
    address: str
    cache_dir: str
    resolution: int
    recipe: Recipe
    checkpoints: str
    weights: str


def main(path: Path) -> None:
    job = msgspec.json.decode(path.read_bytes(), type=Job)
    torch.set_num_threads(1)
    cache = ClipCache(open_dataset(job.address), job.resolution, Path(job.cache_dir))
    cache.prepare()
    arguments: dict[str, Any] = {
        "checkpoints": Checkpoints(Path(job.checkpoints), every_seconds=0.0),
        "on_progress": _tell,
    }
    if not started_by_torchrun():
        train(job.genome, cache, job.recipe, Path(job.weights), team=ALONE, **arguments)
        return
    with team_of_torchrun("cpu") as (team, device):
        train(job.genome, cache, job.recipe, Path(job.weights), team=team, device=device, **arguments)


def _tell(state: Any) -> None:
    sys.stdout.write(f"{state.iteration}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
