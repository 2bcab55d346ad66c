"""The charts of the Microscope page: numbers in, Vega-Lite out. No Streamlit.

As in `chart_specs`, a specification is made once and the rows come beside it. Where a second run is beside the first,
it is told apart by color, dash and shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import altair as alt

from mnist_lab.ui.chart_data import Row, finite, has_values, long_rows, with_marks
from mnist_lab.ui.chart_specs import (
    AXIS_NUMBER,
    BLUE,
    DASHED,
    VERMILLION,
    LineChart,
    Series,
    line_chart_spec,
)
from mnist_lab.ui.charts import Chart

OWN, BESIDE = "This run", "Beside it"
GHOST, RUNNING = "A ghost batch", "Kept from training"
TRAINING, EVALUATION = "Training mode", "Evaluation mode"
PAIR = (Series("own", OWN), Series("beside", BESIDE, VERMILLION, DASHED, "square"))
STATISTICS = (Series("ghost", GHOST), Series("running", RUNNING, VERMILLION, shape="diamond"))
MODES = (Series("training", TRAINING), Series("evaluation", EVALUATION, VERMILLION, shape="diamond"))
Point = tuple[float, float]
HEIGHT = 260  # pixels, axes and legend included


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Everything about lines through points but the points. An axis without a domain spans what is drawn; one without
    `x_values` chooses its own ticks."""

    x_title: str
    y_title: str
    description: str
    x_format: str = AXIS_NUMBER
    log_x: bool = False
    x_domain: tuple[float, float] | None = None
    x_values: tuple[float, ...] | None = None
    y_domain: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Points:
    """Everything about points in columns but the points. `side_by_side` keeps the series of a column apart."""

    x_title: str
    y_title: str
    description: str
    series: tuple[Series, ...]
    side_by_side: bool = False
    height: int = HEIGHT


def epochs_chart(
    look: tuple[str, str, bool], epochs: int, own: Mapping[int, float | None], beside: Mapping[int, float | None] | None
) -> Chart | None:
    """One or two runs against the epoch, those that have a value; None if neither has.

    `look` is the title of the y axis, the description, and whether the axis is logarithmic; `own` and `beside` map an
    epoch to a value.
    """
    y_title, description, log = look
    by_field = {"own": own, "beside": beside or {}}
    rows = []
    for epoch in sorted({*own, *(beside or {})}):
        values = {field: finite(values.get(epoch)) for field, values in by_field.items()}
        if log:  # zero has no logarithm
            values = {field: value or None for field, value in values.items()}
        rows.append({"epoch": epoch, "left": epoch - 0.5, "right": epoch + 0.5, **values})
    series = tuple(one for one in PAIR if has_values(rows, [one.field]))
    if not series:
        return None
    spec = LineChart(series=series, y_title=y_title, description=description, log=log, zero=not log, height=HEIGHT)
    names = {one.field: one.name for one in series}
    lines = with_marks(long_rows(rows, names), epochs, {one.name: one.every for one in series})
    return Chart(line_chart_spec(spec, epochs), {"epochs": rows, "lines": lines})


def histogram_chart(histogram: Mapping[str, Sequence[float]], reach: float, layer: str) -> Chart:
    """A layer's weights after an epoch as bars, on an axis from -reach to reach whatever the epoch."""
    edges = histogram["edges"]
    bins = zip(edges[:-1], edges[1:], histogram["counts"], strict=True)
    return Chart(_histogram_spec(layer), {
        "bins": [{"start": low, "end": high, "count": count} for low, high, count in bins],
        "reach": [{"start": -reach, "count": 0}, {"start": reach, "count": 0}],
    })


def curves_chart(
    look: Curves, own: Sequence[Point], beside: Sequence[Point] | None = None, mark: float | None = None
) -> Chart:
    """One or two runs as lines through points (x, y), which are given by x; `mark` is an x to draw a line at."""
    series = PAIR if beside is not None else PAIR[:1]
    rows = [
        {"x": x, "y": y, "series": one.name}
        for one, points in zip(series, (own, beside or []), strict=False) for x, y in points
    ]
    data: dict[str, list[Row]] = {"points": rows}
    if mark is not None:
        data["mark"] = [{"x": mark}]
    return Chart(_curves_spec(look, len(series), mark is not None), data)


def points_chart(look: Points, rows: Sequence[tuple[Any, str, float, str]]) -> Chart:
    """Points (column, series, y, what it is): columns are drawn in the order in which they come."""
    columns = tuple(dict.fromkeys(str(column) for column, *_ in rows))
    there = {series for _, series, *_ in rows}
    look = replace(look, series=tuple(one for one in look.series if one.name in there))
    return Chart(_points_spec(look, columns), {
        "points": [{"x": str(column), "series": series, "y": y, "label": label} for column, series, y, label in rows],
    })


