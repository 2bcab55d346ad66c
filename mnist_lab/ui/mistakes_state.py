"""The Mistakes page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from mnist_lab.ui.page_widgets import PageWidgets

PAGE, VIEW = "Mistakes", "mnist_lab/ui/views/mistakes.py"
RUN, OTHER = "run", "other"
# Another choice shows other images: from the first page on, and none of them large.
OF_IMAGES = ("page", "image")

url = PageWidgets(PAGE, also=(RUN,), resets=lambda name: OF_IMAGES)


def visit(run_id: str) -> NoReturn:
    """Leave another page for this one, to see the mistakes of that run: as the page was left, but for the images."""
    url.go(**dict.fromkeys(OF_IMAGES) | {RUN: run_id})
    st.switch_page(VIEW)


def is_meant(name: str, id: str) -> bool:
    """Whether the run that is shown is the one that the URL names there, if it names one."""
    return url.values().get(name) in (None, id)
