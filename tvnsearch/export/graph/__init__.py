"""A network as an ONNX graph: one function a layer, every node named after its layer call."""

from tvnsearch.export.graph.model import onnx_model
from tvnsearch.export.options import GraphOptions

__all__ = ["GraphOptions", "onnx_model"]
