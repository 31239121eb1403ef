"""A worker module that pretends to train for ``TRAIN_SECONDS``, and to score."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tvnsearch.workers import serve


def train(*, weights, progress, **asked):
    """The fitness of a network is a function of its genome alone."""
    time.sleep(float(os.environ.get("TRAIN_SECONDS", "0")))
    Path(weights).parent.mkdir(parents=True, exist_ok=True)
    Path(weights).write_bytes(b"weights")
    layers = sum(len(block["layers"]) for block in asked["genome"]["blocks"])
    return {
        "fitness": float(layers),
        "top1": 0.4,
        "top5": 0.6,
        "mean_average_precision": None,
        "loss": 1.0,
        "iterations": 4,
        "seconds": 1.0,
        "fitting_seconds": 2.0,
    }


def evaluate(*, weights, progress, **asked):
    """Scores of whatever is there."""
    assert Path(weights).read_bytes() == b"weights"
    return {"clips": 8, "top1": 0.5, "top5": 0.75, "mean_average_precision": None}


if __name__ == "__main__":
    serve({"train": train, "evaluate": evaluate})
