"""Weights: how they are distributed, layer by layer and epoch by epoch, and how many are next to or exactly zero."""

from __future__ import annotations

import streamlit as st

from mnist_lab.microscope_history import layers
from mnist_lab.runs.library import Library
from mnist_lab.ui import microscope_charts as charts
from mnist_lab.ui import microscope_text as text
from mnist_lab.ui.microscope_charts import Curves
from mnist_lab.ui.microscope_show import by_epoch, last, network, planned, show_chart
from mnist_lab.ui.microscope_state import EPOCH, LAYER, THRESHOLD, url
from mnist_lab.ui.run_find import FoundRun

THRESHOLDS = ("1e-5", "3e-5", "1e-4", "3e-4", "1e-3", "3e-3", "1e-2", "3e-2", "1e-1")
DEFAULT = "1e-3"
STEPS = [10 ** (power / 8) for power in range(-40, 5)]  # 1e-5 to above 3: what the curve is drawn through
ZEROS = ("Weights (%)", "Line chart: share of convolution weights that are exactly 0, in per cent, by epoch.", False)
SMALL = ("Weights (%)", "Line chart: share of convolution weights below 0.001 in size, in per cent, by epoch.", False)
CURVE = Curves(
    x_title="Threshold (log scale)", y_title="Weights below it (%)", log_x=True, y_domain=(0, 100),
    description="Line chart: share of the convolution weights below a threshold in size, in per cent.",
)
HELP = {
    "histogram": (
        "Each bar counts the weights of one layer that lie between two values. The axis is the same for every epoch, "
        "so that the weights can be seen to move."
    ),
    "small": (
        "L1 pulls every weight towards zero. By subgradient it overshoots and hardly ever meets it; by proximal step "
        "it stops there."
    ),
    "curve": (
        "How many of the convolution weights are smaller in size than a threshold. What is at the left end is next to "
        "zero or exactly zero."
    ),
}


def render_controls(run: FoundRun) -> None:
    """The layer and the epoch; a run of one epoch has no slider."""
    names = layers(run.progress.history)
    left, right = st.columns(2)
    with left:
        url.choose("Layer", LAYER, names, _layer(run))
    with right:
        end = _end(run)
        url.slide("Epoch", EPOCH, 1, end, url.number(EPOCH, 1, end, end))


def render_history(run: FoundRun, beside: FoundRun | None) -> None:
    """The histograms, and the shares of small weights and zeros by epoch."""
    left, right = st.columns(2)
    shown = _at(run, url.number(EPOCH, 1, _end(run), _end(run)))
    layer = _layer(run)
    other = None
    if beside is not None and beside.progress.history:
        other = beside.progress.history[min(shown, len(beside.progress.history)) - 1]
    reach = max(_reach(found, layer) for found in (run, beside) if found is not None)
    with left:
        _histogram(charts.OWN, run.progress.history[shown - 1], layer, reach, "own")
    with right:
        if other and layer in other["histograms"]:
            _histogram(charts.BESIDE, other, layer, reach, "beside")
    left, right = st.columns(2)
    with left:
        _share("Weights below 0.001", SMALL, "small_weights", run, beside)
    with right:
        _share("Weights at exactly 0", ZEROS, "zero_weights", run, beside)
    others = last(beside) if beside and beside.progress.history else None
    st.caption(text.zeros_text(last(run), others))


def render_network(run: FoundRun, beside: FoundRun | None, library: Library) -> None:
    """The latest weights against a threshold that the user chooses."""
    from mnist_lab.microscope_weights import shares, small_shares

    chosen = url.one_of(THRESHOLD, THRESHOLDS, DEFAULT)
    own = network(run, library)
    other = network(beside, library) if beside else None
    url.slide_over("Threshold", THRESHOLD, THRESHOLDS, chosen)
    found = shares(own, float(chosen))
    curves = [
        None if module is None else [
            (step, 100 * share) for step, share in zip(STEPS, small_shares(module, STEPS), strict=True)
        ] for module in (own, other)
    ]
    chart = charts.curves_chart(CURVE, *curves, mark=float(chosen))
    show_chart("Weights below a threshold", HELP["curve"], "curve", chart, text.shares_text(found, chosen))
    with st.expander("Layer by layer"):
        st.table([
            {
                "Layer": layer.name, "Weights": f"{layer.weights:,}", f"Below {chosen}": f"{layer.below:,}",
                "Exactly 0": f"{layer.zeros:,}", "Share below": text.percent(layer.below / layer.weights),
            } for layer in found
        ], border="horizontal", hide_index=True)


def _histogram(title: str, record: dict, layer: str, reach: float, key: str) -> None:
    histogram = record["histograms"][layer]
    show_chart(
        f"{title}: weights of {layer}", HELP["histogram"], f"histogram_{key}",
        charts.histogram_chart(histogram, reach, layer) if sum(histogram["counts"]) else None,
        text.histogram_text(histogram, layer, record["epoch"]),
    )


def _share(heading: str, look: tuple[str, str, bool], field: str, run: FoundRun, beside: FoundRun | None) -> None:
    values = [by_epoch(found, lambda record: 100 * record[field]) for found in (run, beside)]
    # An axis from nothing to nothing could not be read.
    some = any(any(each.values()) for each in values if each)
    chart = charts.epochs_chart(look, planned(run, beside), *values) if some else None
    show_chart(heading, HELP["small"], field, chart, empty="There is none in any epoch.")


def _layer(run: FoundRun) -> str:
    names, asked = layers(run.progress.history), url.values().get(LAYER)
    return asked if asked in names else names[0]


def _end(run: FoundRun) -> int:
    """The last epoch of the slider: of a run that goes on the last one planned, so that it follows the latest."""
    return run.config.epochs if run.is_live else len(run.progress.history)


def _at(run: FoundRun, epoch: int) -> int:
    return min(epoch, len(run.progress.history))


def _reach(run: FoundRun, layer: str) -> float:
    histograms = (record["histograms"] for record in run.progress.history)
    return max((found[layer]["edges"][-1] for found in histograms if layer in found), default=0.0)
