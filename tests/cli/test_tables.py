"""Tables on terminals of any width: numbers are whole, words are broken before anything is lost."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from cli.tables import table_of

COLUMNS = ["network", "ms", "95 % interval", "p50", "p90", "samples"]
ROWS = [
    ["mobilenetv3-large-2f", "8.1044", "8.0912 to 8.1201", "8.10", "8.31", "1,204"],
    ["tvn-1", "1865.00", "-", "1,865.00", "1,871.20", "30"],
]


def printed(columns: int, word_columns: int = 1, title: str = "Latencies") -> list[str]:
    console = Console(file=StringIO(), width=columns)
    console.print(table_of(title, COLUMNS, ROWS, word_columns, console.width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [*range(20, 60), 80, 120])
@pytest.mark.parametrize("word_columns", [0, 1])
def test_no_number_is_cut_at_any_width(columns: int, word_columns: int) -> None:
    lines = printed(columns, word_columns)
    words = " ".join(lines).split()
    for row in ROWS:
        for cell in row[1:]:
            assert set(cell.split()) <= set(words), (columns, lines)
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= columns


def test_a_row_of_numbers_stays_in_a_line_where_there_is_room() -> None:
    [line] = [line for line in printed(80) if "8.1044" in line]
    assert line.split() == ["mobilenetv3-large-2f", *" ".join(ROWS[0][1:]).split()]


def test_words_are_broken_before_a_table_becomes_lines() -> None:
    lines = printed(64)
    [first] = [line for line in lines if "8.1044" in line]
    assert "1,204" in first
    assert "mobilenetv3-large-2f" not in first
    name = [line.split()[0] for line in lines[lines.index(first) :] if line.strip()]
    assert "".join(name).startswith("mobilenetv3-large-2f")
    assert "samples" in " ".join(lines).split()


def test_what_is_too_narrow_for_a_table_has_a_line_a_cell() -> None:
    lines = printed(38)
    assert "95 % interval  8.0912 to 8.1201" in lines
    assert "network        tvn-1" in lines
    assert lines[0] == "Latencies"


def test_a_title_is_as_wide_as_the_terminal_and_not_as_its_table() -> None:
    title = "clips/of/a/camera/take0.mp4 (3340 ms for decoding and network)"
    console = Console(file=StringIO(), width=80)
    console.print(table_of(title, ["label", "probability"], [["wave", "0.473"]], 1, console.width))
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().splitlines()[0].rstrip() == title
