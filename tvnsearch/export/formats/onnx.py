"""ONNX, run in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from tvnsearch.export.formats.records import Array, Opened
from tvnsearch.export.graph import onnx_model
from tvnsearch.export.graph.quantised import quantised_model
from tvnsearch.export.options import GraphOptions
from tvnsearch.network.build import TinyVideoNetwork

SUFFIX = ".onnx"
TYPES: dict[str, np.dtype[Any]] = {"tensor(float)": np.dtype(np.float32), "tensor(uint8)": np.dtype(np.uint8)}


def written(
    network: TinyVideoNetwork,
    options: GraphOptions,
    metadata: Mapping[str, str],
    calibration: Sequence[Array] = (),
) -> dict[str, bytes]:
    """One file, which holds all."""
    if options.precision == "int8":
        return {SUFFIX: quantised_model(network, options, metadata, calibration).SerializeToString()}
    return {SUFFIX: onnx_model(network, options, metadata).SerializeToString()}


def opened(files: Mapping[str, bytes], threads: int) -> Opened:
    """From its content, as ONNX Runtime opens no file whose name is no UTF-8."""
    session = session_of(files[SUFFIX], session_options(threads))
    [clips] = session.get_inputs()
    shape = tuple(size if isinstance(size, int) else -1 for size in clips.shape)

    def run(values: Array) -> Array:
        scores: Array = session.run(None, {clips.name: values})[0]
        return scores

    return Opened(shape, TYPES[clips.type], run, session.get_modelmeta().custom_metadata_map)


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Those that everything here runs with, files and networks that are measured.

    Threads that wait for their next pass sleep: else they would keep a timing's yardstick from its cores.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def session_of(content: bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """The content of a file on the processor."""
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
