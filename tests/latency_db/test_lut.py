from __future__ import annotations

import random
from statistics import mean, median, pvariance, quantiles

import msgspec
import pytest
from msgspec import structs

from latency_db import LatencyStore
from latency_db.imported import imported_table, keep_table
from latency_db.lut import LookupTable, export_table, lookup_table, shares
from latency_db.lut.blocks import inverted_residual_call, inverted_residuals
from latency_db.lut.grid import read_grid
from latency_db.lut.table import block_rows
from tests.latency_db.fakes import FINGERPRINT, OTHER_FINGERPRINT, layer_profile
from tvnsearch.devices import fingerprint_digest
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.calls import Shape, add_call, head_call
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import DepthwiseConv, InvertedResidual, SpatialConv, TemporalConv
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space


def by_call(store, digest):
    latencies_ms = {}
    for known in store.profiles(digest):
        for call, latency_ms in zip(
            trace(known.genome, known.classes).calls, known.latencies_ms, strict=True
        ):
            latencies_ms.setdefault(call, []).append(latency_ms)
    return latencies_ms


def test_equal_calls_become_one_row(filled, digest):
    table = lookup_table(filled, digest)
    expected = by_call(filled, digest)
    assert len(table.rows) == len(expected)
    assert max(row.count for row in table.rows) > 1
    for row in table.rows:
        latencies_ms = expected[row.call]
        assert row.count == len(latencies_ms)
        assert row.latency_ms == pytest.approx(median(latencies_ms))
        assert row.mean_ms == pytest.approx(mean(latencies_ms))
        assert row.variance_ms2 == pytest.approx(pvariance(latencies_ms), abs=1e-12)
        assert row.origin == "measured"
        if row.count > 1:
            low_ms, _, high_ms = quantiles(latencies_ms, n=4, method="inclusive")
            assert (row.low_ms, row.high_ms) == (pytest.approx(low_ms), pytest.approx(high_ms))


def test_what_was_executed_as_one_with_other_calls_has_no_row(tmp_path):
    genome = Genome(square_input(16, 2), (Block((SpatialConv(8, 3), TemporalConv(8, 2), SpatialConv(4, 1))),))
    calls = trace(genome, 5).calls
    stamped = layer_profile(genome, 5)
    fused = structs.replace(stamped, latencies_ms=(1.0, 0.0, *stamped.latencies_ms[2:]), parts=(0, 0, 2, 3))
    with LatencyStore(tmp_path / "latency.sqlite") as store:
        store.add_profile(store.start_session(FINGERPRINT, "{}", 0, 50.0), 0, genome, 5, fused, 1.0)
        table = lookup_table(store, fingerprint_digest(FINGERPRINT))
    assert {row.call for row in table.rows} == {calls[2], calls[3]}


def test_a_block_that_was_executed_as_one_with_what_follows_has_no_row(tmp_path):
    genome = Genome(square_input(16, 2), (Block((InvertedResidual(8, 2.0, 3), SpatialConv(8, 3))),))
    stamped = layer_profile(genome, 5)
    [(_, positions)] = inverted_residuals(trace(genome, 5))
    last = positions[-1]
    inside = tuple(positions[0] if place in positions else place for place in range(len(stamped.parts)))
    beyond = tuple(last if place == last + 1 else place for place in range(len(stamped.parts)))
    with LatencyStore(tmp_path / "latency.sqlite") as store:
        session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
        for index, parts in enumerate((stamped.parts, inside, beyond)):
            store.add_profile(session, index, genome, 5, structs.replace(stamped, parts=parts), 1.0)
        whole, within, joined = store.profiles(fingerprint_digest(FINGERPRINT))
    assert [row.count for row in block_rows([whole])] == [1]
    assert [row.count for row in block_rows([whole, within])] == [2]
    assert block_rows([joined]) == ()


def test_rows_are_sorted_so_that_equal_tables_are_equal_files(filled, digest, tmp_path):
    table = lookup_table(filled, digest)
    assert list(table.rows) == sorted(table.rows, key=msgspec.structs.astuple)
    for name in ("once", "twice"):
        export_table(lookup_table(filled, digest), tmp_path / name, "csv")
    assert (tmp_path / "once").read_bytes() == (tmp_path / "twice").read_bytes()


def test_a_file_is_replaced_whole_and_nothing_else_is_left(filled, digest, tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "table.csv").write_text("old")
    export_table(lookup_table(filled, digest), folder / "table.csv", "csv")
    assert [path.name for path in folder.iterdir()] == ["table.csv"]
    assert (folder / "table.csv").read_text().startswith("# {")


