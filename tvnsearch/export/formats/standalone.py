"""A folder with the network's source in plain torch, its weights and labels, and a demo."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from tvnsearch.export.formats.records import FORMATS, Array, Opened
from tvnsearch.export.options import GraphOptions
from tvnsearch.export.standalone import layers
from tvnsearch.export.standalone.source import Source, source_of
from tvnsearch.network.build import TinyVideoNetwork

MODEL, WEIGHTS, LABELS, DEMO = FORMATS["standalone"].suffixes
BASE_RATE = 30
CLASSES = (
    layers.Conv,
    layers.Pool,
    layers.Shift,
    layers.PackFrames,
    layers.Gate,
    layers.NonLocal,
    layers.ChannelTimeLearning,
    layers.Head,
)

HEAD = '''"""A tiny video network for {classes} classes, found by tvnsearch. It needs torch alone.

    network = load()
    logits = network(clips)  # uint8 RGB (batch, {frames}, {height}, {width}, 3) to float32 (batch, {classes})
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FRAMES, HEIGHT, WIDTH, CLASSES = {frames}, {height}, {width}, {classes}
SECONDS_APART = {stride} / {rate}
SEVERAL_LABELS = {several}
MEAN, DEVIATION = {mean}, {deviation}

Activation = Callable[[Tensor], Tensor] | None
Triple = tuple[int, int, int]
Pad = tuple[int, int, int, int, int, int]
'''

NETWORK = '''class Network(nn.Module):
    """Clips as decoded, (batch, frames, rows, columns, 3) from 0 to 255, to logits."""

    def __init__(self) -> None:
        super().__init__()
        {definitions}

    def forward(self, clips: Tensor) -> Tensor:
        x = clips.permute(0, 4, 1, 2, 3).float() / 255
        x = (x - x.new_tensor(MEAN).view(3, 1, 1, 1)) / x.new_tensor(DEVIATION).view(3, 1, 1, 1)
        {steps}
'''

LOAD = '''def load(path: Path = Path(__file__).with_name("weights.safetensors")) -> Network:
    """The trained network. A safetensors file is the length of a header, that in JSON, and the numbers."""
    content = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    weights = {}
    for name, tensor in json.loads(content[8:begin]).items():
        if name != "__metadata__":
            first, last = tensor["data_offsets"]
            numbers = torch.frombuffer(content[begin + first : begin + last], dtype=torch.float32)
            weights[name] = numbers.view(tensor["shape"])
    network = Network()
    network.load_state_dict(weights)
    return network.eval()
'''


def written(
    network: TinyVideoNetwork,
    options: GraphOptions,
    metadata: Mapping[str, str],
    calibration: Sequence[Array] = (),
) -> dict[str, bytes]:
    """The folder's files by name, in float32; clips are taken as decoded, in any number."""
    source = source_of(network)
    weights = {name: values.detach().float().contiguous() for name, values in source.weights.items()}
    return {
        WEIGHTS: save(weights),
        LABELS: (json.dumps(json.loads(metadata["classes"]), ensure_ascii=False, indent=1) + "\n").encode(),
        DEMO: Path(inspect.getfile(layers)).with_name("demo.py").read_bytes(),
        MODEL: _module(network, source, options, metadata).encode(),
    }


def opened(files: Mapping[str, bytes], threads: int) -> Opened:
    """By its own source."""
    torch.set_num_threads(threads)
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        names: dict[str, Any] = {"__name__": "model", "__file__": str(Path(folder) / MODEL)}
        exec(compile(files[MODEL], MODEL, "exec"), names)
        network = names["load"]()
    shape = (-1, names["FRAMES"], names["HEIGHT"], names["WIDTH"], 3)

    def run(values: Array) -> Array:
        with torch.inference_mode():
            scores: Array = network(torch.from_numpy(values)).numpy()
        return scores

    return Opened(shape, np.dtype(np.uint8), run, {"classes": files[LABELS].decode()})


def _module(
    network: TinyVideoNetwork, source: Source, options: GraphOptions, metadata: Mapping[str, str]
) -> str:
    assert options.normalisation is not None
    frames, height, width, _ = network.trace.in_shape
    mean, deviation = options.normalisation
    head = HEAD.format(
        classes=network.head.classifier.out_features,
        frames=frames,
        height=height,
        width=width,
        stride=json.loads(metadata["genome"])["input"].get("frame_stride", 1),
        rate=BASE_RATE,
        several=metadata["labels"] == "several",
        mean=mean,
        deviation=deviation,
    )
    constructed = "\n".join(source.definitions)
    used = [inspect.getsource(kind) for kind in CLASSES if f"{kind.__name__}(" in constructed]
    body = NETWORK.format(
        definitions="\n        ".join(source.definitions), steps="\n        ".join(source.steps)
    )
    return "\n\n".join([head, *used, body, LOAD])
