"""A trained network as an ONNX file, checked against torch in ONNX Runtime."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from tvnsearch.errors import UserError
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.network.deploy import deployed

CHECK_CLIPS = 4
MOST_RELATIVE_ERROR = 1e-3


def export_onnx(network: TinyVideoNetwork, path: Path, metadata: Mapping[str, str]) -> float:
    """Write ``network`` with BatchNorm folded to ``path``; returns the largest relative error against torch.

    The model takes one input ``clips``, float32 (1, frames, height, width, 3), and gives ``logits``
    (1, classes). ``metadata`` is kept in the file: classes and normalisation, say. The error is the largest
    absolute difference of a logit over the largest logit, on random clips in ONNX Runtime.

    Raises:
        UserError: the extra packages are missing.
        RuntimeError: the written file computes something else than torch does.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as missing:
        raise UserError(
            f"expected the ONNX packages for an export, but {missing.name} is missing; "
            "install them with `pip install 'tvnsearch[onnx]'`"
        ) from None
    plain = deployed(network).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    shape = network.trace.in_shape
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(CHECK_CLIPS, *shape, generator=generator)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        expected = plain(clips).numpy()
        program = torch.onnx.export(
            plain, (clips[:1],), dynamo=True, input_names=["clips"], output_names=["logits"], verbose=False
        )
    assert program is not None
    model = program.model_proto
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    onnx.save(model, part)
    session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
    computed = np.concatenate([session.run(None, {"clips": clip[None].numpy()})[0] for clip in clips])
    error = float(np.abs(computed - expected).max() / np.abs(expected).max())
    if not error <= MOST_RELATIVE_ERROR:
        part.unlink()
        raise RuntimeError(
            f"the exported network differs from torch by {error:.2g} of the largest logit, "
            f"more than {MOST_RELATIVE_ERROR:g}; nothing was written"
        )
    part.replace(path)
    return error
