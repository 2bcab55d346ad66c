"""Records of a run -> charts. No Streamlit in this file; Altair is in ``chart_specs``.

Every function returns None while there is nothing to draw: Vega warns about scales without data, so the
caller shows a placeholder instead. A record is one epoch of the history (``events.Epoch`` as a dict); a point
is a dict with ``epoch`` (progress in epochs, 2.5 in the middle of the third), ``loss`` and ``learning_rate``.
Names of arguments that every chart shares: ``epochs`` is the planned number, the end of the x axis, and
``eval_name`` is "test" or "validation", and ``eval_every`` the number of epochs from one test to the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_lab.ui.chart_data import LOSS_FLOOR, Record, Row, epoch_rows, finite, long_rows, thin, with_marks
from mnist_lab.ui.chart_specs import (
    CHART_HEIGHT,
    DASHED,
    DOTTED,
    GAP,
    GREEN,
    VERMILLION,
    LineChart,
    Series,
    histogram_spec,
    line_chart_spec,
)

LEARNING_RATE = LineChart(
    series=(Series("learning_rate", "Learning rate"),),
    y_title="Learning rate",
    description="Line chart: learning rate against the epoch.",
    zero=True,
    points=False,
)
WEIGHT_NORM = LineChart(
    series=(Series("weight_norm", "Weight norm"),),
    y_title="Weight norm (L2)",
    description="Line chart: L2 norm of all weights against the epoch.",
)
SMALL_WEIGHTS = LineChart(
    series=(
        Series("small_weights", "Below 0.001"),
        Series("zero_weights", "Exactly 0", VERMILLION, DASHED, "square"),
    ),
    y_title="Weights (%)",
    description="Line chart: share of weights below 0.001 in size, and exactly 0, in per cent, against the epoch.",
    zero=True,
)


@dataclass(frozen=True)
class Chart:
    """A specification, the same text for the whole run, and the rows it draws by the name of their data set."""

    spec: str
    data: Mapping[str, list[Row]]

    def to_dict(self) -> dict[str, Any]:
        """The complete Vega-Lite chart, for ``st.vega_lite_chart`` or ``altair.Chart.from_dict``."""
        return {**json.loads(self.spec), "datasets": dict(self.data)}


def loss_chart(
    history: Sequence[Record],
    steps: Sequence[Record] = (),
    *,
    epochs: int,
    penalty: bool = False,
    eval_name: str = "test",
    eval_every: int = 1,
) -> Chart | None:
    """Data loss of training and test, and the L1 penalty, against the epoch, on a logarithmic scale.

    The scale is logarithmic because the loss falls by a factor of a hundred within a run: on a linear one
    everything after the second epoch lies on the axis, while here the penalty, in the same unit (nats) but
    of another size, fits beside it. The pale line is the train loss within an epoch.

    Args:
        history: records with train_loss, eval_loss, penalty.
        steps: points with loss; see ``chart_data.thin``.
        epochs: see the module.
        penalty: whether the run has an L1 term; without one there is no line for it.
        eval_name, eval_every: see the module.

    Returns:
        The chart, or None when neither ``history`` nor ``steps`` has a finite loss.
    """
    series = [
        Series("train_loss", "Train"),
        Series("eval_loss", eval_name.capitalize(), VERMILLION, DASHED, "square", eval_every),
    ]
    if penalty:
        series.append(Series("penalty", "L1 penalty", GREEN, DOTTED, "triangle-up"))
    look = LineChart(
        series=tuple(series),
        y_title="Loss (nats, log scale)",
        description=f"Line chart: train loss and {eval_name} loss against the epoch, on a logarithmic scale.",
        log=True,
        steps=True,
        height=CHART_HEIGHT,
    )
    within = [
        {"epoch": point["epoch"], "series": "Train", "value": finite(point["loss"], floor=LOSS_FLOOR)}
        for point in thin(steps, "loss")
    ]
    rows = epoch_rows(history, [one.field for one in series], floor=LOSS_FLOOR)
    return _line_chart(look, epochs, rows, steps=within)


def accuracy_chart(
    history: Sequence[Record],
    *,
    epochs: int,
    label_noise: bool = False,
    eval_name: str = "test",
    eval_every: int = 1,
) -> Chart | None:
    """Train and test accuracy (%) against the epoch, the gap between them shaded.

    With label noise the train line is accuracy on the (partly wrong) labels trained on, and a dotted line
    adds the same predictions against the true labels.

    Args:
        history: records with train_accuracy, train_accuracy_true, eval_accuracy.
        epochs: see the module.
        label_noise: whether some train labels are wrong.
        eval_name, eval_every: see the module.

    Returns:
        The chart, or None when no epoch has finished.
    """
    series = [
        Series("train_accuracy", "Train (noisy labels)" if label_noise else "Train"),
        Series("eval_accuracy", eval_name.capitalize(), VERMILLION, DASHED, "square", eval_every),
    ]
    if label_noise:
        series.append(Series("train_accuracy_true", "Train (true labels)", GREEN, DOTTED, "triangle-up"))
    look = LineChart(
        series=tuple(series),
        y_title="Accuracy (%)",
        description=f"Line chart: train accuracy and {eval_name} accuracy in per cent against the epoch.",
        gap=True,
        number=".2f",
        height=CHART_HEIGHT,
    )
    rows = epoch_rows(history, [one.field for one in series])
    return _line_chart(look, epochs, [{**row, "gap": GAP} for row in rows])


def learning_rate_chart(history: Sequence[Record], steps: Sequence[Record] = (), *, epochs: int) -> Chart | None:
    """Learning rate against the epoch, within epochs too where ``steps`` tells; None without any point."""
    points = sorted((*history, *thin(steps, "learning_rate")), key=lambda point: point["epoch"])
    rows = epoch_rows(history, ["learning_rate"])
    return _line_chart(LEARNING_RATE, epochs, rows, line=epoch_rows(points, ["learning_rate"]))


def weight_norm_chart(history: Sequence[Record], *, epochs: int) -> Chart | None:
    """L2 norm over all trainable parameters against the epoch; None when no epoch has finished."""
    return _line_chart(WEIGHT_NORM, epochs, epoch_rows(history, ["weight_norm"]))


def small_weights_chart(history: Sequence[Record], *, epochs: int) -> Chart | None:
    """Share of convolution weights below 0.001 in size, and of those exactly 0, in per cent, against the epoch;
    None when no epoch has finished."""
    return _line_chart(SMALL_WEIGHTS, epochs, epoch_rows(history, ["small_weights", "zero_weights"], scale=100))


def weight_histogram_chart(record: Record, layer: str) -> Chart | None:
    """How the weights of one layer are distributed after one epoch, as bars.

    Args:
        record: ``record["histograms"][layer]`` holds ``edges`` (n + 1 weight values, rising) and ``counts`` (n).
        layer: the layer's name.

    Returns:
        The chart, or None when the record has no histogram of that layer or it counts nothing.
    """
    histogram = record.get("histograms", {}).get(layer)
    if not histogram or not sum(histogram["counts"]):
        return None
    edges = histogram["edges"]
    bins = zip(edges[:-1], edges[1:], histogram["counts"], strict=True)
    return Chart(histogram_spec(layer), {"bins": [{"start": low, "end": high, "count": n} for low, high, n in bins]})


def _line_chart(
    look: LineChart,
    epochs: int,
    rows: list[Row],
    *,
    line: list[Row] | None = None,
    steps: list[Row] | None = None,
) -> Chart | None:
    """A chart of `rows` (one per epoch); the line goes through `line`, if given, which has more points."""
    names = {one.field: one.name for one in look.series}
    lines = long_rows(rows if line is None else line, names)
    drawn = [row for row in (*lines, *(steps or [])) if row["value"] is not None]
    if not drawn:
        return None
    somewhere = drawn[0]["value"]
    begun = {row["series"] for row in lines}
    lines += [_outside(one, somewhere) for one in look.series if one.name not in begun]
    if look.points:
        lines = with_marks(lines, epochs, {one.name: one.every for one in look.series})
    data = {"epochs": rows, "lines": lines}
    if look.gap and not any(all(row[one.field] is not None for one in look.series[:2]) for row in rows):
        data["epochs"] = [*rows, {"epoch": -1, "left": -1, "right": -1, **dict.fromkeys(names, somewhere), "gap": GAP}]
    if steps is not None:
        data["steps"] = steps or [_outside(look.series[0], somewhere)]
    return Chart(line_chart_spec(look, epochs), data)


def _outside(one: Series, value: float) -> Row:
    """An invisible row of a series without any, left of the axis; see ``LineChart``."""
    return {"epoch": -1, "series": one.name, "value": value}
