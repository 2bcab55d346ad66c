"""The blocks of the Compare page, shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from mnist_lab.ui.compare_blocks import (
    BODY,
    CAPTION,
    NOT_THERE,
    NOTICE,
    WARNING,
    Block,
    Cell,
    Column,
    Folded,
    Heading,
    Picture,
    Pictures,
    Said,
    Table,
    Text,
    cell_text,
)
from mnist_lab.ui.markdown import plain

MARKED = "background-color: #F0E442; color: #000000"  # Okabe and Ito's yellow: readable in both themes
ROW_HEIGHT, MAX_ROWS = 35, 12  # pixels; rows of a table before it scrolls


def show(blocks: Sequence[Block]) -> None:
    """Draw them from top to bottom."""
    for block in blocks:
        if isinstance(block, Heading):
            st.subheader(plain(block.text), help=block.help or None)
        elif isinstance(block, Text):
            _text(block)
        elif isinstance(block, Picture):
            _picture(block)
        elif isinstance(block, Pictures):
            with st.container(horizontal=True, key=block.key):
                for one in block.pictures:
                    _picture(one)
        elif isinstance(block, Table):
            _table(block)
        else:
            _folded(block)


def _text(block: Text) -> None:
    text = plain(block.text)
    if block.kind == BODY:
        st.markdown(f"**{plain(block.lead)}.** {text}" if block.lead else text)
    else:
        {CAPTION: st.caption, WARNING: st.warning, NOTICE: st.info}[block.kind](text)


def _picture(block: Picture) -> None:
    with st.container(key=block.key, width=block.width or "stretch"):
        st.vega_lite_chart(spec=block.chart.to_dict(), width="stretch")
    if block.takeaway:
        st.markdown(plain(block.takeaway))


def _folded(block: Folded) -> None:
    with st.expander(plain(block.title)):
        show(block.blocks)


def _table(block: Table) -> None:
    import pandas as pd

    rows = [[_value(cell, column) for cell, column in zip(row, block.columns, strict=True)] for row in block.rows]
    frame = pd.DataFrame(rows, columns=[column.name for column in block.columns])
    worded = [place for place, column in enumerate(block.columns) if _worded(block, place, column)]
    st.dataframe(
        _styled(block, frame, worded) if worded else frame, key=block.key, hide_index=True, alt=block.alt,
        placeholder=NOT_THERE, column_config=_config(block, worded),
        height=ROW_HEIGHT * (min(len(rows), MAX_ROWS) + 1) + 3,
    )


def _value(cell: Cell, column: Column) -> str | float | None:
    """What a table has and sorts by; whole where the column shows no digits, which Streamlit's format leaves in."""
    if isinstance(cell, Said):
        return cell.value
    return round(cell) if column.digits == 0 and isinstance(cell, float) and math.isfinite(cell) else cell


def _worded(block: Table, place: int, column: Column) -> bool:
    """Whether a column shows texts instead of its values, by which it is sorted all the same."""
    marked = any(at == place for _, at in block.marked)
    return column.tiny or marked or any(isinstance(row[place], Said) for row in block.rows)


def _styled(block: Table, frame, worded: Sequence[int]):  # a pandas Styler: texts and colors for a data frame
    styler = frame.style.apply(lambda _: _styles(block, frame), axis=None).format(na_rep=NOT_THERE)
    for place in worded:
        lines: dict[str, list[int]] = {}
        for line, row in enumerate(block.rows):
            text = cell_text(row[place], block.columns[place], (line, place) in block.marked)
            lines.setdefault(text, []).append(line)
        for text, alike in lines.items():
            styler.format(lambda _, text=text: text, subset=(alike, [block.columns[place].name]))
    return styler


def _styles(block: Table, frame):  # a data frame of CSS, as pandas wants it
    styles = frame.astype(object).map(lambda _: "")
    for line, place in block.marked:
        styles.iat[line, place] = MARKED
    return styles


def _config(block: Table, worded: Sequence[int]) -> dict:
    """How each column is shown. The first is wide and stays in sight where a table is wider than the page.

    A number with a format of its own would not show the text that it has in a `worded` column.
    """
    config = {}
    for place, column in enumerate(block.columns):
        if place in worded:
            config[column.name] = st.column_config.Column(help=column.help or None)
        elif column.digits is None:
            config[column.name] = st.column_config.TextColumn(
                help=column.help or None, width="medium" if place == 0 else None, pinned=place == 0 or None,
            )
        else:
            number = f"%.{column.digits}f" if column.digits else "localized"
            config[column.name] = st.column_config.NumberColumn(help=column.help or None, format=number)
    return config
