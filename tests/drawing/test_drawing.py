from __future__ import annotations

import random
from itertools import combinations, pairwise
from typing import NamedTuple, get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.genome.strategies import PAPER, genomes
from tvnsearch.drawing import block_lines, draw_network, network_svg
from tvnsearch.drawing.labels import Family
from tvnsearch.drawing.picture import (
    JOIN_RADIUS,
    NAME_SIZE,
    PARAMETER_SIZE,
    TEXT_LINE,
    Box,
    Frame,
    Item,
    Join,
    Mark,
    Picture,
    Text,
    Wire,
    text_width,
)
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import (
    DRAWN_LAYERS,
    Activate,
    Activation,
    Branches,
    InvertedResidual,
    Layer,
    SpatialConv,
    SpatialPool,
    TemporalConv,
)
from tvnsearch.genome.sampling import sample_layer
from tvnsearch.genome.space import load_space
from tvnsearch.genome.zoo import load_zoo, zoo

MOBILE = load_space("mobile")
EVERYTHING = replace(PAPER, layer_types=tuple(DRAWN_LAYERS), activations=get_args(Activation))
SVG = "{http://www.w3.org/2000/svg}"


def _branches(inner: st.SearchStrategy[Layer]) -> st.SearchStrategy[Layer]:
    branch = st.lists(inner, max_size=3).map(tuple)
    filled = st.lists(inner, min_size=1, max_size=3).map(tuple)
    sums = st.builds(lambda *lanes: Branches("sum", lanes), branch, filled)
    concats = st.builds(
        lambda lane, lanes: Branches("concat", (lane, *lanes)),
        filled,
        st.lists(branch, min_size=1, max_size=3),
    )
    return sums | concats


layers = st.integers(0, 2**32).map(lambda seed: sample_layer(EVERYTHING, random.Random(seed)))
nested = st.recursive(
    layers | st.builds(Activate, st.sampled_from(get_args(Activation))), _branches, max_leaves=10
)
blocks = st.builds(
    Block,
    st.lists(nested, min_size=1, max_size=6).map(tuple),
    st.integers(1, 4),
    st.sampled_from(["none", "identity", "projection"]),
    st.sampled_from(get_args(Activation)),
)


def _has_usual_size(genome: Genome) -> bool:
    """Concatenations that are repeated have more channels than a trace can count."""
    try:
        return all(block.out_shape.channels < 10**5 for block in trace(genome).blocks)
    except UserError:
        return False


nested_genomes = st.builds(
    Genome,
    st.builds(square_input, st.integers(1, 512), st.integers(1, 64), st.integers(1, 25)),
    st.lists(blocks, min_size=1, max_size=3).map(tuple),
).filter(_has_usual_size)
every_kind = genomes(PAPER) | genomes(MOBILE) | nested_genomes
names = st.text(max_size=300)


class Area(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area) -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > 0.01
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 0.01
        )

    def holds(self, other: Area) -> bool:
        return (
            self.left <= other.left + 0.01
            and self.top <= other.top + 0.01
            and self.right >= other.right - 0.01
            and self.bottom >= other.bottom - 0.01
        )


def area(item: Item) -> Area:
    match item:
        case Text():
            return Area(item.left, item.y - 0.8 * item.size, item.left + item.width, item.y + 0.2 * item.size)
        case Wire(points):
            across, down = zip(*points, strict=True)
            return Area(min(across), min(down), max(across), max(down))
        case Mark(x, y):
            return Area(x - 4.5, y - 4.5, x + 4.5, y + 4.5)
        case Join(x, y, "sum"):
            return Area(x - JOIN_RADIUS, y - JOIN_RADIUS, x + JOIN_RADIUS, y + JOIN_RADIUS)
        case Join(x, y, _, height):
            return Area(x - 3, y - height / 2, x + 3, y + height / 2)
        case _:
            return Area(item.x, item.y, item.x + item.width, item.y + item.height)


def areas(picture: Picture, *kinds: type[Item]) -> list[Area]:
    return [area(item) for item in picture.items if isinstance(item, kinds)]


def texts(picture: Picture) -> list[str]:
    return [item.text for item in picture.items if isinstance(item, Text)]


def boxes(picture: Picture) -> list[Box]:
    """The layers' boxes: the legend's have no name."""
    return [item for item in picture.items if isinstance(item, Box) and item.name]


def segments(picture: Picture) -> list[Area]:
    """The straight pieces of all wires, a pixel thick."""
    wires = [item for item in picture.items if isinstance(item, Wire)]
    pieces = [area(Wire(piece)) for wire in wires for piece in pairwise(wire.points)]
    return [
        Area(left, top - 0.5, right, bottom + 0.5)
        if top == bottom
        else Area(left - 0.5, top, right + 0.5, bottom)
        for left, top, right, bottom in pieces
    ]


def require_tidy(picture: Picture) -> None:
    """Nothing overlaps, nothing runs out of the picture or of its block, all text fits its box."""
    page = Area(0, 0, picture.width, picture.height)
    assert all(page.holds(area(item)) for item in picture.items)
    solid = areas(picture, Box, Mark, Text)
    assert not [pair for pair in combinations(solid, 2) if pair[0].meets(pair[1])]
    outlines = [area(item) for item in picture.items if isinstance(item, Frame) and item.kind == "block"]
    assert not [pair for pair in combinations(outlines, 2) if pair[0].meets(pair[1])]
    for text in areas(picture, Text):
        assert all(outline.holds(text) or not outline.meets(text) for outline in outlines)
    for box in boxes(picture):
        assert sum(outline.holds(area(box)) for outline in outlines) == 1
        assert all(text_width(line, NAME_SIZE, is_strong=True) <= box.width for line in box.name)
        assert all(text_width(line, PARAMETER_SIZE) <= box.width for line in box.parameters)
        assert TEXT_LINE * len(box.name + box.parameters) <= box.height
    obstacles = areas(picture, Box, Text)
    assert not [segment for segment in segments(picture) if any(map(segment.meets, obstacles))]


