"""Torch's own exporter, for modules that no writer of ours knows; it prints nothing and names no origins."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn


def translated(
    module: nn.Module,
    inputs: Sequence[Tensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    metadata: Mapping[str, str],
) -> bytes:
    """The content of an ONNX file that computes what ``module`` does of inputs of these shapes."""
    with _silence():
        program = torch.onnx.export(
            module,
            tuple(inputs),
            dynamo=True,
            input_names=list(input_names),
            output_names=list(output_names),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _drop_origins(model)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


def _drop_origins(message: Any) -> None:
    """Clear what torch notes on where each part of a protobuf message comes from.

    That is a stack trace for every node, with the paths of the machine that exports.
    """
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _drop_origins(part)


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing is printed, logged or warned of: where torch's exporter fails it prints whole graphs."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
