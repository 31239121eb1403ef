"""A trained network's folder as model hubs read it: a model card, configurations, milliseconds a layer."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from tvnsearch.api.exported import ExportedLatency, exported_line, interval_told
from tvnsearch.api.trained_model import ModelCard, TrainedModel, load_network
from tvnsearch.devices.processor import processor_model
from tvnsearch.export.formats import FORMATS
from tvnsearch.files import write_whole
from tvnsearch.genome.genome import Genome, genome_to_json

if TYPE_CHECKING:
    from tvnsearch.api.status import FinalScores
    from tvnsearch.search.plan import SearchPlan
    from tvnsearch.search.progress.status import NetworkSummary

README, CONFIG, PREPROCESSOR = "README.md", "config.json", "video_preprocessor_config.json"
LAYERS, NODE_DATA = "layers_ms.json", "model.onnx.node_data.json"
DESCRIBING = (README, CONFIG, PREPROCESSOR, LAYERS, NODE_DATA)
PACKAGES = ("tvnsearch", "torch", "onnx", "onnxruntime", "openvino")
BASE_RATE = 30
BILINEAR = 2
"""Pillow's number, by which the configurations of hubs name it."""


def write_configs(folder: Path, model: TrainedModel) -> None:
    """``config.json`` and ``video_preprocessor_config.json``.

    Raises:
        OSError: they cannot be written.
    """
    write_whole(folder / CONFIG, _json(network_config(model.genome, model.card)))
    write_whole(folder / PREPROCESSOR, _json(preprocessor_config(model.genome, model.card)))


def network_config(genome: Genome, card: ModelCard) -> dict[str, Any]:
    """What the network is, its labels as hubs keep them, and its genome."""
    return {
        "model_type": "tvnsearch",
        "architectures": ["TinyVideoNetwork"],
        "problem_type": "multi_label_classification" if card.multi_label else "single_label_classification",
        "id2label": {str(number): name for number, name in enumerate(card.classes)},
        "label2id": {name: number for number, name in enumerate(card.classes)},
        "num_frames": genome.input.frames,
        "frame_stride": genome.input.frame_stride,
        "image_size": [genome.input.height, genome.input.width],
        "num_channels": 3,
        "torch_dtype": "float32",
        "genome": json.loads(genome_to_json(genome)),
    }


def preprocessor_config(genome: Genome, card: ModelCard) -> dict[str, Any]:
    """How frames become the network's input, in the names that hubs' video processors use.

    Frames are sampled before: ``num_frames`` from the middle of a clip, ``fps`` a second.
    """
    spec = genome.input
    return {
        "do_convert_rgb": True,
        "do_sample_frames": False,
        "num_frames": spec.frames,
        "fps": BASE_RATE / spec.frame_stride,
        "do_resize": True,
        "size": {"shortest_edge": spec.short_side},
        "resample": BILINEAR,
        "do_center_crop": True,
        "crop_size": {"height": spec.height, "width": spec.width},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [card.pixel_mean] * 3,
        "image_std": [card.pixel_std] * 3,
    }


def write_layer_times(model: TrainedModel, onnx_file: Path, exported: ExportedLatency) -> None:
    """Milliseconds of each layer call, and the same of the ONNX file's nodes as Model Explorer reads it.

    The level is the exported file's own latency, which the counters of its runtime divide: a call that is
    executed as one with those before it has none of its own.

    Raises:
        OSError: they cannot be written.
    """
    import onnx

    folder = model.weights.parent
    layers_ms = {
        name: round(share * exported.latency_ms, 4) for name, share in _shares(model, exported).items()
    }
    told = {"runtime": exported.runtime, "threads": exported.threads, "latency_ms": exported.latency_ms}
    write_whole(folder / LAYERS, _json({**told, "layers_ms": layers_ms}))
    last_output = {node.name.split("/")[0]: node.output[0] for node in onnx.load(onnx_file).graph.node}
    results = {last_output[name]: {"value": ms} for name, ms in layers_ms.items() if name in last_output}
    gradient = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#e05050"}]
    write_whole(folder / NODE_DATA, _json({"results": results, "gradient": gradient}))


def _shares(model: TrainedModel, exported: ExportedLatency) -> dict[str, float]:
    """What each layer call takes of a pass in the runtime of the exported file."""
    from tvnsearch.devices.backends import DividedNetwork, load_backend
    from tvnsearch.devices.device import Device
    from tvnsearch.network.deploy import deployed

    backend = next(
        each.backend for each in FORMATS.values() if each.runtime == exported.runtime and each.backend
    )
    device = Device("cpu", exported.threads, backend, batch=exported.together)
    network = load_network(model)
    prepared = cast(DividedNetwork, load_backend(backend).prepare(deployed(network), device))
    names = [name for name, _ in network.trace.named_calls()]
    return {name: share for name, share in zip(names, prepared.division().shares, strict=True) if share}


