"""How a network is trained, as data."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tvnsearch.errors import UserError

_Share = Annotated[float, Meta(ge=0.0, lt=1.0)]

Precision = Literal["float32", "bfloat16", "float16"]


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """One training. The default is the paper's 10,000 iterations (section 2) and dropout (section A.3).

    The learning rate rises over the first `warmup_share` of the training and falls to zero along a cosine.
    `momentum` is that of SGD (Nesterov's) and the first beta of AdamW, `second_beta` AdamW's other. Weight
    decay is for weights alone: BatchNorm and biases go without. `label_smoothing` is for single-label data.
    With an `average_decay`, what is scored and kept is the exponential average of the weights. `precision`
    "auto" takes bfloat16 or float16 where that pays (`precision.choose_precision`); weights stay float32.

    `max_seconds` ends a training early, and makes the learning rate fall in time for that; how far a training
    comes then depends on the machine's speed, so that its result is no longer decided by the seed alone.
    """

    iterations: Annotated[int, Meta(ge=1)] = 10_000
    batch_size: Annotated[int, Meta(ge=2)] = 32
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Meta(gt=0.0)] = 1e-2
    momentum: _Share = 0.9
    second_beta: _Share = 0.999
    warmup_share: _Share = 0.05
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.05
    label_smoothing: _Share = 0.1
    dropout: _Share = 0.5
    max_gradient_norm: Annotated[float, Meta(gt=0.0)] = 1.0
    average_decay: Annotated[float, Meta(gt=0.0, lt=1.0)] | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_seconds: Annotated[float, Meta(gt=0.0)] | None = None
    seed: Annotated[int, Meta(ge=0)] = 0


PRESETS = ("paper", "quick")


def load_recipe(name: str) -> Recipe:
    """A preset by its name (`paper`, `quick`) or a user's own TOML file.

    Keys that a file does not give keep their defaults.

    Raises UserError when there is no such preset or file, or the file is not a recipe.
    """
    if name in PRESETS:
        text = resources.files("tvnsearch.training").joinpath("recipes", f"{name}.toml").read_bytes()
        return msgspec.toml.decode(text, type=Recipe)
    path = Path(name)
    if not path.is_file():
        raise UserError(
            f"expected a recipe ({', '.join(PRESETS)}) or a TOML file, got '{name}', which is neither"
        )
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a recipe: {error}; see docs/training.md for the keys") from None
