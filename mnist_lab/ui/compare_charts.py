"""The charts of the Compare page: numbers in, Vega-Lite out. No Streamlit.

As in `chart_specs`, a specification is made once and the rows come beside it. Sixteen lines are told apart by four
colors and four dashes; what a color says of a row or a cell is said by its shape or its text as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt

from mnist_lab.ui.chart_specs import BLUE, DASHED, DOTTED, GREEN, GREY, SOLID, VERMILLION
from mnist_lab.ui.charts import Chart

PURPLE = "#CC79A7"  # the fourth color of Okabe and Ito with a contrast of 3:1 on white and on dark
COLORS, DASHES = (BLUE, VERMILLION, GREEN, PURPLE), (SOLID, DASHED, DOTTED, (8, 3, 2, 3))
MAX_DOTS = 1_500  # above 2,000 marks Streamlit's renderer does without accessible ones
PLOT = 220  # pixels, without the legend and the axis: sixteen names leave the lines as much room as two
LETTER, SYMBOL = 6.5, 43  # pixels: a letter of a legend, about; its line beside it with the room around
ROW, AXIS = 46, 60  # pixels: a row with its name above it; the axis with its title
ROOM = 3  # times what the values span: what an interval may take of the chart beside them before it is cut off
CUT = "Intervals are cut off at the edge."
Row = dict[str, Any]


@dataclass(frozen=True)
class Interval:
    """A row of `rows_chart`: a name, a mean, what it is uncertain by, and single values as dots (value, what it is).

    `low` to `high` is the thick line; `wide_low` to `wide_high`, the corrected interval, a thin one.
    """

    name: str
    mean: float
    low: float | None = None
    high: float | None = None
    wide_low: float | None = None
    wide_high: float | None = None
    decided: bool = False
    dots: tuple[tuple[float, str], ...] = ()


def curves_chart(
    names: Sequence[str], means: list[Row], band: list[Row], dots: list[Row], published: list[Row], *, y_title: str,
    epochs: int, log: bool, number: str,
) -> Chart:
    """A line a variant, the mean of its seeds; a band from the lowest seed to the highest; a dot a seed.

    Rows have `epoch` and `series`; `means` and `dots` a `value`, `band` `low` and `high`, `dots` a `seed`, and
    `published`, crosses, a `value` and a `row`. `means` must not be empty.
    """
    step = 1
    while len(dots) > MAX_DOTS * step:
        step += 1
    last = max(row["epoch"] for row in means)
    kept = [row for row in dots if (last - row["epoch"]) % step == 0]
    data = {"means": means, "band": band, "dots": kept, "published": published}
    present = tuple(name for name, rows in data.items() if rows)
    spec = _curves_spec(tuple(names), present, y_title, epochs, log, number)
    return Chart(spec, {name: data[name] for name in present})


def rows_chart(rows: Sequence[Interval], x_title: str, description: str, *, zero: bool = True) -> Chart:
    """Means with their intervals and single values, a row each, from top to bottom; `zero` draws a line at 0.

    Intervals of two seeds may be a thousand times as long as what they are about: then the axis says that it ends
    before they do.
    """
    named = [{"place": place, "row": row} for place, row in enumerate(rows)]
    means = [
        {
            "place": one["place"], "name": one["row"].name, "value": one["row"].mean, "low": one["row"].low,
            "high": one["row"].high, "wide_low": one["row"].wide_low, "wide_high": one["row"].wide_high,
            "decided": one["row"].decided, "label": _spoken(one["row"]),
        }
        for one in named
    ]
    dots = [
        {"place": one["place"], "name": one["row"].name, "value": value, "what": what}
        for one in named for value, what in one["row"].dots
    ]
    # A layer without a number in it makes Vega warn, so it is left out.
    present = tuple(name for name in ("low", "wide_low") if any(row[name] is not None for row in means))
    present += ("dots",) * bool(dots)
    domain = _domain(rows, zero)
    spec = _rows_spec(tuple(row.name for row in rows), x_title, description, zero, present, domain)
    return Chart(spec, {"rows": means, **({"dots": dots} if dots else {})})


def heat_chart(cells: list[Row], title: str) -> Chart:
    """One regularizer: cells with `images`, `noise`, `text`, `fill`, `ink`, `decided` and `label`.

    They are put in order by `count` and `share`, which are the first two as numbers.
    """
    return Chart(_heat_spec(title), {"cells": cells})


def _domain(rows: Sequence[Interval], zero: bool) -> tuple[float, float] | None:
    """Where the axis ends if some intervals are too long to be shown whole; None if all of them fit."""
    values = [row.mean for row in rows] + [value for row in rows for value, _ in row.dots] + [0.0] * zero
    ends = [end for row in rows for end in (row.low, row.high, row.wide_low, row.wide_high) if end is not None]
    room = ROOM * (max(values) - min(values))
    low, high = min(values) - room, max(values) + room
    if not room or not ends or (min(ends) >= low and max(ends) <= high):
        return None
    return max(low, min(ends + values)), min(high, max(ends + values))


def _spoken(row: Interval) -> str:
    text = f"{row.name}: {row.mean:.3f}"
    return text if row.low is None else f"{text}, from {row.low:.3f} to {row.high:.3f}"


@lru_cache(maxsize=64)
def _curves_spec(
    names: tuple[str, ...], present: tuple[str, ...], y_title: str, epochs: int, log: bool, number: str
) -> str:
    # Names stand in two columns where both fit: Vega cuts off what is wider than the page.
    room = sum(SYMBOL + LETTER * max(map(len, names[place::2]), default=0) for place in (0, 1))
    legend = alt.Legend(
        title=None, orient="top", columns=alt.expr(f"width < {room} ? 1 : 2"), symbolType="stroke", symbolSize=500,
        symbolStrokeWidth=2, symbolOpacity=1, labelLimit=290,
    )
    colors = alt.Scale(domain=list(names), range=[COLORS[place % 4] for place in range(len(names))])
    dashes = alt.Scale(domain=list(names), range=[list(DASHES[place // 4 % 4]) for place in range(len(names))])
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False)
    axis = alt.Axis(title=y_title, tickCount=6, **({"format": "~g"} if log else {}))
    x = alt.X("epoch:Q", scale=alt.Scale(domain=[0, epochs], nice=False), axis=alt.Axis(
        title="Epoch", format="d", tickMinStep=1, tickCount=min(epochs, 10), grid=False,
    ))

    def layer(data: str, field: str = "value") -> alt.Chart:
        color = alt.Color("series:N", scale=colors, legend=legend)
        return alt.Chart(alt.NamedData(data)).encode(x=x, y=alt.Y(f"{field}:Q", scale=scale, axis=axis), color=color)

    layers = []
    if "band" in present:
        layers.append(layer("band", "low").mark_area(opacity=0.18, aria=False).encode(y2="high:Q"))
    dash = alt.StrokeDash("series:N", scale=dashes, legend=legend)
    layers.append(layer("means").mark_line(strokeWidth=2, aria=False).encode(strokeDash=dash))
    about = [alt.Tooltip("series:N", title="Variant"), alt.Tooltip("epoch:Q", title="Epoch", format="d")]
    if "dots" in present:
        layers.append(layer("dots").mark_point(filled=True, size=14, opacity=0.7).encode(
            tooltip=[*about, alt.Tooltip("seed:O", title="Seed"), alt.Tooltip("value:Q", title=y_title, format=number)],
        ))
    if "published" in present:
        layers.append(layer("published").mark_point(shape="cross", size=90, strokeWidth=2).encode(
            tooltip=[alt.Tooltip("row:N", title="Published"), *about[1:],
                     alt.Tooltip("value:Q", title=y_title, format=number)],
        ))
    description = f"Line chart: {y_title} against the epoch, a line a variant."
    # "fit-x": the legend is added to the height, and not taken from the plot's.
    size = alt.AutoSizeParams(type="fit-x", contains="padding")
    return alt.layer(*layers).properties(height=PLOT, autosize=size, description=description).to_json(indent=None)


@lru_cache(maxsize=64)
def _rows_spec(
    names: tuple[str, ...], x_title: str, description: str, zero: bool, present: tuple[str, ...],
    domain: tuple[float, float] | None,
) -> str:
    # The name stands over its row, inside the chart: beside it, on a phone, it would leave no room for the row.
    titles = " : ".join(f"datum.value === {place} ? {_quoted(name)}" for place, name in enumerate(names))
    y = alt.Y("place:O", scale=alt.Scale(domain=list(range(len(names)))), axis=alt.Axis(
        title=None, labelExpr=f"{titles} : ''", labelAlign="left", labelPadding=-4, labelBaseline="bottom",
        labelOffset=-5, labelLimit=340, ticks=False, domain=False, grid=False,
    ))
    # In two lines: a phone is narrow.
    x_axis = alt.Axis(title=[x_title, CUT] if domain else x_title, tickCount=5)

    scale = alt.Scale(zero=zero, padding=14) if domain is None else alt.Scale(domain=list(domain), nice=False)

    def layer(data: str, field: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(data)).encode(x=alt.X(f"{field}:Q", scale=scale, axis=x_axis), y=y)

    def line(low: str, high: str, width: int) -> alt.Chart:
        known = layer("rows", low).transform_filter(f"isValid(datum.{low})")
        return known.mark_rule(strokeWidth=width, yOffset=6, clip=True, aria=False).encode(x2=f"{high}:Q", color=color)

    about = [alt.Tooltip("name:N", title="Row")]
    color = alt.when("datum.decided").then(alt.value(VERMILLION)).otherwise(alt.value(BLUE))
    layers = []
    if zero:
        nothing = alt.Chart(alt.NamedData("rows")).mark_rule(color=GREY, strokeDash=[4, 3], aria=False)
        layers.append(nothing.encode(x=alt.datum(0)))
    layers += [line("wide_low", "wide_high", 1)] * ("wide_low" in present)
    layers += [line("low", "high", 4)] * ("low" in present)
    layers.append(layer("rows", "value").mark_point(filled=True, size=110, yOffset=6, opacity=1).encode(
        color=color, description="label:N",
        shape=alt.when("datum.decided").then(alt.value("diamond")).otherwise(alt.value("circle")),
        tooltip=[*about, alt.Tooltip("value:Q", title="Mean", format=".3f"),
                 alt.Tooltip("low:Q", title="From", format=".3f"), alt.Tooltip("high:Q", title="To", format=".3f")],
    ))
    if "dots" in present:
        layers.append(layer("dots", "value").mark_point(size=45, color=GREY, strokeWidth=1.5, yOffset=15).encode(
            tooltip=[*about, alt.Tooltip("what:N", title="Seed"), alt.Tooltip("value:Q", title=x_title, format=".3f")],
        ))
    properties = dict(height=ROW * len(names) + AXIS, description=description)
    return alt.layer(*layers).properties(**properties).to_json(indent=None)


@lru_cache(maxsize=32)
def _heat_spec(title: str) -> str:
    x = alt.X("noise:O", sort=alt.Sort(field="share"), axis=alt.Axis(
        title="Wrong labels", labelAngle=0, labelFlush=False,
    ))
    y = alt.Y("images:O", sort=alt.Sort(field="count"), axis=alt.Axis(title="Training images", labelFlush=False))
    base = alt.Chart(alt.NamedData("cells")).encode(x=x, y=y)
    cells = base.mark_rect(strokeWidth=2).encode(
        color=alt.Color("fill:N", scale=None), description="label:N",
        stroke=alt.when("datum.decided").then(alt.value(GREY)).otherwise(alt.value("transparent")),
        tooltip=[alt.Tooltip("images:O", title="Training images"), alt.Tooltip("noise:O", title="Wrong labels"),
                 alt.Tooltip("label:N", title="Difference")],
    )
    texts = base.mark_text(aria=False, fontSize=12).encode(text="text:N", color=alt.Color("ink:N", scale=None))
    what = f"{title}: table of differences to batch norm alone, training images down, wrong labels across."
    return alt.layer(cells, texts).properties(title=title, height=230, description=what).to_json(indent=None)


def _quoted(text: str) -> str:
    """A text inside a Vega expression, whatever is in it: names of runs are anybody's."""
    safe = (f"\\u{ord(letter):04x}" if letter in "'\\\n\r\u2028\u2029" else letter for letter in text)
    return f"'{''.join(safe)}'"
