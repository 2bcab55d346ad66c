"""Penalty: its share of the loss by epoch, and of the gradient on one batch."""

from __future__ import annotations

import streamlit as st

from mnist_lab.microscope_history import penalty_share
from mnist_lab.runs.library import Library
from mnist_lab.ui import microscope_charts as charts
from mnist_lab.ui import microscope_data as data
from mnist_lab.ui import microscope_text as text
from mnist_lab.ui.microscope_show import by_epoch, checksum, last, network, planned, show_chart
from mnist_lab.ui.microscope_state import BATCH, url
from mnist_lab.ui.run_find import FoundRun

LOOK = ("Share of the loss (%)", "Line chart: L1's share of the whole loss, in per cent, by epoch.", False)
HELP = (
    "What is lowered is the data loss plus the L1 penalty. While the network learns, the data loss falls, and the "
    "penalty becomes the larger part."
)
PULL_HELP = (
    "Each part of the loss pulls at the weights with its own gradient. This is how long each is (root of the sum of "
    "squares), on one batch of the run's own training, with the latest weights. L1 pulls at every weight that is not "
    "zero with the same force, lambda."
)


def render_controls(run: FoundRun) -> None:
    """Nothing to choose above the history."""


def render_history(run: FoundRun, beside: FoundRun | None) -> None:
    """The penalty's share of the loss."""
    says = text.penalty_text(run.config, last(run), penalty_share(last(run)))
    if not any(found and found.config.l1 for found in (run, beside)):
        st.info(says)
        return
    values = (by_epoch(found, _per_cent) for found in (run, beside))
    chart = charts.epochs_chart(LOOK, planned(run, beside), *values)
    show_chart("The penalty's share of the loss", HELP, "penalty", chart, says)


def render_network(run: FoundRun, beside: FoundRun | None, library: Library) -> None:
    """What pulls at the weights on one batch."""
    source = data.whose(checksum(run))
    with st.spinner("Working out the gradients …"):
        module = network(run, library)
        count = len(data.batches(run.config, source))
        number = url.number(BATCH, 1, count, 1)
        found = data.pulls(module, run.config, source, number - 1)
    st.markdown("**What pulls at the weights**", help=PULL_HELP)
    url.slide("Batch", BATCH, 1, count, number, help="The first batches that the run was trained on, in order.")
    with st.container(horizontal=True, gap="large"):
        st.metric("Data", f"{found.whole.data:.3g}", width="content")
        st.metric("L1", f"{found.whole.l1:.3g}" if run.config.l1 else "none", width="content")
        decay = f"{found.whole.decay:.3g}" if run.config.weight_decay else "none"
        st.metric("Weight decay", decay, width="content")
    st.caption("  \n".join(part for part in (text.pulls_text(run.config, found), text.SOURCES[source]) if part))
    with st.expander("Layer by layer"):
        st.table(text.pulls_table(run.config, found), border="horizontal", hide_index=True)


def _per_cent(record: dict) -> float | None:
    share = penalty_share(record)
    return None if share is None else 100 * share