@lru_cache(maxsize=64)
def _histogram_spec(layer: str) -> str:
    weight = alt.Axis(title="Weight", format=AXIS_NUMBER, tickCount=5, grid=False)
    number = alt.Axis(title="Number of weights", format=",d", tickCount=4, tickMinStep=1)
    # With an outline a bar is seen even where the weights of an epoch fill next to nothing of the axis.
    bars = alt.Chart(alt.NamedData("bins")).mark_bar(color=BLUE, stroke=BLUE, strokeWidth=1, binSpacing=1.5).encode(
        x=alt.X("start:Q", bin="binned", axis=weight), x2="end:Q", y=alt.Y("count:Q", axis=number),
        tooltip=[
            alt.Tooltip("start:Q", title="From", format=".3~g"), alt.Tooltip("end:Q", title="To", format=".3~g"),
            alt.Tooltip("count:Q", title="Weights", format=","),
        ],
    )
    ends = alt.Chart(alt.NamedData("reach")).mark_point(opacity=0, aria=False).encode(x="start:Q", y="count:Q")
    description = f"Histogram of the weights of layer {layer}."
    return alt.layer(bars, ends).properties(description=description, height=HEIGHT).to_json(indent=None)


@lru_cache(maxsize=32)
def _curves_spec(look: Curves, count: int, marked: bool) -> str:
    series = PAIR[:count]
    scale = alt.Scale(
        type="log" if look.log_x else "linear", nice=False, **({"domain": look.x_domain} if look.x_domain else {})
    )
    ticks = {"values": look.x_values} if look.x_values else {"tickCount": 5}
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(title=look.x_title, format=look.x_format, grid=False, **ticks))
    y_scale = alt.Scale(domain=look.y_domain) if look.y_domain else alt.Scale(zero=False)
    y = alt.Y("y:Q", scale=y_scale, axis=_y_axis(look.y_title))
    base = alt.Chart(alt.NamedData("points")).encode(x=x, y=y, color=_color(series))
    dash = alt.StrokeDash("series:N", scale=_scale(series, [list(one.dash) for one in series]), legend=_legend(series))
    tooltip = [
        alt.Tooltip("series:N", title="Run"), alt.Tooltip("x:Q", title=look.x_title, format=".3~g"),
        alt.Tooltip("y:Q", title=look.y_title, format=".4~g"),
    ]
    layers = [base.mark_line(strokeWidth=2, clip=True, aria=False).encode(strokeDash=dash)]
    layers += [
        _only(base, one).mark_point(filled=True, size=30, shape=one.shape).encode(tooltip=tooltip) for one in series
    ]
    if marked:
        layers.append(alt.Chart(alt.NamedData("mark")).mark_rule(
            color="#8C8C8C", strokeWidth=2, strokeDash=[2, 2], aria=False
        ).encode(x="x:Q"))
    return alt.layer(*layers).properties(description=look.description, height=HEIGHT).to_json(indent=None)


@lru_cache(maxsize=64)
def _points_spec(look: Points, columns: tuple[str, ...]) -> str:
    series = look.series
    axis = alt.Axis(title=look.x_title, labelAngle=0, labelOverlap=True)
    shapes = _scale(series, [one.shape for one in series])
    encoding: dict[str, Any] = {
        "x": alt.X("x:O", sort=list(columns), axis=axis),
        "y": alt.Y("y:Q", scale=alt.Scale(zero=False), axis=_y_axis(look.y_title)),
        "color": _color(series, None), "shape": alt.Shape("series:N", scale=shapes, legend=_legend(series, None)),
        "description": "label:N", "tooltip": [alt.Tooltip("label:N", title=" ")],
    }
    if look.side_by_side and len(series) > 1:
        encoding["xOffset"] = alt.XOffset("series:N", scale=alt.Scale(domain=[one.name for one in series]))
    base = alt.Chart(alt.NamedData("points")).encode(**encoding)
    # One after the other, so that the second series lies on top.
    layers = [_only(base, one).mark_point(filled=True, size=35 + 20 * n, opacity=0.8) for n, one in enumerate(series)]
    return alt.layer(*layers).properties(description=look.description, height=look.height).to_json(indent=None)


def _y_axis(title: str) -> alt.Axis:
    return alt.Axis(title=title, tickCount=5, format=AXIS_NUMBER)


def _only(base: alt.Chart, one: Series) -> alt.Chart:
    return base.transform_filter(alt.FieldEqualPredicate(field="series", equal=one.name))


def _scale(series: tuple[Series, ...], values: list[Any]) -> alt.Scale:
    return alt.Scale(domain=[one.name for one in series], range=values)


def _color(series: tuple[Series, ...], symbol: str | None = "stroke") -> alt.Color:
    return alt.Color("series:N", scale=_scale(series, [one.color for one in series]), legend=_legend(series, symbol))


def _legend(series: tuple[Series, ...], symbol: str | None = "stroke") -> alt.Legend | None:
    """One legend for color and dash or shape (`symbol` None); none for a single run, which needs no name."""
    if len(series) == 1:
        return None
    look = {"symbolType": symbol, "symbolSize": 400} if symbol else {"symbolSize": 80}
    return alt.Legend(title=None, orient="top", symbolStrokeWidth=2, symbolOpacity=1, labelLimit=200, **look)
