"""Pruning: accuracy against the share of the weights that is cut away."""

from __future__ import annotations

import streamlit as st

from mnist_lab.runs.library import Library
from mnist_lab.ui import microscope_charts as charts
from mnist_lab.ui import microscope_data as data
from mnist_lab.ui import microscope_text as text
from mnist_lab.ui.microscope_charts import Curves
from mnist_lab.ui.microscope_show import checksum, network, show_chart
from mnist_lab.ui.run_find import FoundRun

LOOK = Curves(
    x_title="Weights cut away (%)", x_format="d", y_title="Accuracy (%)", x_domain=(0, 100), y_domain=(0, 100),
    description="Line chart: accuracy against the share of the convolution weights that is cut away, in per cent.",
)
HELP = (
    "The smallest weights of all convolutions together are set to zero, more and more of them, without training "
    "afterwards (Han, Pool, Tran, Dally 2015, arXiv 1506.02626). With all of them gone the network gives every image "
    "the same answer. Weights that L1 has already made small cost little."
)


def render_pruning(run: FoundRun, beside: FoundRun | None, library: Library) -> None:
    """Draw this part of the page. Both runs are asked about the same images."""
    source = data.tested_on(checksum(run))
    with st.spinner("Cutting weights away …"):
        curves = [
            data.pruning(network(found, library), source) if found is not None else None for found in (run, beside)
        ]
    points = [
        None if curve is None else [
            (100 * fraction, accuracy) for fraction, accuracy in zip(data.FRACTIONS, curve, strict=True)
        ] for curve in curves
    ]
    chart = charts.curves_chart(LOOK, *points)
    show_chart("Accuracy when weights are cut away", HELP, "pruning", chart, text.pruning_text(*curves))
    st.caption(f"On {text.TESTS[source]}.")
