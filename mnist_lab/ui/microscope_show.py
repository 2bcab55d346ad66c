"""What the parts of the Microscope page share: a chart under a heading, and a run's network, data and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import latest_network_of
from mnist_lab.runs.record import NO_WEIGHTS, RunError
from mnist_lab.ui.charts import Chart
from mnist_lab.ui.live_chart import live_chart
from mnist_lab.ui.run_find import FoundRun

if TYPE_CHECKING:
    from torch import nn

EMPTY = "There is nothing to draw."


def show_chart(heading: str, help: str, key: str, chart: Chart | None, says: str = "", empty: str = EMPTY) -> None:
    """A chart with its heading above and its sentence below; `empty` in place of a chart that has no values."""
    st.markdown(f"**{heading}**", help=help)
    live_chart(chart, f"microscope_{key}", empty)
    if says:
        st.caption(says)


def by_epoch(run: FoundRun | None, value: Callable[[dict[str, Any]], float | None]) -> dict[int, float | None] | None:
    """A number of every epoch of a run; None for no run."""
    return None if run is None else {record["epoch"]: value(record) for record in run.progress.history}


def network(run: FoundRun, library: Library) -> nn.Module:
    """The run's network, of one that goes on after its last epoch. Shared: never train it. Raises `RunError`."""
    if not run.progress.history:
        raise RunError(NO_WEIGHTS)
    return latest_network_of(run.record or library.load(run.id))


def checksum(run: FoundRun) -> str | None:
    """Of the data set that the run saw; None before it has said."""
    return run.progress.started.data.get("checksum") if run.progress.started else None


def last(run: FoundRun) -> dict[str, Any]:
    """The run's last epoch, of one at least."""
    return run.progress.history[-1]


def planned(*runs: FoundRun | None) -> int:
    """The epochs of the longest of these runs: the end of the axis."""
    return max(run.config.epochs for run in runs if run is not None)
