"""A trained network as files of a format, checked against torch in the format's runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace

from tvnsearch.errors import UserError, in_one_line
from tvnsearch.export.formats import FORMATS, Format, Opened, loaded
from tvnsearch.export.formats.records import Array, Runtime
from tvnsearch.export.options import GraphOptions
from tvnsearch.export.scorer import Scorer
from tvnsearch.files import write_whole, writing
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.network.deploy import deployed

CHECK_CLIPS = 4
MOST_RELATIVE_ERROR = 1e-3


def export_network(
    network: TinyVideoNetwork,
    path: Path,
    metadata: Mapping[str, str],
    file_format: Format = FORMATS["onnx"],
    options: GraphOptions | None = None,
    calibration: Sequence[Array] = (),
) -> float:
    """Write ``network`` with BatchNorm folded to ``path``; returns the largest relative error against torch.

    The model takes one input, ``clips``, and gives ``logits`` or ``probabilities``, as ``options`` say.
    ``metadata`` is kept in the file: classes and normalisation, say. The error is the largest absolute
    difference of a score over the largest score, on random clips in the format's runtime. In int8, whose
    ranges come from ``calibration`` (single clips as the file takes them), it is of those clips, and not held
    to any bound: what it costs is told by real clips.

    Raises:
        UserError: the extra packages are missing, the export fails or computes something else than torch
            does, or the file cannot be written. What was at ``path`` before is there still.
    """
    options = options or GraphOptions()
    options.require_known()
    with suppress(OSError):  # writing tells what is wrong with such a path
        if path.is_dir() and not file_format.folder:
            raise UserError(f"expected a file to write, but {path} is a folder; add the name of a file")
    runtime = loaded(file_format)
    requirement = f"'{file_format.requirement}'"
    other_packages = f"try other versions of the packages, `pip install --upgrade {requirement}`"
    try:
        with torch.inference_mode(False), torch.no_grad():
            folded = deployed(network).to("cpu")
            files = runtime.written(folded, options, metadata, calibration)
            relative_error = _relative_error(runtime, files, folded, options, calibration)
            if (
                options.output != "logits" and options.precision == "float32"
            ):  # probabilities near 0 and 1 hide what their logits tell
                bare = replace(options, output="logits")
                of_logits = _relative_error(runtime, runtime.written(folded, bare, {}), folded, bare)
                relative_error = max(relative_error, of_logits)
    except Exception as error:
        raise UserError(
            f"expected to export a network for {file_format.runtime}, but that failed "
            f"({in_one_line(error)}); {other_packages}"
        ) from error
    if options.precision == "float32" and not relative_error <= MOST_RELATIVE_ERROR:
        raise UserError(
            f"expected an exported network that agrees within {MOST_RELATIVE_ERROR:g} of the largest score, "
            f"but it differs from torch by {relative_error:.2g}; nothing was written, {other_packages}"
        )
    places = file_format.places(path)
    with writing(path):
        for suffix, content in files.items():
            write_whole(places[suffix], content)
    return relative_error


def scores_of(opened: Opened, clips: Array) -> Array:
    """The scores of clips, any number of them, in passes of as many as the file takes."""
    size = opened.shape[0] if opened.shape[0] > 0 else len(clips)
    missing = -len(clips) % size
    whole = np.concatenate([clips, np.repeat(clips[:1], missing, axis=0)])
    passes = [opened.run(whole[start : start + size]) for start in range(0, len(whole), size)]
    scores: Array = np.concatenate(passes)[: len(clips)]
    return scores


def _relative_error(
    runtime: Runtime,
    files: Mapping[str, bytes],
    folded: TinyVideoNetwork,
    options: GraphOptions,
    calibration: Sequence[Array] = (),
) -> float:
    opened = runtime.opened(files, torch.get_num_threads())
    scorer = Scorer(folded, options)
    clips = scorer.random_clips(CHECK_CLIPS, torch.Generator().manual_seed(0))
    if options.precision == "int8":
        clips = torch.from_numpy(np.concatenate(calibration[:CHECK_CLIPS]))
    expected = scorer(clips).numpy()
    return float(np.abs(scores_of(opened, clips.numpy()) - expected).max() / np.abs(expected).max())
