"""The Microscope page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from mnist_lab.ui.page_widgets import PageWidgets

PAGE, VIEW = "Microscope", "mnist_lab/ui/views/microscope.py"
RUN, BESIDE, SHOW, LAYER, EPOCH, THRESHOLD = "run", "beside", "show", "layer", "epoch", "below"
NORM, SPLITS, BATCH, DIGIT = "norm", "splits", "batch", "digit"
# Another run has other epochs; a layer that it does not have is as if none were chosen.
OF_RUN = (EPOCH, BESIDE)

url = PageWidgets(PAGE, also=(RUN,), resets=lambda name: OF_RUN if name == RUN else ())


def visit(run_id: str) -> NoReturn:
    """Leave another page for this one, to look at that run: as the page was left otherwise."""
    url.go(**dict.fromkeys(OF_RUN) | {RUN: run_id})
    st.switch_page(VIEW)