def model_card(
    model: TrainedModel,
    scores: FinalScores,
    plan: SearchPlan,
    winner: NetworkSummary | None,
    promised: bool,
) -> str:
    """The text of ``README.md``: a head in YAML that hubs index, then what a reader has to know.

    ``winner`` is the run's, and ``promised`` if its measurement can be trusted with that it keeps the budget.
    """
    card, spec = model.card, model.genome.input
    data = Path(card.data.split(":", 1)[-1]).name or "clips"
    head = {
        "library_name": "tvnsearch",
        "pipeline_tag": "video-classification",
        "tags": ["video-classification", "tiny-video-networks", "hardware-aware-nas", "onnx"],
        "model-index": [{"name": f"tvnsearch-{scores.number}", "results": [_result(scores, data)]}],
    }
    sentences = [
        "---",
        *(f"{key}: {json.dumps(value)}" for key, value in head.items()),  # JSON is YAML, on one line
        "---",
        "",
        f"# A tiny video network for {len(card.classes)} classes",
        "",
        f"Found by tvnsearch under a budget of {plan.budget.max_ms:g} ms on {_device(plan)}, trained on "
        f"`{data}`.",
        "",
        "## Scores",
        "",
        _scores_line(scores),
        "",
        "## Latency",
        "",
        *_latency_lines(scores, winner, promised, plan),
        "",
        "## Input",
        "",
        f"RGB clips of {spec.frames} frames, {spec.height} x {spec.width} pixels, {spec.frame_stride}/30 s "
        f"apart: float32 (batch, {spec.frames}, {spec.height}, {spec.width}, 3), normalised to "
        f"(pixel / 255 - {card.pixel_mean}) / {card.pixel_std}. Of a larger frame it is the middle, cut to "
        "these proportions and resized bilinearly with antialiasing.",
        "",
        "## Output",
        "",
        f"Logits (batch, {len(card.classes)}); probabilities are their "
        f"{'sigmoid, a clip may show several' if card.multi_label else 'softmax, a clip shows one'}. "
        "`config.json` names the classes: "
        + ", ".join(f"`{name}`" for name in card.classes[:20])
        + (", ..." if len(card.classes) > 20 else "")
        + ".",
        "",
        "## Running it",
        "",
        "    pip install tvnsearch",
        "    tvnsearch classify . clip.mp4",
        "",
        "or `model.onnx` in any runtime of ONNX:",
        "",
        "    import numpy, onnxruntime",
        '    session = onnxruntime.InferenceSession("model.onnx")',
        f"    clips = numpy.zeros(({_clips_of_onnx(scores)}, {spec.frames}, {spec.height}, {spec.width}, 3), "
        "numpy.float32)",
        '    [logits] = session.run(None, {"clips": clips})',
        "",
        "## Files",
        "",
        f"`weights.safetensors`, `genome.json` and `model.json` (the network for tvnsearch), `model.onnx`, "
        f"`{CONFIG}`, `{PREPROCESSOR}`, `scores.json`; `{LAYERS}` has milliseconds a layer, and "
        f"`{NODE_DATA}` the same as node data for Model Explorer.",
        "",
        f"Written with {_versions()}.",
        "",
    ]
    return "\n".join(sentences)


def _clips_of_onnx(scores: FinalScores) -> int:
    """How many clips ``model.onnx`` takes: one, or as many as were measured if in its runtime."""
    timed = scores.exported
    return timed.together if timed is not None and timed.file == "model.onnx" else 1


def _result(scores: FinalScores, data: str) -> dict[str, Any]:
    known = (
        ("accuracy", "top-1 accuracy", scores.top1),
        ("accuracy", "top-5 accuracy", scores.top5),
        ("mean_average_precision", "mean average precision", scores.mean_average_precision),
    )
    metrics = [
        {"type": kind, "name": name, "value": value} for kind, name, value in known if value is not None
    ]
    return {
        "task": {"type": "video-classification"},
        "dataset": {"name": data, "type": data, "split": "test"},
        "metrics": metrics,
    }


def _scores_line(scores: FinalScores) -> str:
    named = (
        ("top-1", scores.top1),
        ("top-5", scores.top5),
        ("mean average precision", scores.mean_average_precision),
    )
    told = ", ".join(f"{name} {value:.1%}" for name, value in named if value is not None)
    return (
        f"On {scores.clips} clips that neither the search nor any training saw: {told} "
        f"(chance is {scores.chance:.1%})."
    )


def _latency_lines(
    scores: FinalScores, winner: NetworkSummary | None, promised: bool, plan: SearchPlan
) -> list[str]:
    lines = []
    if winner is not None and winner.number == scores.number:
        interval = interval_told(winner.ci_low_ms, winner.ci_high_ms)
        promise = "this keeps the budget" if promised else f"this is no promise: {winner.reason}"
        lines.append(
            f"- {winner.latency_ms:.2f} ms ({interval}) on {_device(plan)}, as measured by "
            f"the search; {promise}."
        )
    if scores.exported is not None:
        lines.append(f"- {exported_line(f'`{scores.exported.file}`', scores.exported)}.")
    if scores.max_relative_error is not None:
        lines.append(
            f"- `model.onnx` agrees with torch within {scores.max_relative_error:.1e} of the largest logit."
        )
    if scores.on_clips is not None:
        lines.append(
            f"- On {scores.on_clips.clips} validation clips it names the same class as torch in "
            f"{scores.on_clips.top1_agreement:.1%}, within {scores.on_clips.max_relative_error:.1e} of the "
            "largest logit."
        )
    return lines or ["Not measured."]


def _device(plan: SearchPlan) -> str:
    device, digest = plan.device, f"device {plan.device_digest}"
    told = [device.backend, device.precision]
    if device.name == "cpu":  # this machine's, not one that is somewhere else
        told = [*filter(None, [processor_model()]), *told]
    if device.processor == "cpu":
        told.append(f"{device.threads} thread(s)")
    if device.batch > 1:
        told.append(f"{device.batch} clips a pass")
    return f"`{device.name}` ({', '.join(told)}; {digest})"


def _versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
