"""The curves of a race in one chart. No Streamlit in this file."""

from __future__ import annotations

import math
from functools import lru_cache

import pyarrow as pa

from mnist_lab.runs.race import Race
from mnist_lab.ui.chart_data import Row, with_marks
from mnist_lab.ui.chart_specs import (
    BLUE,
    DASHED,
    DOTTED,
    GREEN,
    PURPLE,
    SOLID,
    VERMILLION,
    LineChart,
    Series,
    line_chart_spec,
)
from mnist_lab.ui.charts import Chart
from mnist_lab.ui.race_model import RaceModel, mean_curve

# No two of the eight have the same color and the same dashes.
LOOKS = (
    (BLUE, SOLID, "circle"), (VERMILLION, DASHED, "square"), (GREEN, DOTTED, "triangle-up"),
    (PURPLE, SOLID, "diamond"), (BLUE, DASHED, "triangle-down"), (VERMILLION, DOTTED, "cross"),
    (GREEN, SOLID, "triangle-right"), (PURPLE, DASHED, "triangle-left"),
)
HEIGHT = 420  # pixels, with up to four lines of legend
MOST_POINTS = 60  # of a pale line: eighty of them are sent at every poll


@lru_cache(maxsize=64)
def arrow_chart(model: RaceModel) -> Chart | None:
    """`race_chart` with its rows as Arrow tables, which Streamlit sends faster; made once for all who look."""
    chart = race_chart(model)
    if chart is None:
        return None
    return Chart(chart.spec, {name: pa.Table.from_pylist(rows) for name, rows in chart.data.items()})


def race_chart(model: RaceModel) -> Chart | None:
    """Accuracy (%) of every contestant against the epoch: its mean over seeds, and a pale line for each seed.

    Returns None while no epoch has been tested.
    """
    race = model.race
    look = _look(race)
    means = [mean_curve(runs) for runs in model.runs]
    if not any(means):
        return None
    names = [one.name for one in race.contestants]
    lines = [
        {"epoch": epoch, "series": name, "value": value}
        for name, curve in zip(names, means, strict=True) for epoch, value in curve
    ]
    # A contestant without any point yet gets one left of the axis: Vega warns of an empty layer at every poll.
    somewhere = lines[0]["value"]
    lines += [
        {"epoch": -1, "series": name, "value": somewhere}
        for name, curve in zip(names, means, strict=True) if not curve
    ]
    epochs = max(one.config.epochs for one in race.contestants)
    lines = with_marks(lines, epochs, {one.name: one.every for one in look.series})
    data = {"lines": lines, "epochs": _hover_rows(means, look)}
    if look.steps:
        data["steps"] = _seed_rows(model, names)
    return Chart(line_chart_spec(look, epochs), data)


def _look(race: Race) -> LineChart:
    """The same for the whole race, so that nothing flickers."""
    first = race.contestants[0].config
    name = "Validation" if first.validation else "Test"
    series = tuple(
        Series(f"c{number}", one.name, *LOOKS[number], one.config.eval_every)
        for number, one in enumerate(race.contestants)
    )
    return LineChart(
        series=series, y_title=f"{name} accuracy (%)", number=".2f", height=HEIGHT, apart="seed",
        steps=len(race.seeds) > 1,
        description=f"Line chart: {name.lower()} accuracy of each contestant in per cent against the epoch.",
    )


def _hover_rows(means: list[list[tuple[int, float]]], look: LineChart) -> list[Row]:
    by_epoch: dict[int, Row] = {}
    half = math.gcd(*(one.every for one in look.series)) / 2
    for number, curve in enumerate(means):
        for epoch, value in curve:
            row = by_epoch.setdefault(epoch, {
                "epoch": epoch, "left": epoch - half, "right": epoch + half,
                **{one.field: None for one in look.series},
            })
            row[f"c{number}"] = value
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def _seed_rows(model: RaceModel, names: list[str]) -> list[Row]:
    return [
        {"epoch": epoch, "series": name, "value": value, "seed": run.seed}
        for name, runs in zip(names, model.runs, strict=True) for run in runs
        for epoch, value in _thinned(run.curve)
    ]


def _thinned(curve: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """Every n-th point and the last."""
    every = math.ceil(len(curve) / MOST_POINTS)
    return curve if every <= 1 else tuple(
        point for place, point in enumerate(curve) if place % every == 0 or place == len(curve) - 1
    )
