"""Showing a chart so that its view in the browser survives a poll."""

from __future__ import annotations

import streamlit as st

from mnist_lab.ui.charts import Chart


def live_chart(chart: Chart | None, key: str, placeholder: str) -> None:
    """Show a chart, or a line of text while there is nothing to draw.

    Always call it at the same place of the fragment, chart or not: Streamlit knows elements by their position,
    and its own container keeps what follows in place when the text gives way to the chart. For the same
    reason, anything else in the fragment that comes and goes belongs in a ``st.container`` that stays.

    Args:
        chart: from ``mnist_lab.ui.charts``.
        key: of the container, which gets the CSS class ``st-key-<key>``; unique on the page.
        placeholder: the text.
    """
    with st.container(key=key):
        if chart is None:
            st.caption(placeholder)
        else:
            st.vega_lite_chart(spec=chart.to_dict(), width="stretch")
