"""Size and scale: the weights' norm, the effective learning rate, and what the norms multiply their channels by."""

from __future__ import annotations

import streamlit as st

from mnist_lab.microscope_history import effective_learning_rate, layers, squared_norm
from mnist_lab.runs.library import Library
from mnist_lab.ui import microscope_charts as charts
from mnist_lab.ui import microscope_text as text
from mnist_lab.ui.microscope_charts import Points
from mnist_lab.ui.microscope_show import by_epoch, network, planned, show_chart
from mnist_lab.ui.microscope_state import LAYER, url
from mnist_lab.ui.run_find import FoundRun

ALL_LAYERS = "all convolutions"
NORM = ("Weight norm |w|", "Line chart: L2 norm of the convolution weights by epoch.", False)
RATE = ("lr / |w|² (log scale)", "Line chart: effective learning rate by epoch, on a logarithmic scale.", True)
GAMMA = Points(
    x_title="Norm layer", y_title="Gamma", series=charts.PAIR, side_by_side=True,
    description="Points: the scale gamma of every channel, a column a norm layer.",
)
NORM_HELP = (
    "The root of the sum of the weights' squares: how long w is. In front of a norm the length does not change what "
    "the network computes, because the norm divides it out again. It is worked out from the histograms of the history, "
    "which puts it within about 1 %."
)
RATE_HELP = (
    "Where a norm divides the length out, only the direction of w matters, and a step turns it by an angle that goes "
    "with lr / |w|², not with lr. So weight decay, which makes w shorter, acts like a larger learning rate: van "
    "Laarhoven 2017, arXiv 1706.05350. Gamma, beta and the last layer are not in front of a norm."
)
GAMMA_HELP = (
    "After it has brought a channel to mean 0 and variance 1, a norm multiplies it by gamma, which is learned. L1 and "
    "weight decay on all parameters pull at it too; a channel whose gamma is 0 says nothing any more."
)


def render_controls(run: FoundRun) -> None:
    """The layer."""
    names = [ALL_LAYERS, *layers(run.progress.history)]
    url.choose("Layer", LAYER, names, _layer(run) or ALL_LAYERS)


def render_history(run: FoundRun, beside: FoundRun | None) -> None:
    """The norm and the effective learning rate by epoch."""
    layer = _layer(run)
    both = (run, beside)
    norms = [by_epoch(found, lambda record: squared_norm(record, layer) ** 0.5) for found in both]
    rates = [
        by_epoch(found, lambda record: effective_learning_rate(record["learning_rate"], squared_norm(record, layer)))
        for found in both
    ]
    epochs, where = planned(*both), layer or ALL_LAYERS
    left, right = st.columns(2)
    with left:
        says = text.size_text(*norms, f"The norm of {where}")
        show_chart("Size of the weights", NORM_HELP, "norm", charts.epochs_chart(NORM, epochs, *norms), says)
    with right:
        says = text.turned_text(*rates)
        show_chart("Effective learning rate", RATE_HELP, "rate", charts.epochs_chart(RATE, epochs, *rates), says)
    if run.config.norm == "none":
        st.caption("This run has no norms: the length of its weights matters, and lr / |w|² has no special meaning.")
    elif run.config.optimizer == "adamw":
        st.caption(
            "This run was trained by AdamW, whose steps are as long for small gradients as for large ones: under a "
            "norm they turn w by an angle that goes with lr / |w| rather than lr / |w|²."
        )


def render_network(run: FoundRun, beside: FoundRun | None, library: Library) -> None:
    """The gammas of the latest weights."""
    from mnist_lab.microscope_weights import norm_scales

    own = norm_scales(network(run, library))
    if not own:
        st.markdown("**What the norms multiply by**", help=GAMMA_HELP)
        st.info("This run has no norms, so there is no gamma.")
        return
    rows = _rows(own, charts.OWN)
    if beside is not None:
        rows += _rows(norm_scales(network(beside, library)), charts.BESIDE)
    chart = charts.points_chart(GAMMA, rows)
    show_chart("What the norms multiply by", GAMMA_HELP, "gamma", chart, text.scales_text(own))


def _rows(scales: list, series: str) -> list[tuple[str, str, float, str]]:
    return [
        (scale.name, series, value, f"{series}: {scale.name}, channel {channel}: {value:.3g}")
        for scale in scales for channel, value in enumerate(scale.gamma.tolist())
    ]


def _layer(run: FoundRun) -> str | None:
    """The chosen layer; None for all of them."""
    asked = url.values().get(LAYER)
    return asked if asked in layers(run.progress.history) else None
