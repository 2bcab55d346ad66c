"""The charts of the Mistakes page: records in, Vega-Lite out. No Streamlit.

As in `chart_specs`, a specification is made once and the rows come beside it. Every mark has an aria-label from its
`label` column. Colors are for light and dark backgrounds, and every number that a color says is written too.
"""

from __future__ import annotations

from functools import lru_cache

import altair as alt
import numpy as np

from mnist_lab.evaluation import DIGITS
from mnist_lab.ui.chart_specs import BLUE, GREY, VERMILLION, Color, shade
from mnist_lab.ui.charts import Chart

CELL = "cell"  # the name of the selection
SIZE = 330  # pixels, axes included
FEW, MANY = (0xC6, 0xDB, 0xEF), (0x08, 0x30, 0x6B)  # light to dark blue: from no error to the most of a cell
# From no difference to the largest; blue and orange are told apart by color-blind eyes as well.
EVEN, LESS, MORE = (0xF7, 0xF7, 0xF7), (0x21, 0x66, 0xAC), (0xB3, 0x58, 0x06)
DIAGONAL, EMPTY = "#D9D9D9", "transparent"
ROLES = {"Label": BLUE, "Answer": VERMILLION, "Label and answer": BLUE, "Other digits": GREY}


def confusion_chart(table: np.ndarray, label: int | None, answer: int | None) -> Chart:
    """Counts int64 [10, 10] as cells that can be clicked, the errors colored by their number.

    The row `label` and the column `answer`, where they meet if both are given, are marked as picked.
    """
    errors = table * (1 - np.eye(DIGITS, dtype=np.int64))
    rows = []
    for true, read in np.ndindex(DIGITS, DIGITS):
        count, share = int(table[true, read]), errors[true, read] / max(errors.max(), 1)
        rows.append({
            "true": true, "read": read, "text": f"{count:,}" if count else "", "Images": f"{count:,}",
            "picked": (label, answer) != (None, None) and label in (None, true) and answer in (None, read),
            "label": f"true {true}, read as {read}: {count}", **_colors(true == read, share, FEW, MANY),
        })
    return Chart(_cells_spec(("Images",), True), {"cells": rows})


def difference_chart(first: np.ndarray, second: np.ndarray) -> Chart:
    """By how much the second network's counts int64 [10, 10] are above the first's, as cells."""
    more = second - first
    reach = np.abs(more * (1 - np.eye(DIGITS, dtype=np.int64))).max()
    rows = []
    for true, read in np.ndindex(DIGITS, DIGITS):
        a, b, step = int(first[true, read]), int(second[true, read]), int(more[true, read])
        rows.append({
            "true": true, "read": read, "text": f"{step:+d}".replace("-", "−") if step else "",
            "First": f"{a:,}", "Second": f"{b:,}", "picked": False,
            "label": f"true {true}, read as {read}: {a} and {b}",
            **_colors(true == read, abs(step) / max(reach, 1), EVEN, MORE if step > 0 else LESS),
        })
    return Chart(_cells_spec(("First", "Second"), False), {"cells": rows})


def probability_chart(probabilities: np.ndarray, label: int, answer: int) -> Chart:
    """What a network gives each digit, float [10], 0 to 1, as bars; its label and its answer stand out."""
    rows = []
    for digit, share in enumerate(np.nan_to_num(probabilities)):
        both = "Label and answer" if label == answer else "Label"
        role = both if digit == label else "Answer" if digit == answer else "Other digits"
        percent = 100 * float(share)
        rows.append({
            "digit": str(digit), "percent": percent, "role": role, "text": _percent_text(percent),
            "label": f"{digit}: {percent:.1f} %",
        })
    return Chart(_probability_spec(label == answer), {"bars": rows})


def _colors(diagonal: bool, share: float, low: Color, high: Color) -> dict[str, str]:
    """Of a cell and the number in it: `share` is 0 for an empty cell and 1 for the largest."""
    if diagonal:
        return {"fill": DIAGONAL, "ink": "black"}
    if share == 0:
        return {"fill": EMPTY, "ink": EMPTY}
    return shade(share, low, high)


def _percent_text(percent: float) -> str:
    return "" if percent < 0.05 else f"{percent:.1f}" if percent < 10 else f"{percent:.0f}"


@lru_cache(maxsize=2)
def _cells_spec(values: tuple[str, ...], clickable: bool) -> str:
    x = alt.X("read:O", axis=alt.Axis(title="Read as", labelAngle=0, labelFlush=False, orient="top"))
    y = alt.Y("true:O", axis=alt.Axis(title="Label", labelFlush=False))
    tooltip = [alt.Tooltip("true:O", title="Label"), alt.Tooltip("read:O", title="Read as")]
    base = alt.Chart(alt.NamedData("cells")).encode(x=x, y=y)
    cells = base.mark_rect(strokeWidth=3, cursor="pointer" if clickable else "default").encode(
        color=alt.Color("fill:N", scale=None), description="label:N",
        stroke=alt.when("datum.picked").then(alt.value(VERMILLION)).otherwise(alt.value(EMPTY)),
        tooltip=tooltip + [alt.Tooltip(f"{name}:N") for name in values],
    )
    if clickable:
        cells = cells.add_params(alt.selection_point(name=CELL, fields=["true", "read"], clear=False, toggle=False))
    texts = base.mark_text(aria=False, fontSize=11).encode(text="text:N", color=alt.Color("ink:N", scale=None))
    what = "counts" if clickable else "differences between two networks' counts"
    description = f"Table of {what}: labels down, answers across."
    return alt.layer(cells, texts).properties(height=SIZE, description=description).to_json(indent=None)


@lru_cache(maxsize=2)
def _probability_spec(right: bool) -> str:
    roles = ["Label and answer", "Other digits"] if right else ["Label", "Answer", "Other digits"]
    colors = alt.Scale(domain=roles, range=[ROLES[role] for role in roles])
    legend = alt.Legend(title=None, orient="top", symbolType="square")
    base = alt.Chart(alt.NamedData("bars")).encode(
        x=alt.X("digit:O", axis=alt.Axis(title="Digit", labelAngle=0)),
        y=alt.Y("percent:Q", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(title="Probability (%)", tickCount=5)),
    )
    tooltip = [alt.Tooltip("digit:O", title="Digit"), alt.Tooltip("percent:Q", title="Per cent", format=".2f")]
    bars = base.mark_bar().encode(
        color=alt.Color("role:N", scale=colors, legend=legend), description="label:N", tooltip=tooltip
    )
    texts = base.mark_text(aria=False, dy=-7, color=GREY, fontSize=11).encode(text="text:N")
    description = "Bars: the probability that the network gives each digit, in per cent."
    return alt.layer(bars, texts).properties(height=280, description=description).to_json(indent=None)
