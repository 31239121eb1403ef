"""A trained network that another one learns from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.network.build import TinyVideoNetwork, build_network
from tvnsearch.network.deploy import deployed_on_processor
from tvnsearch.training.weights import load_weights


class Teacher(Struct, frozen=True):
    """A trained network by its genome and the path of its weights."""

    genome: Genome
    weights: str

    def digest(self) -> str:
        """What tells it from other teachers.

        Raises OSError when its weights cannot be read.
        """
        return hashlib.sha256(Path(self.weights).read_bytes()).hexdigest()


def load_teacher(teacher: Teacher, classes: int, device: str) -> TinyVideoNetwork:
    """Its network, which stays as it is, in evaluation mode; on the processor as it is deployed there.

    Raises UserError when its weights are not there, or of another network or other classes.
    """
    network = build_network(teacher.genome, classes)
    load_weights(network, Path(teacher.weights))
    network.eval().requires_grad_(False)
    return deployed_on_processor(network) if device == "cpu" else network.to(device)