def test_bad_requests_are_one_sentence(filled, digest, tmp_path):
    table = lookup_table(filled, digest)
    with pytest.raises(UserError, match=r"csv, json.*'xlsx' came"):
        export_table(table, tmp_path / "table", "xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another --out"):
        export_table(table, tmp_path / "file" / "table.csv", "csv")
    with pytest.raises(UserError, match="those of another device"):
        lookup_table(filled, fingerprint_digest(OTHER_FINGERPRINT))


BLOCK = InvertedResidual(16, 4.0, 3, 1, "relu6")
STRIDED = InvertedResidual(24, 3.0, 5, 2, "relu6")


@pytest.fixture
def mobile(store, digest):
    """A store with one network of known blocks, profiled twice."""
    genome = Genome(
        square_input(resolution=32, frames=2, frame_stride=1),
        (Block((SpatialConv(16, 3, 2, "relu6"), BLOCK, STRIDED, BLOCK)),),
    )
    session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
    for seed in range(2):
        store.add_profile(session, seed, genome, 10, layer_profile(genome, 10, seed), 1.0)
    return store


def test_inverted_residuals_are_found_in_what_is_executed(mobile, digest):
    profiles = mobile.profiles(digest)
    walked = trace(profiles[0].genome, 10)
    found = list(inverted_residuals(walked))
    assert [(call.in_shape.channels, call.hidden, call.stride, call.mode) for call, _ in found] == [
        (16, 64, 1, "shortcut"),
        (16, 48, 2, ""),
        (24, 96, 1, ""),
    ]
    for call, positions in found:
        inside = [walked.calls[position] for position in positions]
        assert [part.type for part in inside][:3] == ["spatial_conv", "depthwise_conv", "spatial_conv"]
        assert call.macs == sum(part.macs for part in inside)
        assert (call.in_shape, call.out_shape) == (inside[0].in_shape, inside[-1].out_shape)
    rows = {row.call: row for row in block_rows(profiles)}
    for call, positions in found:
        sums_ms = [sum(known.latencies_ms[position] for position in positions) for known in profiles]
        assert rows[call].count == 2
        assert rows[call].mean_ms == pytest.approx(mean(sums_ms))


def disturbed(profile):
    network = msgspec.structs.replace(profile.network, samples=0)
    latencies_ms = tuple(1000 * latency_ms for latency_ms in profile.latencies_ms)
    return msgspec.structs.replace(profile, latencies_ms=latencies_ms, passes=0, network=network)


def test_what_was_always_disturbed_is_in_no_table(mobile, digest):
    table, blocks = lookup_table(mobile, digest), block_rows(mobile.profiles(digest))
    genome = mobile.profiles(digest)[0].genome
    session = mobile.start_session(FINGERPRINT, "{}", 0, 50.0)
    mobile.add_profile(session, 2, genome, 10, disturbed(layer_profile(genome, 10)), 1.0)
    assert lookup_table(mobile, digest) == table
    assert block_rows(mobile.profiles(digest)) == blocks


def test_a_device_that_was_always_disturbed_has_no_table(store, digest):
    genome = sample_genome(load_space("digits"), random.Random(3))
    session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
    store.add_profile(session, 0, genome, 10, disturbed(layer_profile(genome, 10)), 1.0)
    with pytest.raises(UserError, match="disturbed every pass"):
        lookup_table(store, digest)


def test_blocks_of_sampled_networks_cover_only_their_own_calls():
    for seed in range(40):
        walked = trace(sample_genome(load_space("mobile"), random.Random(seed)))
        taken = [position for _, positions in inverted_residuals(walked) for position in positions]
        assert len(taken) == len(set(taken))
        assert all(
            walked.calls[position].type in {"spatial_conv", "depthwise_conv", "add"} for position in taken
        )


def test_a_block_cannot_have_a_shortcut_between_unequal_shapes():
    assert inverted_residual_call(Shape(1, 8, 8, 16), 24, 64, 3, 1, "relu", True) is None


