"""The graph as it is written: nodes and weights under names that tell their layer call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import Tensor

AXES_ARE_INPUTS = 18
"""The opset from which on reductions take their axes as an input."""


class GraphWriter:
    """Nodes and constants of one ONNX graph, in the order in which they are computed.

    ``place`` is the layer call that is written at the moment: every name begins with it.
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.place = "input"
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._shapes: dict[tuple[int, ...], str] = {}
        self._used: Counter[str] = Counter()

    def node(self, operator: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        return self.node_of(operator, inputs, 1, None if output is None else [output], **attributes)[0]

    def node_of(
        self,
        operator: str,
        inputs: Sequence[str],
        count: int,
        outputs: list[str] | None = None,
        **attributes: Any,
    ) -> list[str]:
        """Add a node with ``count`` outputs; returns their names."""
        name = self._name(operator)
        if outputs is None:
            outputs = [f"{name}.out{index}" if count > 1 else f"{name}.out" for index in range(count)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, name, **attributes))
        return outputs

    def constant(self, values: Tensor | np.ndarray[Any, Any], label: str) -> str:
        """Add weights; returns their name."""
        name = self._name(label)
        array = values.detach().cpu().float().numpy() if isinstance(values, Tensor) else values
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        """A constant of whole numbers (shapes, axes, places), one for all that are equal."""
        key = tuple(values)
        if key not in self._shapes:
            name = "integers." + "_".join(map(str, key)).replace("-", "minus")
            self.constants.append(numpy_helper.from_array(np.array(key, np.int64), name))
            self._shapes[key] = name
        return self._shapes[key]

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        """Another shape of the same memory; the batch is -1."""
        return self.node("Reshape", [name, self.integers(shape)])

    def reduce(self, operator: str, name: str, axes: Sequence[int], keep: bool) -> str:
        """``ReduceMean`` or ``ReduceSum`` over axes."""
        if self.opset >= AXES_ARE_INPUTS or operator == "ReduceSum":
            return self.node(operator, [name, self.integers(axes)], keepdims=int(keep))
        return self.node(operator, [name], axes=list(axes), keepdims=int(keep))

    def slice(self, name: str, start: int, end: int, axis: int) -> str:
        """Places ``start`` to ``end``, the end not included, along an axis."""
        ends = [self.integers([value]) for value in (start, end, axis)]
        return self.node("Slice", [name, *ends])

    def _name(self, label: str) -> str:
        name = f"{self.place}/{label}"
        self._used[name] += 1
        return name if self._used[name] == 1 else f"{name}_{self._used[name]}"
