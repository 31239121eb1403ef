"""How a network is trained, as data."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tvnsearch.errors import UserError

_Share = Annotated[float, Meta(ge=0.0, lt=1.0)]

Precision = Literal["float32", "bfloat16", "float16"]

_WholeShare = Annotated[float, Meta(ge=0.0, le=1.0)]

_Weight = Annotated[float, Meta(ge=0.0, le=100.0)]


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """One training. The default is the paper's 10,000 iterations (section 2) and dropout (section A.3).

    The learning rate rises over the first `warmup_share` of the training and falls to zero along a cosine.
    `momentum` is that of SGD (Nesterov's) and the first beta of AdamW, `second_beta` AdamW's other. Weight
    decay is for weights alone: BatchNorm and biases go without. `label_smoothing` is for single-label data.
    With an `average_decay`, what is scored and kept is the exponential average of the weights. `precision`
    "auto" takes bfloat16 or float16 where that pays (`precision.choose_precision`); weights stay float32.
    Half of the clips are mirrored: with `mirror` "auto" of data whose classes that does not change
    (`Dataset.mirrorable`), with "always" of any, with "never" of none.

    What the paper's training has not, and is off by default: `rand_augment_operations` at
    `rand_augment_magnitude` and `erasing_share` change the pixels of clips (`data.augmentation`);
    `mixup_alpha` and `cutmix_alpha` mix the clips of a batch and their labels (`mixing`), each in half of the
    batches where both are given; `sampling` "classes" draws every class equally often, and `class_weights`
    makes the loss of rare classes count more (`losses`); `grw_weight` adds the smoothing loss of
    `grw_frames` frames each, with `grw_velocity` as its alpha (`smoothing`). `teacher_weight` is the share of
    a teacher in the loss, and its logits are divided by `teacher_temperature`, where there is a teacher.

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
    mirror: Literal["auto", "always", "never"] = "auto"
    rand_augment_operations: Annotated[int, Meta(ge=0, le=14)] = 0
    rand_augment_magnitude: Annotated[float, Meta(ge=0.0, le=10.0)] = 7.0
    erasing_share: _WholeShare = 0.0
    mixup_alpha: _Weight = 0.0
    cutmix_alpha: _Weight = 0.0
    sampling: Literal["clips", "classes"] = "clips"
    class_weights: Literal["equal", "inverse_frequency"] = "equal"
    teacher_weight: _WholeShare = 0.5
    teacher_temperature: Annotated[float, Meta(gt=0.0, le=100.0)] = 2.0
    grw_weight: _Weight = 0.0
    grw_frames: Annotated[int, Meta(ge=3, le=7)] = 5
    grw_velocity: _Weight = 0.5

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"expected {name} to be a finite number, got {value}")
        if self.sampling == "classes" and self.class_weights == "inverse_frequency":
            raise ValueError(
                "expected rare classes to be drawn more often (sampling) or to weigh more (class_weights), "
                "got both, which would count them twice; leave one out"
            )


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
