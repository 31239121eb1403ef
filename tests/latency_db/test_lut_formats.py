"""Every format of lookup tables keeps the same promises; and other tools' readers find what they look for."""

from __future__ import annotations

import ast
import errno
import math
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency_db.lut import FORMATS, LookupTable, export_table, read_table
from latency_db.lut.blocks import inverted_residual_call
from latency_db.lut.table import COLUMNS, row_of
from latency_db.records import CALL_COLUMNS
from tests.latency_db.lut_rows import TABLES
from tvnsearch.errors import UserError
from tvnsearch.genome.calls import Shape, head_call
from tvnsearch.genome.layer_calls import layer_call
from tvnsearch.genome.layers import DepthwiseConv, SpatialConv, TemporalConv

LOSSLESS = ("csv", "json", "parquet")
TEXT = [name for name in FORMATS if name != "parquet"]
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def row(call, latency_ms=0.5, origin="measured"):
    return row_of(call, origin=origin, count=3, latency_ms=latency_ms, mean_ms=0.75, variance_ms2=0.25)


ANY = {
    "conv": row(layer_call(SpatialConv(16, 1, 1, "relu"), Shape(1, 7, 9, 8))),
    "stem": row(layer_call(SpatialConv(32, 3, 2, "relu6"), Shape(1, 224, 224, 3))),
    "depthwise": row(layer_call(DepthwiseConv(3, 2, "relu"), Shape(4, 14, 14, 8))),
    "temporal": row(layer_call(TemporalConv(16, 3), Shape(4, 14, 14, 8))),
    "head": row(head_call(Shape(1, 7, 7, 1280), 1000)),
    "block": row(inverted_residual_call(Shape(1, 7, 7, 192), 320, 6 * 192, 5, 1, "relu6", False), 5.25),
    "block with shortcut": row(inverted_residual_call(Shape(1, 28, 28, 16), 16, 64, 3, 1, "relu", True)),
}
TABLE = LookupTable("here", {"processor": "Imaginary, 9000"}, tuple(ANY.values()))


@pytest.mark.parametrize("name", FORMATS)
@given(table=TABLES, frames=st.sampled_from([1, 2, 8]))
@RELAXED
def test_export_then_import_gives_the_rows_that_fit_and_counts_the_others(name, table, frames, tmp_path):
    path = tmp_path / "table"
    try:
        told = export_table(table, path, name, frames)
    except UserError:
        assert not any(
            FORMATS[name].expresses(row) and (row.in_frames == frames or not FORMATS[name].one_batch)
            for row in table.rows
        )
        return
    read = read_table(path, name)
    assert read.left_out == {}
    assert told.left_out == dict(
        Counter(row.type for row in table.rows) - Counter(row.type for row in told.written)
    )
    assert len(read.table.rows) == len(told.written)
    kept = (*CALL_COLUMNS, *FORMATS[name].keeps)
    for before, after in zip(told.written, read.table.rows, strict=True):
        for column in kept:
            assert same(getattr(before, column), getattr(after, column)), (column, before, after)
    if name in LOSSLESS:
        assert read.table == table
    export_table(read.table, tmp_path / "again", name, frames)
    again = read_table(tmp_path / "again", name)
    assert again.table.rows == read.table.rows or name == "nni"


def same(before, after):
    """Equal; a change of units may cost the last bit."""
    if isinstance(before, float) and after is not None:
        return math.isclose(before, after, rel_tol=1e-15)
    return before == after


def test_lossless_formats_keep_every_column():
    assert all(set(FORMATS[name].keeps) == set(COLUMNS) for name in LOSSLESS)


@pytest.mark.parametrize("name", TEXT)
def test_the_unit_of_latencies_stands_in_the_file_where_there_is_room(name, tmp_path):
    export_table(TABLE, tmp_path / "table", name)
    first = (tmp_path / "table").read_text().splitlines()[0]
    if name == "nni":
        assert "microseconds" in first
    elif name != "tinynas":
        header = msgspec.json.decode(
            first.removeprefix("# ").removesuffix(',"rows":[') + "}" * (name == "json")
        )
        assert header["device"] == "here"
        assert header["fingerprint"] == TABLE.fingerprint
        assert "ms" in (header["units"].get("latency_ms") or header["units"]["mean"])
    assert any(unit in FORMATS[name].holds for unit in ("ms", "microseconds"))


