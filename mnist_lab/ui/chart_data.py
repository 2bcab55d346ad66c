"""Records of a run -> the rows that charts draw. Plain Python: neither Altair nor Streamlit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
Row = dict[str, Any]

MAX_STEP_POINTS = 400
"""Points within epochs sent to the browser. Above 2,000 marks Streamlit swaps the renderer, which flickers."""

MARKED_EPOCHS = 25
"""Points on a line at most, and a few that are always there; more would hide the dashes."""

LOSS_FLOOR = 1e-6
"""A loss of exactly 0 has no logarithm; it is drawn here."""


def epoch_rows(
    history: Iterable[Record], fields: Sequence[str], *, scale: float = 1, floor: float | None = None
) -> list[Row]:
    """One row per record: ``epoch``, the half-epochs around it (``left``, ``right``), and the fields.

    Args:
        history: records with an ``epoch``.
        fields: keys of numbers; see ``finite``.
        scale: factor on every value, 100 for per cent.
        floor: smallest value drawn, for logarithmic axes.

    Returns:
        list of rows, in the order of ``history``.
    """
    rows = []
    for record in history:
        epoch = record["epoch"]
        values = {field: finite(record.get(field), scale=scale, floor=floor) for field in fields}
        rows.append({"epoch": epoch, "left": epoch - 0.5, "right": epoch + 0.5, **values})
    return rows


def finite(value: float | None, *, scale: float = 1, floor: float | None = None) -> float | None:
    """The value as a float, or None (a gap in the line) when it is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return scale * value if floor is None else max(scale * value, floor)


def has_values(rows: Iterable[Row], fields: Sequence[str]) -> bool:
    """Whether there is anything to draw: Vega warns about a scale without a single value."""
    return any(row[field] is not None for row in rows for field in fields)


def long_rows(rows: Sequence[Row], names: Mapping[str, str]) -> list[Row]:
    """``epoch``, ``series``, ``value``: one row per epoch and field, the form Vega-Lite draws as one line a series.

    Where a field has no value, as the test in an epoch without one, there is no row: the line goes on to the next.

    Args:
        rows: what ``epoch_rows`` returned.
        names: field -> name of the series.
    """
    return [
        {"epoch": row["epoch"], "series": name, "value": row[field]}
        for field, name in names.items() for row in rows if row[field] is not None
    ]


def with_marks(rows: Iterable[Row], epochs: int, every: Mapping[str, int]) -> list[Row]:
    """The same rows with ``marked``: whether the line has a point there.

    The first value of a line has one, so that it shows at all; so has one out of turn, which is the test of the last
    epoch, whether the run was stopped there or not.

    Args:
        rows: ``epoch``, ``series``, ``value``, each series in order.
        epochs: the end of the x axis.
        every: series -> the number of epochs from one of its values to the next.
    """
    begun: set[str] = set()
    made = []
    for row in rows:
        epoch, turn = row["epoch"], every[row["series"]]
        apart = turn * math.ceil(epochs / turn / MARKED_EPOCHS)
        marked = row["series"] not in begun or epoch % apart == 0 or epoch % turn != 0 or epoch == epochs
        begun.add(row["series"])
        made.append({**row, "marked": marked})
    return made


def tested(history: Sequence[Record]) -> list[Record]:
    """The epochs after which the network was tested (`RunConfig.eval_every`)."""
    return [record for record in history if record["eval_accuracy"] is not None]


def thin(points: Sequence[Record], field: str, *, limit: int = MAX_STEP_POINTS) -> list[Row]:
    """At most ``limit`` points of one field within epochs, each the mean over a fixed number of neighbours.

    Groups are a power of two in size and start at the first point, so that a point once drawn keeps its
    place while the run goes on, until the groups double. The last group may be short.

    Args:
        points: records with ``epoch`` (progress in epochs) and the field, in order.
        field: what to average; a value that is not finite is left out.
        limit: at least 1.

    Returns:
        Dicts of ``epoch`` (the group's last) and the field (None where a group has no finite value).
    """
    size = 1
    while math.ceil(len(points) / size) > limit:
        size *= 2
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [{"epoch": group[-1]["epoch"], field: _mean(group, field)} for group in groups]


def _mean(group: Sequence[Record], field: str) -> float | None:
    values = [value for point in group if (value := finite(point.get(field))) is not None]
    return sum(values) / len(values) if values else None
