"""The winner of a run as files: genome, weights, what its outputs mean, and exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from cli.run_report import winner_folder
from tvnsearch.data.sampling import PIXEL_MEAN, PIXEL_STD
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, load_genome

if TYPE_CHECKING:
    from tvnsearch.network.build import TinyVideoNetwork


class ModelCard(Struct, frozen=True):
    """What a user needs beside genome and weights: the meaning of inputs and outputs."""

    classes: tuple[str, ...]
    multi_label: bool
    pixel_mean: float = PIXEL_MEAN
    pixel_std: float = PIXEL_STD


class TrainedModel(Struct, frozen=True):
    """A network that was handed over."""

    genome: Genome
    card: ModelCard
    weights: Path


def load_winner(run: Path) -> TrainedModel:
    """The winner of a run.

    Raises:
        UserError: the run has none yet.
    """
    folder = winner_folder(run)
    card = folder / "model.json"
    if not card.is_file():
        raise UserError(
            f"expected a run with a winner in {run}, but there is no {card}; "
            f"see how it stands with `tvnsearch status {run}`"
        )
    return TrainedModel(
        load_genome(folder / "genome.json"),
        msgspec.json.decode(card.read_bytes(), type=ModelCard),
        folder / "weights.safetensors",
    )


def export_winner(model: TrainedModel, path: Path) -> float:
    """Write the model as ONNX; returns its largest relative error against torch."""
    from tvnsearch.export.onnx import export_onnx

    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "classes": msgspec.json.encode(model.card.classes).decode(),
        "genome": msgspec.json.encode(model.genome).decode(),
        "normalisation": f"(pixel / 255 - {model.card.pixel_mean}) / {model.card.pixel_std}, RGB",
    }
    return export_onnx(load_network(model), path, metadata)


def load_network(model: TrainedModel) -> TinyVideoNetwork:
    """The model's network, ready to run."""
    from tvnsearch.network.build import build_network
    from tvnsearch.training.weights import load_weights

    network = build_network(model.genome, len(model.card.classes))
    load_weights(network, model.weights)
    return network.eval()
