"""Which genomes a search space holds: those that it could draw, or reach by mutation."""

from __future__ import annotations

from collections.abc import Iterator

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.layers import Layer
from tvnsearch.genome.sampling import domain_of, drawn_parameters
from tvnsearch.genome.space import PRESETS, SearchSpace, load_space


def outside(genome: Genome, space: SearchSpace) -> list[str]:
    """What a genome has that ``space`` cannot draw, each in a few words; nothing where it lies inside."""
    return list(_outside(genome, space))


def presets_around(genome: Genome) -> list[str]:
    """The names of the presets that a genome lies in."""
    return [name for name in PRESETS if not outside(genome, load_space(name))]


def _outside(genome: Genome, space: SearchSpace) -> Iterator[str]:
    spec = genome.input
    if (spec.height, spec.width) != space.input.with_short_side(spec.short_side):
        yield f"frames of {spec.width}x{spec.height} pixels"
    counts = {"resolution": spec.short_side, "frames": spec.frames, "blocks": len(genome.blocks)}
    yield from (f"{name} {count}" for name, count in counts.items() if count not in getattr(space, name))
    if spec.frame_stride not in space.frame_strides(spec.frames):
        yield f"frame_stride {spec.frame_stride}"
    if genome.head != space.head:
        yield f"head {genome.head}"
    for place, block in enumerate(genome.blocks, 1):
        if block.repeats not in space.repeats:
            yield f"block {place}: repeats {block.repeats}"
        if len(block.layers) not in space.layers:
            yield f"block {place}: {len(block.layers)} layers"
        if block.residual not in space.residuals:
            yield f"block {place}: residual {block.residual}"
        if block.activation not in space.activations:
            yield f"block {place}: activation {block.activation}"
        for number, layer in enumerate(block.layers, 1):
            yield from (f"block {place} layer {number}: {what}" for what in _odd(layer, space))


def _odd(layer: Layer, space: SearchSpace) -> Iterator[str]:
    kind = str(layer.__struct_config__.tag)
    if kind not in space.layer_types:
        yield kind
        return
    drawn = drawn_parameters(layer)
    for name in layer.__struct_fields__:
        value = getattr(layer, name)
        legal = value in domain_of(name, space) if name in drawn else value == _default(layer, name)
        if not legal:
            yield f"{name} {value}"


def _default(layer: Layer, name: str) -> object:
    fields = layer.__struct_fields__
    defaults = layer.__struct_defaults__
    return dict(zip(fields[len(fields) - len(defaults) :], defaults, strict=True)).get(name)
