"""A tiny video network as data: what it looks at, and its blocks of layers (paper, section A.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.layers import Activation, Layer

Residual = Literal["none", "identity", "projection"]

Head = Literal["mean", "per_frame"]


MOST_PIXELS, MOST_FRAMES = 4096, 1024
"""The longest side of a frame and the longest clip that a genome can hold."""

WIDEST = 2.0
"""The long side of a frame by its short one: what is wider is cut to that when videos are decoded."""

Pixels = Annotated[int, Meta(ge=1, le=MOST_PIXELS)]


class InputSpec(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What the network looks at: frames of ``height`` x ``width`` pixels, ``frame_stride`` / 30 s apart."""

    height: Pixels
    width: Pixels
    frames: Annotated[int, Meta(ge=1, le=MOST_FRAMES)]
    frame_stride: Annotated[int, Meta(ge=1, le=MOST_FRAMES)] = 1

    def __post_init__(self) -> None:
        if self.long_side > WIDEST * self.short_side:
            size = f"{self.width}x{self.height}"
            raise ValueError(f"expected frames of at most {WIDEST:g} to 1, as videos are kept, got {size}")

    @property
    def short_side(self) -> int:
        """The shorter side of a frame in pixels: what resolutions are given as."""
        return min(self.height, self.width)

    @property
    def long_side(self) -> int:
        """The longer side of a frame in pixels: videos whose shorter side is as long cover it."""
        return max(self.height, self.width)

    @property
    def size(self) -> str:
        """A frame's pixels as people write them: ``224``, or width first, ``320x180``, if not square."""
        return str(self.width) if self.width == self.height else f"{self.width}x{self.height}"


def square_input(resolution: int, frames: int, frame_stride: int = 1) -> InputSpec:
    """Square frames of ``resolution`` pixels a side."""
    return InputSpec(resolution, resolution, frames, frame_stride)


class Block(Struct, frozen=True, forbid_unknown_fields=True, gc=False, cache_hash=True):
    """A sequence of layers run ``repeats`` times; strides act in the first repeat only.

    ``residual`` adds each repeat's input to its output: ``identity`` where the shapes agree, ``projection``
    through a linear 1x1 convolution where the number of frames agrees; elsewhere nothing is added.
    ``activation`` ends every repeat.
    """

    layers: Annotated[tuple[Layer, ...], Meta(min_length=1, max_length=64)]
    repeats: Annotated[int, Meta(ge=1, le=64)] = 1
    residual: Residual = "none"
    activation: Activation = "none"


class Genome(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A whole network: blocks, and a head of pooling, dropout (0.5) and one linear layer.

    The head pools over time and space before its linear layer (``mean``), or over space before it and over
    time after it (``per_frame``), where each class weighs the frames by a softmax of their logits over the
    square root of their number: for long videos in which much else happens.
    """

    input: InputSpec
    blocks: Annotated[tuple[Block, ...], Meta(min_length=1, max_length=64)]
    head: Head = "mean"


_decoder = msgspec.json.Decoder(Genome)


def genome_to_json(genome: Genome) -> str:
    """The genome as indented JSON; :func:`genome_from_json` gives back an equal genome."""
    return msgspec.json.format(msgspec.json.encode(genome), indent=1).decode() + "\n"


def genome_from_json(text: str | bytes, source: str = "this text") -> Genome:
    """Read a genome from JSON.

    Raises:
        UserError: the text is not JSON or not a genome; the sentence names ``source`` and the place in it.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{source} is not a genome: {error}; an input has height, width, frames and frame_stride, the "
            "layers are in docs/search-space.md, and `tvnsearch sample` writes genomes to start from"
        ) from None


def load_genome(path: Path) -> Genome:
    """Read a genome file.

    Raises:
        UserError: there is no such file, or it does not hold a genome.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"expected a genome file at {path}, but it cannot be read ({error.strerror}); "
            "`tvnsearch zoo list` names the networks that come with tvnsearch"
        ) from None
    return genome_from_json(text, str(path))
