"""OpenVINO's intermediate representation, made from the ONNX graph: its nodes keep their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import openvino
from openvino import Tensor

from tvnsearch.export.formats.records import Array, Opened
from tvnsearch.export.graph import onnx_model
from tvnsearch.export.graph.quantised import quantised_model
from tvnsearch.export.options import GraphOptions
from tvnsearch.network.build import TinyVideoNetwork

GRAPH, WEIGHTS = ".xml", ".bin"

HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
"""What floats are computed in, by the precision; pinned, as OpenVINO itself takes bf16 where it can."""

SETTINGS: dict[str, Any] = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    "ENABLE_CPU_PINNING": False,  # a process that is timed has its cores already
}
"""Those that everything here runs with, files and networks that are measured."""


def written(
    network: TinyVideoNetwork,
    options: GraphOptions,
    metadata: Mapping[str, str],
    calibration: Sequence[Array] = (),
) -> dict[str, bytes]:
    """Graph and weights, in float32 or int8; what the metadata tell is under ``model_info``."""
    graph = (
        quantised_model(network, options, {}, calibration)
        if options.precision == "int8"
        else onnx_model(network, options)
    )
    model = openvino.Core().read_model(graph.SerializeToString())
    for key, value in metadata.items():
        model.set_rt_info(value, ["model_info", key])
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"model{GRAPH}"
        openvino.save_model(model, path, compress_to_fp16=False)
        return {suffix: path.with_suffix(suffix).read_bytes() for suffix in (WEIGHTS, GRAPH)}


def properties(threads: int, precision: str) -> dict[str, Any]:
    """What a model is compiled with."""
    return {
        **SETTINGS,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": HINTS[precision],
    }


def opened(files: Mapping[str, bytes], threads: int) -> Opened:
    """In float32, or the bytes of an int8 file."""
    core = openvino.Core()
    model = core.read_model(files[GRAPH], Tensor(np.frombuffer(files[WEIGHTS], np.uint8)))
    request = core.compile_model(model, "CPU", properties(threads, "float32")).create_infer_request()
    [clips] = model.inputs
    shape = tuple(-1 if size.is_dynamic else size.get_length() for size in clips.partial_shape)

    def run(values: Array) -> Array:
        request.infer([values])
        scores: Array = request.get_output_tensor().data.copy()
        return scores

    return Opened(shape, np.dtype(clips.element_type.to_dtype()), run, _metadata(model))


def _metadata(model: openvino.Model) -> dict[str, str]:
    if not model.has_rt_info(["model_info"]):
        return {}
    return {key: value.astype(str) for key, value in model.get_rt_info(["model_info"]).astype(dict).items()}
