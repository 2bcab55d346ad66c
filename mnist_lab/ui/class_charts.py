"""The charts of the Class page: a dot for each run, and their curves. No Streamlit in this file."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import altair as alt
import pyarrow as pa

from mnist_lab.classroom.pool import Curve, Group, spread
from mnist_lab.ui.chart_data import Row, with_marks
from mnist_lab.ui.chart_specs import (
    AXIS_NUMBER,
    BLUE,
    GREY,
    SMALL_CHART_HEIGHT,
    VERMILLION,
    LineChart,
    Series,
    line_chart_spec,
)
from mnist_lab.ui.charts import Chart

YOURS, OTHERS = "Your runs", "The others'"
BINS = 30  # columns in which dots are stacked, over the range of the axis
LEAST_REACH = 1.0  # points that the axis spans at least: a few hundredths must not look like a difference
MOST_CURVES = 60


@lru_cache(maxsize=128)
def dots_chart(group: Group, mine: str | None) -> Chart:
    """A dot for each run at its test accuracy (%), stacked; the mean as a line and its interval as a band.

    `mine` is the hash of the browser whose runs are marked. The group must not be empty.
    """
    values = [run.accuracy for run in group.runs]
    reach = max(max(values) - min(values), LEAST_REACH)
    low = max(0.0, min((min(values) + max(values) - reach) / 2, 100.0 - reach))
    heights: dict[int, int] = {}
    dots: list[Row] = []
    for run in sorted(group.runs, key=lambda run: run.accuracy):
        column = int((run.accuracy - low) / reach * BINS)
        heights[column] = heights.get(column, 0) + 1
        whose = YOURS if mine is not None and run.owner_hash == mine else OTHERS
        dots.append({"value": run.accuracy, "place": heights[column], "whose": whose, "seed": run.seed})
    top = max(2, *heights.values())  # on an axis up to 1 there is a tick at a half as well, which would read 1
    found = spread(group)
    mean = found.mean if found else values[0]
    left, right = found.interval if found and found.interval else (mean, mean)
    band = [{"low": left, "high": right, "mean": mean, "from": low, "to": low + reach, "top": top}]
    return Chart(_dots_spec(), {"dots": pa.Table.from_pylist(dots), "band": pa.Table.from_pylist(band)})


@lru_cache(maxsize=1)
def _dots_spec() -> str:
    axis = alt.Axis(title="Test accuracy after the last epoch (%)", grid=False, tickCount=6, format=AXIS_NUMBER)
    scale = alt.Scale(zero=False, nice=True, padding=12)
    height = alt.Y("place:Q", axis=alt.Axis(title="Runs, stacked", format="d", tickMinStep=1, tickCount=5),
                   scale=alt.Scale(domainMin=0.4, nice=False, padding=12))
    names = [YOURS, OTHERS]
    legend = alt.Legend(title=None, orient="top")
    dots = alt.Chart(alt.NamedData("dots")).mark_point(filled=True, size=110, opacity=0.9).encode(
        x=alt.X("value:Q", axis=axis, scale=scale), y=height,
        color=alt.Color("whose:N", scale=alt.Scale(domain=names, range=[VERMILLION, BLUE]), legend=legend),
        shape=alt.Shape("whose:N", scale=alt.Scale(domain=names, range=["diamond", "circle"]), legend=legend),
        tooltip=[
            alt.Tooltip("value:Q", title="Test accuracy (%)", format=".2f"),
            alt.Tooltip("seed:Q", title="Seed", format="d"), alt.Tooltip("whose:N", title="Whose"),
        ],
    )
    band = alt.Chart(alt.NamedData("band"))
    within = band.mark_rect(color=GREY, opacity=0.35, aria=False).encode(x=alt.X("low:Q", axis=axis), x2="high:Q")
    line = band.mark_rule(color=GREY, strokeWidth=2, aria=False).encode(
        x=alt.X("mean:Q", axis=axis), tooltip=[alt.Tooltip("mean:Q", title="Mean (%)", format=".2f")],
    )
    ends = band.mark_rule(opacity=0, aria=False).encode(x=alt.X("from:Q", axis=axis), x2="to:Q", y="top:Q")
    description = "Dot plot: the test accuracy in per cent of every run of the class, with the mean and its interval."
    chart = alt.layer(ends, within, line, dots).properties(description=description, height=SMALL_CHART_HEIGHT)
    return chart.to_json(indent=None)


@lru_cache(maxsize=32)
def curves_chart(group: Group, curve: Callable[[str], Curve]) -> Chart | None:
    """Test accuracy (%) against the epoch: a pale line for each of the newest runs, and their mean; None without any.

    `curve` gives the points of the run of that id.
    """
    curves = {run.seed: known for run in group.runs[-MOST_CURVES:] if (known := curve(run.id))}
    by_epoch: dict[int, list[float]] = {}
    for known in curves.values():
        for epoch, value in known:
            by_epoch.setdefault(epoch, []).append(value)
    if not by_epoch:
        return None
    means = [(epoch, sum(values) / len(values)) for epoch, values in sorted(by_epoch.items())]
    series = Series("mean", f"Mean of {len(curves)} runs", every=group.setting.eval_every)
    look = LineChart(
        series=(series,), y_title=f"{'Validation' if group.setting.validation else 'Test'} accuracy (%)", number=".2f",
        steps=True, apart="seed",
        description="Line chart: accuracy in per cent of every run against the epoch, and their mean.",
    )
    half = series.every / 2
    line = [{"epoch": epoch, "series": series.name, "value": value} for epoch, value in means]
    data = {
        "lines": with_marks(line, group.setting.epochs, {series.name: series.every}),
        "epochs": [
            {"epoch": epoch, "left": epoch - half, "right": epoch + half, "mean": mean} for epoch, mean in means
        ],
        "steps": [
            {"epoch": epoch, "series": series.name, "value": value, "seed": seed}
            for seed, known in curves.items() for epoch, value in known
        ],
    }
    tables = {name: pa.Table.from_pylist(rows) for name, rows in data.items()}
    return Chart(line_chart_spec(look, group.setting.epochs), tables)
