"""A network's picture laid out: the clip at the left, blocks in rows, the head, a legend of what occurs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from tvnsearch.drawing.flow import FORK, JOIN, Flow, Fork, Lead, Part
from tvnsearch.drawing.labels import Label, label_of, times
from tvnsearch.drawing.legend import place_legend
from tvnsearch.drawing.parts import MARK, PADDING_X, ActivationMark, Clip, LayerBox, Outline
from tvnsearch.drawing.picture import PARAMETER_SIZE, Picture, Text, text_width
from tvnsearch.drawing.words import block_lines
from tvnsearch.genome.calls import Shape
from tvnsearch.genome.genome import Block, Genome
from tvnsearch.genome.layers import Activate, Branches, Layer
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES, Trace, trace, trace_block

ROW_WIDTH = 1360.0
"""Rows are broken here, unless one layer alone is wider."""

MIN_WIDTH = 620.0
MARGIN = 24.0
TITLE_SIZE, SUBTITLE_SIZE = 18.0, 12.0


def draw_network(genome: Genome, name: str, classes: int = MOMENTS_IN_TIME_CLASSES) -> Picture:
    """Draw ``genome`` with a head of ``classes`` outputs, in the manner of the paper's figures 1, 3 and 4."""
    network = trace(genome, classes)
    gmacs = network.macs / 1e9
    counts = f"{network.params:,} parameters, {gmacs:.4g} GMACs ({2 * gmacs:.4g} GFLOPs), {classes} classes"
    title = "".join(character if character.isprintable() else "?" for character in name)
    rows = Flow(list(_steps(genome, network, classes)), ROW_WIDTH)
    width = max(rows.width, text_width(counts, SUBTITLE_SIZE), MIN_WIDTH)
    y = MARGIN + TITLE_SIZE
    heading = [Text(MARGIN, y, _end_of(title, width), TITLE_SIZE, "strong")]
    y += 6.0 + SUBTITLE_SIZE
    heading.append(Text(MARGIN, y, counts, SUBTITLE_SIZE, "muted"))
    y += MARGIN
    drawn = list(rows.place(MARGIN, y))
    y += rows.height + 1.5 * MARGIN
    has_repeats = any(block.repeats > 1 for block in genome.blocks)
    legend = place_legend(drawn, has_repeats, MARGIN, y, width)
    return Picture(
        title=f"{title}: {counts}",
        description="\n".join(block_lines(genome)),
        width=width + 2 * MARGIN,
        height=max(item.y for item in legend) + MARGIN,
        items=(*heading, *drawn, *legend),
    )


def _steps(genome: Genome, network: Trace, classes: int) -> Iterator[tuple[Lead, Part]]:
    """The input, the blocks and the head, each after the wire that says what shape goes into it."""
    yield Lead(0.0), Clip(genome.input)
    shape, non_negative = network.in_shape, False
    for number, (block, walked) in enumerate(zip(genome.blocks, network.blocks, strict=True), 1):
        lead = _lead(shape)
        limit = ROW_WIDTH - lead.width - 2 * PADDING_X - JOIN - MARK
        without_residual = trace_block(replace(block, residual="none"), shape, non_negative)
        outline = Outline(
            f"block {number}",
            _flow(block.layers, shape, non_negative, limit),
            block.residual,
            without_residual.key == walked.key,
            block.activation,
            block.repeats,
        )
        yield lead, outline
        shape, non_negative = walked.out_shape, walked.non_negative
    head = [
        Label("pooling", "average pool"),
        Label("dropout", "dropout"),
        Label("linear", "linear", amounts=(("classes", str(classes)),)),
    ]
    if network.head.mode == "per_frame":
        head.append(Label("pooling", "softmax over time"))
    yield _lead(shape), Outline("head", Flow(_in_a_row([LayerBox(label) for label in head]), ROW_WIDTH))


def _lead(shape: Shape) -> Lead:
    captions = times(shape[:3]), f"x {shape.channels}"
    return Lead(
        width=max(text_width(caption, PARAMETER_SIZE) for caption in captions) + 20.0,
        captions=captions,
        has_arrow=True,
    )


def _flow(
    layers: Sequence[Layer], shape: Shape, non_negative: bool, limit: float, idle: bool = False
) -> Flow:
    """The layers of a block or a branch, as they meet ``shape`` in the first repeat."""
    parts: list[Part] = []
    for layer in layers:
        walked = trace_block(Block((layer,)), shape, non_negative)
        does_nothing = idle or not walked.repeats[0].calls
        if isinstance(layer, Branches):
            inner_limit = limit - FORK - JOIN
            lanes = [
                _flow(branch, shape, non_negative, inner_limit, does_nothing or not is_used)
                for branch, is_used in zip(layer.branches, _used(layer, shape, non_negative), strict=True)
            ]
            parts.append(Fork(layer.join, lanes))
        elif isinstance(layer, Activate):
            parts += [ActivationMark(layer.function)] if layer.function != "none" else []
        else:
            parts.append(LayerBox(label_of(layer), does_nothing))
        shape, non_negative = walked.out_shape, walked.non_negative
    return Flow(_in_a_row(parts), limit, idle)


def _used(layer: Branches, shape: Shape, non_negative: bool) -> Iterator[bool]:
    """For each branch whether it is executed: one that cannot be joined to the first is not."""
    first, *others = layer.branches
    alone = trace_block(Block(first), shape, non_negative)
    yield True
    for other in others:
        pair = (replace(layer, branches=(first, other)),) if first or other else ()
        yield not pair or trace_block(Block(pair), shape, non_negative).key != alone.key


def _in_a_row(parts: Sequence[Part]) -> list[tuple[Lead, Part]]:
    return [(Lead() if number else Lead(0.0), part) for number, part in enumerate(parts)]


def _end_of(text: str, width: float) -> str:
    """As much of the end of a title as ``width`` holds."""
    if text_width(text, TITLE_SIZE, is_strong=True) <= width:
        return text
    while text_width(f"...{text}", TITLE_SIZE, is_strong=True) > width:
        text = text[1:]
    return f"...{text}"
