"""What a part of the Compare page shows, as data: shown by `compare_show`, and the same in a file by `compare_report`.

All texts are plain: whoever shows them escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mnist_lab.ui.charts import Chart

BODY, CAPTION, WARNING, NOTICE = "body", "caption", "warning", "notice"


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

    `tiny` is for p-values, which show two digits however small they are.
    """

    name: str
    digits: int | None = None
    help: str = ""
    tiny: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose rows can be sorted. `marked` are the cells (row, column) that stand out."""

    columns: tuple[Column, ...]
    rows: list[tuple[str | int | float | None, ...]]
    key: str
    alt: str
    marked: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Folded:
    """Blocks under a line that opens them."""

    title: str
    blocks: tuple[Block, ...] = field(default=())


Block = Heading | Text | Picture | Pictures | Table | Folded
