"""Tables that never cut a number: what does not fit stands below each other, or a line a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

SHORTEST_WORDS = 8
"""Columns of a terminal that words are not folded below."""


class _Widths(NamedTuple):
    """Of one column: what it would be, what it can be without breaking a word, and what it can be at all."""

    wanted: int
    whole: int
    least: int


def table_of(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], word_columns: int, room: int
) -> RenderableType:
    """A table as wide as ``room`` at most; after ``word_columns`` columns of words come numbers.

    Where numbers would have to be cut it is a line a cell. A title stands above, however narrow the table is.
    """
    widths = fitting_widths(columns, rows, word_columns, room)
    if widths is None:
        return Group(*map(Text, (title, *_lines(columns, rows))))
    table = Table(box=SIMPLE, padding=(0, 0))
    for index, (column, width) in enumerate(zip(columns, widths, strict=True)):
        justify: JustifyMethod = "left" if index < word_columns else "right"
        table.add_column(column, justify=justify, width=width, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return Group(Text(title, style="bold"), table) if title else table


def fitting_widths(
    columns: Sequence[str], rows: Sequence[Sequence[str]], word_columns: int, room: int
) -> list[int] | None:
    """How wide each column is in ``room``; None where numbers would have to be cut.

    Words are wrapped first, but for those of the first column, then broken, and the heads of numbers last.
    """
    asked = [
        _widths(column, [row[index] for row in rows], index, word_columns)
        for index, column in enumerate(columns)
    ]
    room -= len(columns) + 1  # a blank between columns and at both ends
    widths = [each.wanted for each in asked]
    whole, least = [each.whole for each in asked], [each.least for each in asked]
    for limits in (whole, least[:word_columns] + whole[word_columns:], least):
        while sum(widths) > room:
            slack, widest = max((width - limits[index], index) for index, width in enumerate(widths))
            if slack <= 0:
                break
            widths[widest] -= 1
    return widths if sum(widths) <= room else None


def _widths(column: str, cells: Sequence[str], index: int, word_columns: int) -> _Widths:
    longest = max(map(cell_len, cells), default=0)
    longest_word = max(map(cell_len, column.split()), default=0)
    wanted = max(longest, cell_len(column))
    if index >= word_columns:
        return _Widths(wanted, max(longest, longest_word), longest)
    least = min(wanted, SHORTEST_WORDS)
    in_cells = max((cell_len(word) for cell in cells for word in cell.split()), default=0)
    whole = wanted if index == 0 else max(longest_word, in_cells, least)
    return _Widths(wanted, whole, least)


def _lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A line a cell and an empty one a row."""
    room = max(map(cell_len, columns))
    return [
        line
        for row in rows
        for line in ("", *(f"{column:{room}}  {cell}" for column, cell in zip(columns, row, strict=True)))
    ]
