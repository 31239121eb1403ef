"""A graph in int8: what multiplies is quantised statically, in the form that all runtimes read (QDQ)."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import (
    CalibrationDataReader,
    CalibrationMethod,
    MinMaxCalibrater,
    TensorsData,
)
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import QuantType

from tvnsearch.export.graph.model import onnx_model
from tvnsearch.export.options import GraphOptions
from tvnsearch.network.build import TinyVideoNetwork

QUANTISED = ("Conv", "Gemm", "MatMul")
"""Operators that are computed in int8; what lies between them takes and gives floats, or passes bytes on."""

SYNTHETIC_RANGE = (-1.0, 1.0)

Ranges = Mapping[str, tuple[float, float]]
"""The least and the greatest value of each tensor."""


def quantised_model(
    network: TinyVideoNetwork,
    options: GraphOptions,
    metadata: Mapping[str, str],
    calibration: Sequence[NDArray[Any]],
) -> onnx.ModelProto:
    """The int8 model of a folded network; ``calibration`` are single clips as the file takes them."""
    model = onnx_model(network, options, metadata)
    batches = [np.repeat(clip, options.batch or 1, axis=0) for clip in calibration]
    result = quantised(model, calibrated_ranges(model, batches))
    del result.metadata_props[:]
    for key, value in metadata.items():
        result.metadata_props.add(key=key, value=value)
    return result


def quantised(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """The model with its convolutions and products in int8: weights a channel, features a tensor.

    Features are unsigned bytes, weights signed ones in 7 bits: processors without VNNI add two products in 16
    bits, which 8 bits overflow.
    """
    noted = {name: tuple(np.array(end, np.float32) for end in ends) for name, ends in ranges.items()}
    with _silence():
        quantizer = QDQQuantizer(
            onnx.shape_inference.infer_shapes(model),
            per_channel=True,
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, noted),
            nodes_to_quantize=[],
            nodes_to_exclude=[],
            op_types_to_quantize=list(QUANTISED),
            extra_options={"ActivationSymmetric": False, "DedicatedQDQPair": False},
        )
        quantizer.quantize_model()
    result: onnx.ModelProto = quantizer.model.model
    return result


def synthetic_ranges(model: onnx.ModelProto) -> Ranges:
    """One range for every tensor: latency does not depend on it."""
    names = [output for node in model.graph.node for output in node.output]
    return dict.fromkeys([*names, *(each.name for each in model.graph.input)], SYNTHETIC_RANGE)


def calibrated_ranges(model: onnx.ModelProto, batches: Sequence[NDArray[Any]]) -> Ranges:
    """The range of every tensor over batches of the model's input."""
    [fed] = model.graph.input

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(batches)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            batch = next(self._left, None)
            return None if batch is None else {fed.name: batch}

    with tempfile.TemporaryDirectory() as folder, _silence():
        source = Path(folder) / "model.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), source)
        calibrater = MinMaxCalibrater(
            source, list(QUANTISED), augmented_model_path=str(Path(folder) / "observed.onnx")
        )
        calibrater.augment_graph()
        calibrater.create_inference_session()
        calibrater.collect_data(Reader())
        data = calibrater.compute_data()
    ends = {name: data[name].range_value for name in data.keys()}  # noqa: SIM118 - it is no mapping
    return {name: (float(np.min(low)), float(np.max(high))) for name, (low, high) in ends.items()}


@contextmanager
def _silence() -> Iterator[None]:
    """The quantiser advises passes that this graph has no need of."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