def test_parquet_names_the_unit_of_each_column(tmp_path):
    from pyarrow.parquet import read_schema

    export_table(TABLE, tmp_path / "table", "parquet")
    schema = read_schema(tmp_path / "table")
    units = {field.name: field.metadata[b"unit"].decode() for field in schema}
    assert {name: unit for name, unit in units.items() if unit} == TABLE.units


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_table_of_batches_says_so(name, tmp_path):
    batched = LookupTable("here", {"batch": "4", "precision": "bfloat16"}, TABLE.rows)
    export_table(batched, tmp_path / "table", name)
    assert b"ms for 4 clips in one pass" in (tmp_path / "table").read_bytes()
    assert b"ms for one clip" not in (tmp_path / "table").read_bytes()
    read = read_table(tmp_path / "table", name).table
    assert (read, read.units) == (batched, batched.units)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in LOSSLESS])
@pytest.mark.parametrize("run", [{"batch": "4"}, {"precision": "bfloat16"}])
def test_formats_of_single_clips_in_float32_refuse_others(name, run, tmp_path):
    with pytest.raises(UserError, match=r"ran \d clip\(s\) in \w+; say --format csv"):
        export_table(LookupTable("here", run, TABLE.rows), tmp_path / "table", name)
    plain = LookupTable("here", {"batch": "1", "precision": "float32"}, TABLE.rows)
    export_table(plain, tmp_path / "table", name)


def test_what_a_format_cannot_express_is_counted_by_type(tmp_path):
    left_out = {
        name: export_table(TABLE, tmp_path / name, name).left_out
        for name in ("once-for-all", "nni", "tinynas")
    }
    assert left_out == {
        "once-for-all": {"depthwise_conv": 1, "inverted_residual": 1, "spatial_conv": 1, "temporal_conv": 1},
        "nni": {
            "depthwise_conv": 1,
            "head": 1,
            "inverted_residual": 1,
            "spatial_conv": 1,
            "temporal_conv": 1,
        },
        "tinynas": {"head": 1, "inverted_residual": 2, "spatial_conv": 1, "temporal_conv": 1},
    }


def test_a_table_that_a_format_cannot_express_at_all_is_refused(tmp_path):
    with pytest.raises(UserError, match="none of the table's 1 is one"):
        export_table(LookupTable("here", {}, (ANY["temporal"],)), tmp_path / "table", "nni")
    two_frames = row(layer_call(SpatialConv(16, 1, 1, "relu"), Shape(2, 7, 7, 8)))
    with pytest.raises(UserError, match="those of 2; say --in-frames 2"):
        export_table(LookupTable("here", {}, (two_frames,)), tmp_path / "table", "nni")
    assert list(tmp_path.iterdir()) == []


MALFORMED = {
    "csv": [
        (0, "type,in_frames", 1),
        (1, "type,latency", 2),
        (3, "spatial_conv,1,2", 4),
        (3, "{line},1", 4),
        (3, "{line:0.5->fast}", 4),
        (3, "{line:0.5->nan}", 4),
        (3, "{line:measured->guessed}", 4),
    ],
    "json": [
        (1, "{line:in_frames->frames}", 2),
        (3, '{line:"in_height":14->"in_height":"high"}', 4),
        (3, '{line:"in_height":14->"in_height":0}', 4),
        (3, "{line:{->[}", 4),
    ],
    "once-for-all": [
        (0, "# {}", 1),
        (1, "Conv-input:224x224x3:", 2),
        (1, "{line:112x112->111x112}", 2),
        (1, "{line:224x224->0x224}", 2),
        (2, "  mean: @", 3),
        (3, "  mean: fast", 2),
        (3, "  men: 1.0", 2),
        (3, "  mean: -1.0", 2),
    ],
    "nni": [
        (0, "op_name: conv1x1", 1),
        (0, "{line:8, 16->8}", 1),
        (0, "{line:500.0->'fast'}", 1),
        (0, "{line:500.0->-1.0}", 1),
        (0, "{line:microseconds->ms}", 1),
        (1, "{line:_res->_res}{line:_res->_res}", 2),
        (1, "__import__('os').abort()", 2),
    ],
    "tinynas": [
        (0, "Regular,1,8,7,9,16,1,1,0 0.5", 1),
        (0, "{line:Regular->Grouped}", 1),
        (1, "{line:0.5->nan}", 2),
        (1, "{line:0.5->fast}", 2),
        (1, "{line:14,14,8->14,14,9}", 2),
        (1, "{line:14,14->0,14}", 2),
    ],
}


