"""What a user may ask of a graph: its input, its output, its batch and the revision of the format."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tvnsearch.errors import UserError

OPSETS = range(14, 24)
"""HardSwish is there from 14 on; what is written here was tried up to 23."""

IR_VERSIONS = range(8, 13)

OPSET, IR_VERSION = 17, 8
"""What every runtime of the last years reads."""

Layout = Literal["NTHWC", "NCTHW"]
Output = Literal["logits", "softmax", "sigmoid"]
Stored = Literal["float32", "int8"]


class GraphOptions(Struct, frozen=True):
    """How a graph takes clips and gives scores.

    ``layout`` is NTHWC, as videos are decoded, or NCTHW, as most video networks take them. ``batch`` is the
    clips of a pass, or None for any number. With ``normalisation``, the mean and deviation of each colour,
    the graph takes uint8 as decoded, 0 to 255, and normalises by itself; without it, float32 that is
    normalised already. ``output`` is what it gives: logits, or the probabilities of their softmax (one label
    a clip) or sigmoid (several). In the ``precision`` int8 convolutions and products are of bytes, in ranges
    that are found by clips.
    """

    layout: Layout = "NTHWC"
    batch: int | None = 1
    normalisation: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    output: Output = "logits"
    precision: Stored = "float32"
    opset: int = OPSET
    ir_version: int = IR_VERSION

    def require_known(self) -> None:
        """Refuse what no graph can be written with.

        Raises:
            UserError: the opset, the IR version or the batch is out of range.
        """
        if self.opset not in OPSETS:
            raise UserError(
                f"expected an opset from {OPSETS[0]} to {OPSETS[-1]}, but {self.opset} came; "
                "say --opset 17, which every runtime of the last years reads"
            )
        if self.ir_version not in IR_VERSIONS:
            raise UserError(
                f"expected an IR version from {IR_VERSIONS[0]} to {IR_VERSIONS[-1]}, but {self.ir_version} "
                "came; say --ir-version 8"
            )
        if self.batch is not None and self.batch < 1:
            raise UserError(f"expected a batch of 1 clip or more, but {self.batch} came; say --batch 1")
