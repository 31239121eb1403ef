"""A whole network as an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from tvnsearch.export.graph.features import Features, over_either
from tvnsearch.export.graph.layers import write_head, write_layer
from tvnsearch.export.graph.writer import GraphWriter
from tvnsearch.export.options import GraphOptions
from tvnsearch.genome.calls import Shape
from tvnsearch.network.build import Chain, Fork, TinyVideoNetwork

INPUT, PROBABILITIES, LOGITS = "clips", "probabilities", "logits"
BYTE = 255.0


def onnx_model(
    network: TinyVideoNetwork,
    options: GraphOptions | None = None,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """The ONNX model of a network that is folded (:func:`~tvnsearch.network.deploy.deployed`).

    It takes ``clips`` and gives ``logits``, or ``probabilities``, (batch, classes). Every node's name begins
    with its layer call's, as in ``block2.repeat1.3.temporal_pool/AveragePool``.

    Raises:
        UserError: the options name what cannot be written.
    """
    options = options or GraphOptions()
    options.require_known()
    writer = GraphWriter(options.opset)
    features = _input(writer, network.trace.in_shape, options)
    names = (name for name, _ in network.trace.named_calls())
    for repeat in network.repeats:
        assert isinstance(repeat, Chain)
        features = _chain(writer, repeat, features, names)
    writer.place = next(names)
    _output(writer, write_head(writer, network.head, features), options)
    return _model(writer, network, options, metadata or {})


def _chain(writer: GraphWriter, chain: Chain, features: Features, names: Iterator[str]) -> Features:
    for node in chain.nodes:
        if isinstance(node, Fork):
            features = _fork(writer, node, features, names)
        else:
            writer.place = next(names)
            features = write_layer(writer, node, features)
    return features


def _fork(writer: GraphWriter, fork: Fork, features: Features, names: Iterator[str]) -> Features:
    ends: list[Features] = []
    for branch in fork.branches:
        assert isinstance(branch, Chain)
        ends.append(_chain(writer, branch, features, names))
    writer.place = next(names)
    return write_layer(writer, fork.join, *(over_either(writer, end) for end in ends))


def _input(writer: GraphWriter, shape: Shape, options: GraphOptions) -> Features:
    """Clips as features, channels first."""
    name = INPUT
    if options.normalisation is not None:
        mean, deviation = (np.array(values, np.float32) for values in options.normalisation)
        if options.layout == "NCTHW":
            mean, deviation = (values[:, None, None, None] for values in (mean, deviation))
        scale = writer.constant(1 / (BYTE * deviation), "scale")
        offset = writer.constant(-mean / deviation, "offset")
        pixels = writer.node("Cast", [name], to=TensorProto.FLOAT)
        name = writer.node("Add", [writer.node("Mul", [pixels, scale]), offset])
    if options.layout == "NCTHW":
        return Features(name, "clip", shape)
    rows = writer.reshape(name, [-1, shape.height, shape.width, shape.channels])
    return Features(writer.node("Transpose", [rows], perm=[0, 3, 1, 2]), "space", shape)


def _output(writer: GraphWriter, logits: str, options: GraphOptions) -> None:
    match options.output:
        case "logits":
            writer.node("Identity", [logits], LOGITS)
        case "softmax":
            writer.node("Softmax", [logits], PROBABILITIES, axis=1)
        case "sigmoid":
            writer.node("Sigmoid", [logits], PROBABILITIES)


def _model(
    writer: GraphWriter, network: TinyVideoNetwork, options: GraphOptions, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    frames, height, width, channels = network.trace.in_shape
    batch: int | str = "batch" if options.batch is None else options.batch
    sizes = [batch, frames, height, width, channels]
    if options.layout == "NCTHW":
        sizes = [batch, channels, frames, height, width]
    kind = TensorProto.FLOAT if options.normalisation is None else TensorProto.UINT8
    classes = network.trace.head.out_shape.channels
    output = LOGITS if options.output == "logits" else PROBABILITIES
    graph = helper.make_graph(
        writer.nodes,
        "tvnsearch",
        [helper.make_tensor_value_info(INPUT, kind, sizes)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, classes])],
        writer.constants,
    )
    model = helper.make_model(
        graph,
        producer_name="tvnsearch",
        ir_version=options.ir_version,
        opset_imports=[helper.make_opsetid("", options.opset)],
    )
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return model
