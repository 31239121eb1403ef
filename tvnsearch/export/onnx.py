"""A trained network as an ONNX file, checked against torch in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.network.deploy import deployed

CHECK_CLIPS = 4
MOST_RELATIVE_ERROR = 1e-3
OTHER_PACKAGES = "try other versions of the packages, `pip install --upgrade 'tvnsearch[onnx]'`"


def export_onnx(network: TinyVideoNetwork, path: Path, metadata: Mapping[str, str]) -> float:
    """Write ``network`` with BatchNorm folded to ``path``; returns the largest relative error against torch.

    The model takes one input ``clips``, float32 (1, frames, height, width, 3), and gives ``logits``
    (1, classes). ``metadata`` is kept in the file: classes and normalisation, say. The error is the largest
    absolute difference of a logit over the largest logit, on random clips in ONNX Runtime.

    Raises:
        UserError: the extra packages are missing, the export fails or computes something else than torch
            does, or the file cannot be written. What was at ``path`` before is there still.
    """
    with suppress(OSError):  # writing tells what is wrong with such a path
        if path.is_dir():
            raise UserError(f"expected a file to write, but {path} is a folder; add the name of a file")
    try:
        import onnxruntime

        from tvnsearch.export.graph import onnx_model
    except Exception as error:
        raise UserError(
            f"expected the ONNX packages for an export, but importing them failed ({in_one_line(error)}); "
            "install them with `pip install 'tvnsearch[onnx]'`"
        ) from error
    shape = network.trace.in_shape
    clips = torch.randn(CHECK_CLIPS, *shape, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            folded = deployed(network).to("cpu")
            expected = folded(clips).numpy()
            content: bytes = onnx_model(folded, metadata=metadata).SerializeToString()
            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
            computed = np.concatenate([session.run(None, {"clips": clip[None].numpy()})[0] for clip in clips])
            relative_error = float(np.abs(computed - expected).max() / np.abs(expected).max())
    except Exception as error:
        raise UserError(
            f"expected to export a network for ONNX Runtime, but that failed ({in_one_line(error)}); "
            f"{OTHER_PACKAGES}"
        ) from error
    if not relative_error <= MOST_RELATIVE_ERROR:
        raise UserError(
            f"expected an exported network that agrees within {MOST_RELATIVE_ERROR:g} of the largest logit, "
            f"but it differs from torch by {relative_error:.2g}; nothing was written, {OTHER_PACKAGES}"
        )
    write(path, content)
    return relative_error


def write(path: Path, content: bytes) -> None:
    """Put a file at ``path`` whole, or leave what is there."""
    with writing(path):
        write_whole(path, content)


def in_one_line(error: BaseException) -> str:
    """What an error began with, by its kind and first line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])
