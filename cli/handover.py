"""The winner of a run as files: genome, weights, what its outputs mean; and what is done with it after."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tvnsearch.data.decode import decode_clip
from tvnsearch.data.sampling import (
    PIXEL_MEAN,
    PIXEL_STD,
    frame_indices,
    middle_square,
    normalise,
    resize,
    slack,
)
from tvnsearch.data.video import BrokenClip
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, load_genome

if TYPE_CHECKING:
    from tvnsearch.network.build import TinyVideoNetwork

MOST_LABELS = 5


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


class Label(Struct, frozen=True):
    """A class, and how sure the network is of it."""

    label: str
    probability: float


class Classification(Struct, frozen=True):
    """The likeliest labels of a video; ``milliseconds`` include the decoding."""

    video: str
    labels: list[Label]
    milliseconds: float


def winner_folder(run: Path) -> Path:
    """Where the winner's files lie."""
    return run / "winner"


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


def classify_video(model: TrainedModel, video: Path) -> Classification:
    """Label the middle of a video.

    Raises:
        UserError: the video cannot be decoded.
    """
    import torch

    began = time.perf_counter()
    spec = model.genome.input
    try:
        clip = decode_clip(video, spec.resolution)
    except BrokenClip as broken:
        raise UserError(
            f"expected a video in {video}, but it cannot be decoded ({broken.reason}); give another file"
        ) from None
    top, left, height, width = middle_square(*clip.shape[1:3])
    frames = clip[frame_indices(len(clip), spec, slack(len(clip), spec) // 2)]
    frames = resize(frames[:, top : top + height, left : left + width], spec.resolution)
    with torch.inference_mode():
        logits = _network(model)(torch.from_numpy(normalise(frames))[None])[0]
    shares = logits.sigmoid() if model.card.multi_label else logits.softmax(0)
    probabilities, indices = shares.topk(min(MOST_LABELS, len(model.card.classes)))
    labels = [
        Label(model.card.classes[index], float(probability))
        for index, probability in zip(indices.tolist(), probabilities.tolist(), strict=True)
    ]
    return Classification(str(video), labels, (time.perf_counter() - began) * 1000)


def export_winner(model: TrainedModel, path: Path) -> float:
    """Write the model as ONNX; returns its largest relative error against torch."""
    from tvnsearch.export.onnx import export_onnx

    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "classes": msgspec.json.encode(model.card.classes).decode(),
        "genome": msgspec.json.encode(model.genome).decode(),
        "normalisation": f"(pixel / 255 - {model.card.pixel_mean}) / {model.card.pixel_std}, RGB",
    }
    return export_onnx(_network(model), path, metadata)


def _network(model: TrainedModel) -> TinyVideoNetwork:
    from tvnsearch.network.build import build_network
    from tvnsearch.training.weights import load_weights

    network = build_network(model.genome, len(model.card.classes))
    load_weights(network, model.weights)
    return network.eval()
