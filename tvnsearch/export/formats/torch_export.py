"""An exported program of torch: one file that torch loads without the network's source."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch.export import Dim

from tvnsearch.export.formats.records import Array, Opened
from tvnsearch.export.options import GraphOptions
from tvnsearch.export.scorer import Scorer
from tvnsearch.network.build import TinyVideoNetwork

SUFFIX = ".pt2"
TOLD = ("classes", "genome", "output")
"""What is read of its metadata."""


def written(
    network: TinyVideoNetwork,
    options: GraphOptions,
    metadata: Mapping[str, str],
    calibration: Sequence[Array] = (),
) -> dict[str, bytes]:
    """One file, in float32, with what the metadata tell as extra files in it, one a key.

    torch notes beside each operation where in which source file it came from: that is taken out.
    """
    scorer = Scorer(network, options)
    batch = Dim("batch") if options.batch is None else None
    clips = scorer.random_clips(options.batch or 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        program = torch.export.export(scorer, (clips,), dynamic_shapes={"clips": {0: batch}})
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)
    content = io.BytesIO()
    with _without_notices():
        torch.export.save(program, content, extra_files=dict(metadata))
    return {SUFFIX: content.getvalue()}


def opened(files: Mapping[str, bytes], threads: int) -> Opened:
    """In eager torch."""
    torch.set_num_threads(threads)
    metadata = dict.fromkeys(TOLD, "")
    with _without_notices():
        program = torch.export.load(io.BytesIO(files[SUFFIX]), extra_files=metadata)
    [name] = program.graph_signature.user_inputs
    [clips] = [node.meta["val"] for node in program.graph.nodes if node.name == name]
    module = program.module()
    shape = tuple(size if isinstance(size, int) else -1 for size in clips.shape)

    def run(values: Array) -> Array:
        with torch.inference_mode():
            scores: Array = module(torch.from_numpy(values)).numpy()
        return scores

    return Opened(shape, np.dtype(np.uint8 if clips.dtype == torch.uint8 else np.float32), run, metadata)


@contextmanager
def _without_notices() -> Iterator[None]:
    """Without torch's notice of weights that are views of others, which loses nothing on a CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
