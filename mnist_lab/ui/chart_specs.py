"""Vega-Lite specifications of the charts, built with Altair once and then reused as text.

A specification depends only on what stays the same through a run; the rows come beside it, in named data
sets. Two reasons. Streamlit rebuilds a chart whose specification changes (it flickers) but only swaps the
data of one whose specification does not. And Altair takes 50 to 100 ms to build and check a chart, which
five charts twice a second would take away from the training.

Colors are those of Okabe and Ito's colour-blind-safe palette (2008, jfly.uni-koeln.de/color) that have a
contrast of at least 3:1 against both white and Streamlit's dark background. Dashes and point shapes say the
same once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#8C8C8C"

SOLID, DASHED, DOTTED = (1, 0), (6, 3), (2, 2)
"""Stroke dashes in pixels: drawn, gap."""

CHART_HEIGHT, SMALL_CHART_HEIGHT = 340, 220
"""Pixels, axes and legend included."""

GAP = "Generalization gap"

_SPAN = "(domain('y')[1] - domain('y')[0])"
_POWER = f"pow(10, floor(log({_SPAN} / 2) / LN10))"
_STEP = f"({_POWER} * (1 + ({_SPAN} > 8 * {_POWER})))"
_POWERS = range(-12, 7)  # of ten: effective learning rates come down to 1e-10
LOG_TICKS = (
    f"domain('y')[1] > 1000 * domain('y')[0] ? {[float(f'1e{power}') for power in _POWERS]} : "
    "domain('y')[1] > 5 * domain('y')[0] ? "
    f"{[float(f'{digit}e{power}') for power in _POWERS for digit in (1, 2, 5)]} : "
    f"sequence(ceil(domain('y')[0] / {_STEP}) * {_STEP}, domain('y')[1], {_STEP})"
)
"""Vega expression for the ticks of a logarithmic axis, whose own are too many to read: 1, 2, 5, 10, ..., of which Vega
drops those outside. On an axis that spans more than a factor of 1000, only the powers of ten; on one that spans less
than a factor of 5, where none might be left, round numbers of equal distance, two to ten of them."""
LOG_LABELS = "format(datum.value, datum.value < 0.001 ? '~e' : '~g')"
"""Vega expression for their labels: 1e-5 is shorter than 0.00001, and easier to compare with 1e-8."""
AXIS_NUMBER = ".9~g"
"""Format of the labels of a linear axis. Without a number of digits Vega takes it from the distance of the ticks, and
where they are 10 apart writes 9e+1 for 90; without a format, it writes 1.000000 where all values are 1."""

Color = tuple[int, int, int]  # red, green and blue, 0 to 255


def shade(share: float, low: Color, high: Color) -> dict[str, str]:
    """The `fill` of a cell, from `low` (share 0) to `high` (1), and the `ink`, black or white, that reads better on it.

    By the contrast of the Web Content Accessibility Guidelines, to which a fill of relative luminance 0.179 is the
    same with either (w3.org/TR/WCAG22, contrast ratio).
    """
    mixed = [round(a + (b - a) * share) for a, b in zip(low, high, strict=True)]
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in mixed]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return {"fill": "#{:02X}{:02X}{:02X}".format(*mixed), "ink": "black" if luminance > 0.179 else "white"}


@dataclass(frozen=True)
class Series:
    """One line of a chart: the field it shows, its name, three ways to tell it from the others, and the number of
    epochs from one of its values to the next."""

    field: str
    name: str
    color: str = BLUE
    dash: tuple[int, int] = SOLID
    shape: str = "circle"
    every: int = 1


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """Everything about a chart of lines against the epoch except its rows and the number of epochs.

    Data sets: ``lines`` (epoch, series, value, and with ``points`` also marked: see ``chart_data.with_marks``);
    ``epochs`` (epoch, left, right and a field per series, for tooltips and the shaded gap); with ``steps`` also
    ``steps`` (epoch, series, value). Each layer needs a row, left of the axis if there is none to see: Vega warns of an
    infinite extent otherwise, at every poll.

    Attributes:
        series: the lines.
        y_title: with the unit.
        description: for screen readers.
        log: logarithmic y axis, else linear.
        zero: whether a linear y axis includes 0.
        steps: whether there is a pale line within epochs.
        gap: whether the area between the first two series is shaded; rows of ``epochs`` need ``gap`` = GAP.
        points: whether epochs are marked; a run of one epoch shows as points only.
        number: d3 format of the values in tooltips.
        height: in pixels.
        apart: field of ``steps`` by which the pale lines of one series are told apart.
    """

    series: tuple[Series, ...]
    y_title: str
    description: str
    log: bool = False
    zero: bool = False
    steps: bool = False
    gap: bool = False
    points: bool = True
    number: str = ".3~g"
    height: int = SMALL_CHART_HEIGHT
    apart: str = ""


@lru_cache(maxsize=64)
def line_chart_spec(look: LineChart, epochs: int) -> str:
    """The specification as JSON, without data. ``epochs`` is the end of the x axis, at least 1."""
    layers = [*_shading(look, epochs), *_within(look, epochs), *_lines(look, epochs), _hover(look, epochs)]
    return alt.layer(*layers).properties(description=look.description, height=look.height).to_json(indent=None)


@lru_cache(maxsize=64)
def histogram_spec(layer: str) -> str:
    """Bars over the data set ``bins`` (start, end, count) as JSON, without data; ``layer`` names what is counted."""
    weight = alt.Axis(title="Weight", format=AXIS_NUMBER, tickCount=5, grid=False)
    number = alt.Axis(title="Number of weights", format=",d", tickCount=4, tickMinStep=1)
    bars = alt.Chart(alt.NamedData("bins")).mark_bar(color=BLUE, binSpacing=1)
    bars = bars.encode(
        x=alt.X("start:Q", bin="binned", axis=weight),
        x2="end:Q",
        y=alt.Y("count:Q", axis=number),
        tooltip=[
            alt.Tooltip("start:Q", title="From", format=".3~g"),
            alt.Tooltip("end:Q", title="To", format=".3~g"),
            alt.Tooltip("count:Q", title="Weights", format=","),
        ],
    )
    description = f"Histogram of the weights of layer {layer}."
    return bars.properties(description=description, height=SMALL_CHART_HEIGHT).to_json(indent=None)


def _base(data: str, epochs: int) -> alt.Chart:
    """A layer on one of the named data sets."""
    axis = alt.Axis(title="Epoch", format="d", tickMinStep=1, tickCount=min(epochs, 10), grid=False)
    x = alt.X("epoch:Q", scale=alt.Scale(domain=[0, epochs], nice=False), axis=axis)
    return alt.Chart(alt.NamedData(data)).encode(x=x)


def _y(look: LineChart, field: str = "value") -> alt.Y:
    if look.log:
        axis = alt.Axis(title=look.y_title, labelExpr=LOG_LABELS, values=alt.ExprRef(LOG_TICKS))
        return alt.Y(f"{field}:Q", scale=alt.Scale(type="log", nice=False), axis=axis)
    axis = alt.Axis(title=look.y_title, format=AXIS_NUMBER, tickCount=look.height // 50)
    return alt.Y(f"{field}:Q", scale=alt.Scale(zero=look.zero), axis=axis)


def _legend(look: LineChart) -> alt.Legend | None:
    """One legend for color and dash; None for a single line, which the y axis names."""
    if len(look.series) == 1:
        return None
    columns = 2 if sum(len(one.name) for one in look.series) > 30 else 3
    return alt.Legend(
        title=None,
        orient="top",
        columns=columns,
        symbolType="stroke",
        symbolSize=500,
        symbolStrokeWidth=2,
        symbolOpacity=1,
        labelLimit=200,
    )


def _scale(look: LineChart, values: list[Any]) -> alt.Scale:
    """From the names of the series, in their order whatever the rows, to their values."""
    return alt.Scale(domain=[one.name for one in look.series], range=values)


def _color(look: LineChart) -> alt.Color:
    return alt.Color("series:N", scale=_scale(look, [one.color for one in look.series]), legend=_legend(look))


def _lines(look: LineChart, epochs: int) -> list[alt.Chart]:
    base = _base("lines", epochs).encode(y=_y(look), color=_color(look))
    dash = alt.StrokeDash("series:N", scale=_scale(look, [list(one.dash) for one in look.series]), legend=_legend(look))
    lines = base.mark_line(strokeWidth=2, clip=True, aria=False).encode(strokeDash=dash)
    if not look.points:
        return [lines]
    base = base.transform_filter("datum.marked")
    return [lines, *(_points(base, one) for one in look.series)]


def _points(base: alt.Chart, one: Series) -> alt.Chart:
    own = base.transform_filter(alt.FieldEqualPredicate(field="series", equal=one.name))
    seen = alt.condition("datum.epoch > 0", alt.value(1), alt.value(0))
    return own.mark_point(filled=True, size=36, shape=one.shape).encode(opacity=seen)


def _within(look: LineChart, epochs: int) -> list[alt.Chart]:
    if not look.steps:
        return []
    pale = _base("steps", epochs).mark_line(strokeWidth=1, opacity=0.5, clip=True, aria=False)
    apart = {"detail": f"{look.apart}:N"} if look.apart else {}
    return [pale.encode(y=_y(look), color=_color(look), **apart)]


def _shading(look: LineChart, epochs: int) -> list[alt.Chart]:
    if not look.gap:
        return []
    upper, lower = look.series[:2]
    legend = alt.Legend(title=None, orient="bottom", symbolType="square", symbolSize=200, offset=0, padding=0)
    fill = alt.Fill("gap:N", scale=alt.Scale(domain=[GAP], range=[GREY]), legend=legend)
    both = alt.FieldValidPredicate(field=lower.field, valid=True)  # an epoch without a test has no gap to show
    area = _base("epochs", epochs).transform_filter(both).mark_area(opacity=0.35, clip=True, aria=False)
    return [area.encode(y=_y(look, upper.field), y2=f"{lower.field}:Q", fill=fill)]


def _hover(look: LineChart, epochs: int) -> alt.Chart:
    """An invisible bar around each epoch whose tooltip gives every value: easier to hit than a point."""
    values = [alt.Tooltip(f"{one.field}:Q", title=one.name, format=look.number) for one in look.series]
    bars = _base("epochs", epochs).mark_rect(opacity=0, clip=True, aria=False)
    epoch = alt.Tooltip("epoch:Q", title="Epoch", format="d")
    return bars.encode(x=alt.X("left:Q"), x2="right:Q", tooltip=[epoch, *values])