def test_an_imported_table_is_kept_apart_under_its_name(filled, digest, tmp_path):
    table = lookup_table(filled, digest)
    foreign = LookupTable("phone", {}, table.rows[:3])
    keep_table(filled.path, "phone", "csv", foreign)
    assert imported_table(filled.path, "phone") == foreign
    keep_table(filled.path, "phone", "csv", LookupTable("phone", {}, table.rows[:2]))
    assert len(imported_table(filled.path, "phone").rows) == 2
    assert lookup_table(filled, digest) == table
    assert len(filled.profiles(digest)) == 8
    with pytest.raises(UserError, match="holds those of phone"):
        imported_table(filled.path, "tablet")
    with pytest.raises(UserError, match="choose one with --name"):
        keep_table(filled.path, digest, "csv", table)
    with LatencyStore(tmp_path / "other.sqlite"), pytest.raises(UserError, match="holds none"):
        imported_table(tmp_path / "other.sqlite", "phone")


def test_shares_add_up_and_weigh_rows_by_how_often_they_ran(filled, digest):
    rows = lookup_table(filled, digest).rows
    stamped_ms = sum(sum(known.latencies_ms) for known in filled.profiles(digest))
    assert sum(shares(rows)) == pytest.approx(100)
    assert shares(rows)[0] == pytest.approx(100 * rows[0].mean_ms * rows[0].count / stamped_ms)


def test_a_grid_has_every_combination_as_it_is_executed(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(
        """
        [spatial_conv]
        in_frames = [1, 4]
        in_height = [14]
        in_channels = [8, 16]
        filters = [16]
        kernel = [3]
        activation = ["relu"]

        [inverted_residual]
        in_frames = [1]
        in_height = [7]
        in_channels = [8]
        filters = [8]
        expansion = [2]
        kernel = [3]

        [temporal_conv]
        in_frames = [1, 4]
        in_height = [14]
        in_channels = [8]
        filters = [16]
        kernel = [3]

        [head]
        in_frames = [2]
        in_height = [7]
        in_channels = [8]
        classes = [10]
        head = ["per_frame"]
        """
    )
    grid = read_grid(path)
    shapes = [Shape(frames, 14, 14, channels) for frames in (1, 4) for channels in (8, 16)]
    small = Shape(1, 7, 7, 8)
    parts = (
        layer_call(SpatialConv(16, activation="relu"), small),
        layer_call(DepthwiseConv(3, 1, "relu"), small._replace(channels=16)),
        layer_call(SpatialConv(8), small._replace(channels=16)),
        add_call(small),
    )
    assert set(grid.calls) == {
        *(layer_call(SpatialConv(16, 3, 1, "relu"), shape) for shape in shapes),
        *parts,
        layer_call(TemporalConv(16, 3), Shape(4, 14, 14, 8)),
        head_call(Shape(2, 7, 7, 8), 10, "per_frame"),
    }
    assert grid.blocks == ((inverted_residual_call(small, 8, 16, 3, 1, "relu", True), parts),)
    assert grid.idle == {"temporal_conv": 1}


LONG = str([*range(1, 200)])
SIZES = "in_frames = [1]\nin_height = [8]\nin_channels = [8]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a table like [spatial_conv]"),
        ("[spatial_conv", "malformed"),
        ("frames = [1]", "a type of layer in [frames]"),
        ("[branches]", "a type of layer in [branches]"),
        ("spatial_conv = 3", "a table [spatial_conv]"),
        ("[spatial_conv]\n" + SIZES + "filters = [8]\nwidth = [1]", "spatial_conv.width"),
        ("[spatial_conv]\n" + SIZES + "filters = 8", "a list of values for spatial_conv.filters"),
        ("[spatial_conv]\n" + SIZES + "filters = []", "a list of values for spatial_conv.filters"),
        ("[spatial_conv]\n" + SIZES, "a list of values for spatial_conv.filters"),
        ("[spatial_conv]\nfilters = [8]", "a list of values for spatial_conv.in_frames"),
        ("[spatial_conv]\n" + SIZES + "filters = [8, 0]", "values for spatial_conv.filters"),
        ("[spatial_conv]\n" + SIZES + "filters = [8]\nactivation = ['gelu']", "spatial_conv.activation"),
        ("[head]\n" + SIZES, "head.classes"),
        (
            "[concat]\n" + SIZES.replace("[1]", str([*range(1, 2000)])).replace("[8]", str([*range(1, 40)])),
            "at most",
        ),
    ],
)
def test_a_mistake_in_a_grid_names_the_key(text, said, tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read_grid(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_grid_may_have_frames_that_are_not_square(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(
        "[spatial_conv]\nin_frames = [2]\nin_height = [9]\nin_width = [16, 9]\n"
        "in_channels = [3]\nfilters = [8]\n"
    )
    shapes = {call.in_shape[1:3] for call in read_grid(path).calls}
    assert shapes == {(9, 16), (9, 9)}