def spoilt(pattern, line):
    """``{line:a->b}`` is the line with ``b`` for ``a``; ``{line}`` the line."""
    if pattern.startswith("{line:") and pattern.count("{line:") == 1:
        old, new = pattern[len("{line:") : -1].split("->")
        assert old in line
        return line.replace(old, new, 1)
    return pattern.replace("{line:_res->_res}", line).replace("{line}", line)


@pytest.mark.parametrize(
    ("name", "index", "pattern", "named"), [(name, *case) for name in MALFORMED for case in MALFORMED[name]]
)
def test_a_malformed_line_is_named_by_its_number(name, index, pattern, named, tmp_path):
    path = tmp_path / "table"
    export_table(TABLE, path, name)
    lines = path.read_text().splitlines()
    lines[index] = spoilt(pattern, lines[index])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=rf"in line {named} of table, but") as refused:
        read_table(path, name)
    assert "\n" not in str(refused.value)


EDITORS = {
    "a mark of the order of bytes": lambda text: "\ufeff" + text,
    "an empty line behind": lambda text: text + "\n",
    "a line of blanks behind": lambda text: text + "  \n",
    "lines that end as on Windows": lambda text: text.replace("\n", "\r\n"),
    "no end of the last line": lambda text: text.removesuffix("\n"),
}
COMMENTS = {
    "a comment before": lambda text: "# measured on a quiet night\n" + text,
    "comments, empty lines and a mark": lambda text: "\ufeff\n# one\n\n# two\n" + text,
    "a comment behind the header": lambda text: text.replace("\n", "\n# from here on: rows\n", 1),
}
BATCH_OF_8 = LookupTable(
    "phone",
    {"processor": "Imaginary 9000"},
    (
        row(layer_call(SpatialConv(32, 3, 2, "relu6"), Shape(8, 224, 224, 3)), 1.5),
        row(layer_call(SpatialConv(16, 1, 1, "relu6"), Shape(8, 7, 7, 8)), 0.5),
    ),
)


@pytest.mark.parametrize("edit", EDITORS.values(), ids=EDITORS)
@pytest.mark.parametrize("name", TEXT)
def test_what_editors_do_to_a_file_changes_no_row(name, edit, tmp_path):
    path = tmp_path / "table"
    export_table(TABLE, path, name)
    before = read_table(path, name)
    path.write_bytes(edit(path.read_text()).encode())
    assert read_table(path, name) == before


@pytest.mark.parametrize("edit", COMMENTS.values(), ids=COMMENTS)
@pytest.mark.parametrize("name", ["csv", "once-for-all"])
def test_comments_before_the_rows_lose_neither_device_nor_batch(name, edit, tmp_path):
    path = tmp_path / "table"
    export_table(BATCH_OF_8, path, name, frames=8)
    path.write_bytes(edit(path.read_text()).encode())
    read = read_table(path, name).table
    assert (read.device, read.fingerprint) == ("phone", {"processor": "Imaginary 9000"})
    assert [kept.call for kept in read.rows] == [kept.call for kept in BATCH_OF_8.rows]


def test_a_header_behind_the_beginning_of_a_yaml_document_is_read(tmp_path):
    path = tmp_path / "table"
    export_table(BATCH_OF_8, path, "once-for-all", frames=8)
    path.write_text("%YAML 1.1\n---\n" + path.read_text())
    assert read_table(path, "once-for-all").table.rows[0].in_frames == 8


