"""An exported file in the place of the network that it was made of, to be scored."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from tvnsearch.data.normalisation import PIXEL_MEAN, PIXEL_STD
from tvnsearch.errors import UserError
from tvnsearch.export.formats import open_export
from tvnsearch.export.formats.records import Array
from tvnsearch.export.write import scores_of
from tvnsearch.genome.genome import Genome

BYTE = 255
SURE = 1 - torch.finfo(torch.float32).eps / 2
"""The largest probability below one."""


class ExportedFile(nn.Module):
    """Takes clips as its network does, normalised (batch, frames, rows, columns, 3), and gives logits.

    It runs in the runtime of its format, on the CPU with the threads of torch. Of probabilities that it gives
    it takes the logits; what a file that says nothing of itself gives is taken for logits.

    Raises:
        UserError: it cannot be opened, or is none of a network of ``genome`` with these ``classes``.
    """

    def __init__(self, path: Path, genome: Genome, classes: tuple[str, ...]) -> None:
        super().__init__()
        self._opened = open_export(path, torch.get_num_threads())
        told, spec = self._opened.metadata, genome.input
        self._output = told.get("output") or "logits"
        if told.get("classes") and not _says(told["classes"], classes):
            raise UserError(
                f"expected an exported file of this network in {path}, but it was written for other classes; "
                "export the network again"
            )
        if told.get("genome") and not _says(told["genome"], genome):
            raise UserError(
                f"expected an exported file of this network in {path}, but it is one of another genome; "
                "give the folder that it was exported from"
            )
        sizes = (spec.frames, spec.height, spec.width)
        self._colours_first = self._opened.shape[1:] == (3, *sizes)
        if not self._colours_first and self._opened.shape[1:] != (*sizes, 3):
            raise UserError(
                f"expected a file that takes clips of {' x '.join(map(str, sizes))} pixels and 3 colours, as "
                f"this network does, but {path} takes {self._opened.shape}; export the network again"
            )
        given = self(torch.zeros(1, *sizes, 3)).shape
        if given != (1, len(classes)):
            raise UserError(
                f"expected a file that gives {len(classes)} scores a clip, one a class, but {path} gives "
                f"{tuple(given)} for one clip; export the network again"
            )

    def forward(self, clips: Tensor) -> Tensor:
        """Logits of clips, as many as come."""
        values: Array = clips.numpy()
        if self._opened.dtype == np.uint8:
            values = np.rint((values * PIXEL_STD + PIXEL_MEAN) * BYTE).astype(np.uint8)
        if self._colours_first:
            values = np.moveaxis(values, 4, 1)
        scores = torch.from_numpy(scores_of(self._opened, np.ascontiguousarray(values)))
        if self._output == "logits":
            return scores
        shares = scores.double().clamp(torch.finfo(torch.float32).tiny, SURE)
        return shares.log() if self._output == "softmax" else shares.logit()


def _says(text: str, expected: object) -> bool:
    try:
        return bool(msgspec.json.decode(text, type=type(expected)) == expected)
    except msgspec.DecodeError:
        return False
