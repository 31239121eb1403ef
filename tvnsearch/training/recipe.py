"""How a network is trained, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

_Share = Annotated[float, Meta(ge=0.0, lt=1.0)]


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """One training. The default is the paper's 10,000 iterations (section 3.1).

    The learning rate rises over the first `warmup_share` of the training and falls to zero along a cosine.
    `max_seconds` ends a training early, and makes the learning rate fall in time for that; how far a training
    comes then depends on the machine's speed, so that its result is no longer decided by the seed alone.
    `label_smoothing` is for single-label data.
    """

    iterations: Annotated[int, Meta(ge=1)] = 10_000
    batch_size: Annotated[int, Meta(ge=2)] = 32
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Meta(gt=0.0)] = 1e-2
    warmup_share: _Share = 0.05
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.05
    label_smoothing: _Share = 0.1
    max_gradient_norm: Annotated[float, Meta(gt=0.0)] = 1.0
    max_seconds: Annotated[float, Meta(gt=0.0)] | None = None
    seed: int = 0