@given(
    before=st.lists(st.sampled_from(["", "# a comment", "#", "   "]), max_size=4),
    between=st.lists(st.sampled_from(["", "# a comment"]), max_size=2),
    spoilt_row=st.integers(0, len(TABLE.rows) - 1),
    mark=st.sampled_from(["", "\ufeff"]),
)
@RELAXED
def test_errors_name_lines_as_the_file_has_them(before, between, spoilt_row, mark, tmp_path):
    path = tmp_path / "table"
    export_table(TABLE, path, "csv")
    header, columns, *rows = path.read_text().splitlines()
    rows[spoilt_row] += ",1"
    lines = [*before, header, *between, columns, *rows]
    path.write_text(mark + "\n".join(lines) + "\n")
    with pytest.raises(UserError, match=rf"in line {lines.index(rows[spoilt_row]) + 1} of table, but"):
        read_table(path, "csv")


def test_a_header_that_is_none_is_named_by_its_own_line(tmp_path):
    path = tmp_path / "table"
    for name in ("csv", "once-for-all"):
        path.write_text("# a comment\n\n# {}\n")
        with pytest.raises(UserError, match="in line 3 of table"):
            read_table(path, name)


def test_a_folder_is_no_file_to_write_and_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in (Path(), tmp_path, tmp_path / "..", Path("/")):
        with pytest.raises(UserError, match=r"is a folder; name a file in it, --out .*csv"):
            export_table(TABLE, out, "csv")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_cannot_be_written_leaves_no_part(tmp_path, monkeypatch):
    def is_full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", is_full)
    with pytest.raises(UserError, match="No space left on device"):
        export_table(TABLE, tmp_path / "table", "csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_no_table_is_one_sentence(name, tmp_path):
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00PAR1")
    with pytest.raises(UserError, match="binary"):
        read_table(binary, name)
    with pytest.raises(UserError, match=r"cannot be read \(No such file"):
        read_table(tmp_path / "nowhere", name)


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_truncated_file_is_refused(name, tmp_path):
    path = tmp_path / "table"
    export_table(TABLE, path, name)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError):
        read_table(path, name)


@pytest.mark.parametrize(
    ("name", "module", "extra"), [("parquet", "pyarrow", "parquet"), ("once-for-all", "yaml", "yaml")]
)
def test_a_missing_extra_is_named(name, module, extra, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"pip install 'tvnsearch\[{extra}\]'"):
        export_table(TABLE, tmp_path / "table", name)


def test_the_reader_of_once_for_all_finds_layers_by_its_keys(tmp_path):
    export_table(TABLE, tmp_path / "lut.yaml", "once-for-all")
    known = yaml.safe_load((tmp_path / "lut.yaml").read_text())
    assert known["expanded_conv-input:7x7x192-output:7x7x320-expand:6-kernel:5-stride:1-idskip:0"] == {
        "count": 3,
        "mean": 0.75,
        "var": 0.25,
        "origin": "measured",
    }
    assert {"Conv-input:224x224x3-output:112x112x32", "Logits-input:7x7x1280-output:1000"} < set(known)


def test_a_table_of_once_for_all_itself_is_read(tmp_path):
    path = tmp_path / "mobile.yaml"
    path.write_text(
        "AvgPool2D-input:5x5x1152-output:1x1x1152:\n  count: 9\n  mean: 0.1\n  var: 0.0\n"
        "Conv_1-input:7x7x320-output:7x7x1280:\n  count: 9\n  mean: 2.5\n  var: 0.01\n"
        "expanded_conv-input:7x7x192-output:7x7x192-expand:3-kernel:7-stride:1-idskip:1:\n"
        "  count: 154\n  mean: 5.25\n  var: 0.2\n"
    )
    read = read_table(path, "once-for-all")
    assert read.left_out == {"AvgPool2D": 1}
    last, block = read.table.rows
    assert last.call == layer_call(SpatialConv(1280, 1, 1, "relu6"), Shape(1, 7, 7, 320))
    assert block.call == inverted_residual_call(Shape(1, 7, 7, 192), 192, 576, 7, 1, "relu6", True)
    assert (block.origin, block.count, block.mean_ms, block.variance_ms2) == ("imported", 154, 5.25, 0.2)
    assert read.table.device == "mobile.yaml"


OF_MOBILENET_V3 = (
    "expanded_conv-input:112x112x16-output:56x56x24-expand:64-kernel:3-stride:2-idskip:0-se:0-hs:0",
    "Conv_2-input:1x1x960-output:1x1x1280",
)