@given(every_kind, names)
@settings(deadline=None)
def test_nothing_overlaps_or_runs_out(genome: Genome, name: str) -> None:
    require_tidy(draw_network(genome, name))


@pytest.mark.parametrize("name", zoo())
def test_the_zoo_is_drawn(name: str) -> None:
    genome = load_zoo(name)
    picture = draw_network(genome, name)
    require_tidy(picture)
    written = [item for item in texts(picture) if item.startswith("block ")]
    assert written == [f"block {number}" for number in range(1, len(genome.blocks) + 1)]


@given(every_kind, names)
@settings(deadline=None)
def test_it_is_xml_of_the_picture_and_the_same_each_time(genome: Genome, name: str) -> None:
    svg = network_svg(genome, name)
    assert svg.isascii()
    assert svg == network_svg(genome, name)
    root = ElementTree.fromstring(svg)
    picture = draw_network(genome, name)
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    assert 0 <= width - picture.width < 1
    assert 0 <= height - picture.height < 1
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{SVG}title") == root.attrib["aria-label"] == picture.title
    assert root.findtext(f"{SVG}desc") == "\n".join(block_lines(genome))
    shown = [element.text for element in root.iter(f"{SVG}text")]
    lines = [line for box in boxes(picture) for line in (*box.name, *box.parameters)]
    assert sorted(map(str, shown)) == sorted([*lines, *(text or "None" for text in texts(picture))])
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "rect", "path", "circle", "text",
    }  # fmt: skip


def test_names_are_escaped() -> None:
    genome = load_zoo("tvn-1")
    name = "runs/<script>\"&'\x00\udc80.json"
    title = ElementTree.fromstring(network_svg(genome, name)).findtext(f"{SVG}title")
    assert title is not None
    assert title.startswith("runs/<script>\"&'??.json: 26,414,721 parameters, 4.326 GMACs")


def test_shapes_stand_before_the_blocks_and_repeats_under_them() -> None:
    genome = load_zoo("tvn-4")
    written = texts(draw_network(genome, "tvn-4"))
    network = trace(genome)
    for shape in (network.in_shape, *(block.out_shape for block in network.blocks)):
        assert f"{shape.frames}x{shape.height}x{shape.width}" in written
        assert f"x {shape.channels}" in written
    assert written.count("x 4") == 1
    assert {"8 frames", "128x128", "stride 4"} <= set(written)


def test_boxes_say_type_kernel_stride_and_filters() -> None:
    drawn = [(box.name, box.parameters) for box in boxes(draw_network(load_zoo("tvn-1"), "tvn-1"))]
    assert drawn[1:3] == [
        (("conv",), ("4x4 /2", "filters 64")),
        (("temporal", "max pool"), ("2 /2",)),
    ]
    inverted = boxes(draw_network(_one_block(InvertedResidual(24, 6.0, 5, 2)), ""))[0]
    assert (inverted.name, inverted.parameters) == (
        ("inverted", "residual"),
        ("5x5 /2", "expansion x6", "filters 24", "relu inside"),
    )


@given(every_kind)
@settings(deadline=None)
def test_the_legend_explains_what_occurs_and_nothing_else(genome: Genome) -> None:
    picture = draw_network(genome, "")
    written = set(texts(picture))
    assert written & set(get_args(Family)) == {box.family for box in boxes(picture) if not box.idle}
    marks = [item for item in picture.items if isinstance(item, Mark)]
    assert ("hard swish" in written) == any(mark.activation == "hswish" for mark in marks)
    joins = [item for item in picture.items if isinstance(item, Join)]
    assert ("concatenation" in written) == any(join.how == "concat" for join in joins)


def _one_block(*written: Layer, frames: int = 4, residual: str = "none") -> Genome:
    return Genome(square_input(32, frames), (Block(written, residual=residual),))


def _idle(genome: Genome) -> list[bool]:
    return [box.idle for box in boxes(draw_network(genome, ""))[:-3]]


def test_what_does_nothing_is_drawn_so() -> None:
    conv, strided, pool = SpatialConv(8), SpatialConv(8, stride=2), SpatialPool("max", 3)
    assert _idle(_one_block(TemporalConv(8, 3), conv, frames=1)) == [True, False]
    assert _idle(_one_block(TemporalConv(8, 3), conv)) == [False, False]
    assert _idle(_one_block(Branches("sum", ((conv,), (strided,))))) == [False, True]
    assert _idle(_one_block(Branches("sum", ((conv,), (conv,))))) == [False, False]
    assert _idle(_one_block(Branches("concat", ((conv,), (strided, pool), (pool,))))) == [
        False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(("stride", "residual", "is_idle"), [(1, "projection", False), (2, "identity", True)])
def test_a_residual_that_is_not_added_is_drawn_so(stride: int, residual: str, is_idle: bool) -> None:
    picture = draw_network(_one_block(SpatialConv(8, stride=stride), residual=residual), "")
    assert residual in texts(picture)
    assert any(isinstance(item, Wire) and item.idle for item in picture.items) == is_idle


def test_long_networks_are_broken_into_rows_and_their_blocks_into_lines() -> None:
    conv = SpatialConv(64, 3, activation="relu")
    units = draw_network(Genome(square_input(64, 8), (Block((conv,) * 4, residual="identity"),) * 40), "")
    block = draw_network(_one_block(*[conv] * 64), "")
    for picture in (units, block):
        require_tidy(picture)
        assert picture.width < 1500
        assert picture.height < 6000
