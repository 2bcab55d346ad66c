"""What a part of the Compare page shows, as data: shown by `compare_show`, and the same in a file by `compare_report`.

All texts are plain: whoever shows them escapes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mnist_lab.ui.charts import Chart
from mnist_lab.verdict_text import p_number

BODY, CAPTION, WARNING, NOTICE = "body", "caption", "warning", "notice"
NOT_THERE = "–"
UNLIKE = "≠ "  # before what is marked in a table


@dataclass(frozen=True)
class Heading:
    text: str
    help: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph; `lead` comes before it in bold."""

    text: str
    kind: str = BODY
    lead: str = ""


@dataclass(frozen=True)
class Picture:
    """A chart with its takeaway. `key` names its container; `width` is in pixels, None for all there is."""

    chart: Chart
    key: str
    takeaway: str = ""
    width: int | None = None


@dataclass(frozen=True)
class Pictures:
    """Small charts side by side, as many as fit."""

    pictures: tuple[Picture, ...]
    key: str


@dataclass(frozen=True)
class Column:
    """A table's column. `digits` after the point, None for text; `help` explains it.

    `tiny` is for p-values, which show three digits, and below 0.0001 that they are.
    """

    name: str
    digits: int | None = None
    help: str = ""
    tiny: bool = False


@dataclass(frozen=True)
class Said:
    """A number in a table that has words of its own ("1e-4", "all images"), and is sorted as a number."""

    value: int | float
    text: str


Cell = str | int | float | Said | None  # None, as a float that is no number: there is none


@dataclass(frozen=True)
class Table:
    """A table whose rows can be sorted. `marked` are the cells (row, column) that stand out."""

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]
    key: str
    alt: str
    marked: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Folded:
    """Blocks under a line that opens them."""

    title: str
    blocks: tuple[Block, ...] = field(default=())


def cell_text(cell: Cell, column: Column, marked: bool = False) -> str:
    """A cell as it is read: a mark does not go by its color alone."""
    return UNLIKE * marked + _text(cell, column)


def _text(cell: Cell, column: Column) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return NOT_THERE
    if isinstance(cell, Said):
        return cell.text
    if column.tiny:
        return p_number(float(cell))
    return str(cell) if column.digits is None else f"{cell:,.{column.digits}f}"


Block = Heading | Text | Picture | Pictures | Table | Folded
