"""Which clips score a training, and when."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Split = Literal["validation", "test"]
"""The clips that a training is scored on: the test clips where it learns from those of validation as well."""


class Validation(Struct, frozen=True):
    """Score the network after so many iterations, again and again, on the validation clips.

    With `keep_best` the weights that scored best on them are kept, the last ones included, of equals the
    later: weights that were chosen by these clips look better on them than on others.
    """

    every: Annotated[int, Meta(ge=1)]
    keep_best: bool = False
