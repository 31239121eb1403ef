"""A trained network as files: genome, weights, what its outputs mean, and exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from tvnsearch.data.normalisation import PIXEL_MEAN, PIXEL_STD
from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError
from tvnsearch.export.formats import FORMATS, Format
from tvnsearch.export.options import GraphOptions
from tvnsearch.files import write_whole
from tvnsearch.genome.genome import Genome, genome_to_json, load_genome
from tvnsearch.search.run_folder import winner_folder
from tvnsearch.search.settings import DeviceSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tvnsearch.network.build import TinyVideoNetwork

EAGER = "eager"
QUICK_TO_PREPARE = ("onnxruntime", "openvino")
"""Other runtimes compile for a minute before the first label."""

CARD, WEIGHTS = "model.json", "weights.safetensors"


class ModelCard(Struct, frozen=True):
    """What a user needs beside genome and weights: the meaning of inputs and outputs.

    `data` is the address of the clips that it was trained on, `split_seed` what decided which of them, where
    they came without a split; `precision` is that of weights and features where the network runs on the
    processor: what a search measured there. `device` and `max_ms` are what a search measured the network on,
    and the budget that it was handed over for; None where no search did.
    """

    classes: tuple[str, ...]
    multi_label: bool
    pixel_mean: float = PIXEL_MEAN
    pixel_std: float = PIXEL_STD
    data: str = ""
    split_seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    device: DeviceSettings | None = None
    max_ms: float | None = None


class TrainedModel(Struct, frozen=True):
    """A network that was handed over."""

    genome: Genome
    card: ModelCard
    weights: Path


def write_model(folder: Path, genome: Genome, card: ModelCard) -> None:
    """Write what belongs beside the weights in a folder that `load_model` reads."""
    write_whole(folder / "genome.json", genome_to_json(genome).encode())
    write_whole(folder / CARD, msgspec.json.format(msgspec.json.encode(card), indent=1))


def precision_of(device: DeviceSettings) -> Literal["float32", "bfloat16"]:
    """The precision in which a network runs on the processor: what it was measured in there."""
    return device.precision if device.processor == "cpu" else "float32"


def load_model(path: str | Path) -> TrainedModel:
    """The network that was trained in a folder, or the winner of a run.

    Raises:
        UserError: there is none, or none yet, or its files are damaged.
    """
    path = Path(path)
    folder = path if (path / CARD).is_file() else winner_folder(path)
    card = folder / CARD
    if not card.is_file():
        raise UserError(
            f"expected a trained network or a run with a winner in {path}, but there is no {card}; see how a "
            f"run stands with `tvnsearch status {path}`, or go on with `tvnsearch train {path} --resume`"
        )
    meaning = load_card(card)
    return TrainedModel(load_genome(folder / "genome.json"), meaning, folder / WEIGHTS)


def load_card(path: Path) -> ModelCard:
    """The card that was written beside a network's weights.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"expected the classes and the normalisation of a network in {path}, but it cannot be read "
            f"({error}); train the network again"
        ) from None


def export_winner(
    model: TrainedModel,
    path: Path,
    file_format: Format = FORMATS["onnx"],
    options: GraphOptions | None = None,
    calibration: Sequence[NDArray[Any]] = (),
) -> float:
    """Write the model in a format; returns its largest relative error against torch.

    Raises:
        UserError: its weights are not there or not its own, or :func:`export_network` fails.
    """
    from tvnsearch.export.write import export_network

    options = options or GraphOptions()
    return export_network(
        load_network(model),
        path,
        export_metadata(model.genome, model.card, options),
        file_format,
        options,
        calibration,
    )


def export_metadata(genome: Genome, card: ModelCard, options: GraphOptions) -> dict[str, str]:
    """What an exported file tells of itself."""
    normalised = f"(pixel / 255 - {card.pixel_mean}) / {card.pixel_std}"
    by_file = options.normalisation is not None
    return {
        "classes": msgspec.json.encode(card.classes).decode(),
        "genome": msgspec.json.encode(genome).decode(),
        "input": f"RGB, {options.layout}, " + ("uint8, 0 to 255" if by_file else f"float32, {normalised}"),
        "normalisation": f"{normalised}, RGB" + (", done by this file" if by_file else ""),
        "output": options.output,
        "labels": "several" if card.multi_label else "one",
        "frames": f"{genome.input.frames}, {genome.input.frame_stride}/30 s apart",
    }


def logits_of(model: TrainedModel) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """What computes the logits of one clip as the model was measured: in the runtime of its search.

    Where that is not of this processor, or its packages are missing, in torch.
    """
    from tvnsearch.devices.backends import load_backend
    from tvnsearch.network.deploy import deployed

    device = Device("cpu", backend=_backend_of(model.card), precision=model.card.precision)
    return load_backend(device.backend).prepare(deployed(load_network(model)), device).logits


def _backend_of(card: ModelCard) -> str:
    from tvnsearch.devices.backends import backends_of, known_backends

    backend = EAGER if card.device is None else card.device.backend
    if backend not in backends_of(["cpu"]) or backend not in QUICK_TO_PREPARE:
        return EAGER
    return backend if card.precision in known_backends()[backend].precisions["cpu"] else EAGER


def load_network(model: TrainedModel) -> TinyVideoNetwork:
    """The model's network as it was trained, in evaluation mode."""
    from tvnsearch.network.build import build_network
    from tvnsearch.training.weights import load_weights

    network = build_network(model.genome, len(model.card.classes))
    load_weights(network, model.weights)
    return network.eval()