@pytest.mark.parametrize("key", OF_MOBILENET_V3)
def test_the_first_and_last_convolutions_of_mobilenet_v3_end_with_h_swish(key, tmp_path):
    path = tmp_path / "mobilenet_v3.yaml"
    stem, last = "Conv-input:224x224x3-output:112x112x16", "Conv_1-input:7x7x160-output:7x7x960"
    path.write_text("".join(f"{name}:\n  count: 9\n  mean: 2.5\n" for name in (stem, last, key)))
    read = read_table(path, "once-for-all")
    assert [known.call for known in read.table.rows] == [
        layer_call(SpatialConv(16, 3, 2, "hswish"), Shape(1, 224, 224, 3)),
        layer_call(SpatialConv(960, 1, 1, "hswish"), Shape(1, 7, 7, 160)),
    ]
    assert read.left_out == {key.partition("-")[0]: 1}
    path.write_text("".join(f"{name}:\n  count: 9\n  mean: 2.5\n" for name in (stem, last)))
    assert {known.activation for known in read_table(path, "once-for-all").table.rows} == {"relu6"}


def test_the_reader_of_nni_finds_operators_by_name_shape_and_type(tmp_path):
    export_table(TABLE, tmp_path / "lut.txt", "nni")
    known = {}
    for line in (tmp_path / "lut.txt").open():
        record = ast.literal_eval(line)
        known[record["op_name"], record["op_data_shape"], record["op_dtype"]] = record["op_latency"]
    assert known["conv1x1", (9, 7, 8, 16, 1), "float"] == 500.0
    assert known["mb_k3_e4_res", (28, 28, 16, 16, 1), "float"] == 500.0


def test_a_table_of_nni_itself_is_read(tmp_path):
    path = tmp_path / "lut.txt"
    path.write_text(
        "{'op_name': 'sep_k3', 'op_data_shape': (14, 14, 32, 32, 1), 'op_dtype': 'float', 'op_latency': 3}\n"
        "{'op_name': 'mb_k5_e2_res', 'op_data_shape': (14, 14, 32, 64, 2), "
        "'op_dtype': 'float', 'op_latency': 1250}\n"
    )
    read = read_table(path, "nni")
    assert read.left_out == {"sep_k3": 1}
    [block] = read.table.rows
    assert block.call == inverted_residual_call(Shape(1, 14, 14, 32), 64, 64, 5, 2, "relu", False)
    assert (block.origin, block.latency_ms) == ("imported", 1.25)


def test_the_reader_of_tinynas_finds_two_fields_a_line(tmp_path):
    export_table(TABLE, tmp_path / "conv_data.out", "tinynas")
    known = dict(line.split() for line in (tmp_path / "conv_data.out").read_text().splitlines())
    assert known == {"{Regular,1,8,7,9,16,1,1,0}": "0.5", "{Depthwise,4,8,14,14,8,3,2,0}": "0.5"}


def test_a_table_of_tinynas_itself_is_read(tmp_path):
    path = tmp_path / "conv_data.out"
    path.write_text(
        "{Regular,128,3,480,480,192,7,2,1} 30.9881\n{Regular,128,3,480,480,160,7,2,0} -1\n"
        "{Regular,32,64,28,28,64,3,1,0} 0.123\n{Regular,32,64,28,28,64,4,1,0} 0.2\n"
    )
    read = read_table(path, "tinynas")
    assert read.left_out == {
        "Regular of even kernel": 1,
        "Regular with a fused sum": 1,
        "failed measurement": 1,
    }
    [conv] = read.table.rows
    assert conv.call == layer_call(SpatialConv(64, 3, 1, "relu"), Shape(32, 28, 28, 64))
    assert (conv.origin, conv.latency_ms) == ("imported", 0.123)


def test_pandas_reads_the_csv_and_the_parquet_alike(tmp_path):
    import pandas as pd

    for name in ("csv", "parquet"):
        export_table(TABLE, tmp_path / name, name)
    as_csv = pd.read_csv(Path(tmp_path / "csv"), comment="#", keep_default_na=False)
    as_parquet = pd.read_parquet(tmp_path / "parquet")
    assert list(as_csv.columns) == list(as_parquet.columns) == list(COLUMNS)
    assert as_csv["latency_ms"].tolist() == as_parquet["latency_ms"].tolist()
