"""The Microscope page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from mnist_lab.ui.links import page_link
from mnist_lab.ui.page_widgets import PageWidgets

PAGE = "Microscope"
RUN, BESIDE, SHOW, LAYER, EPOCH, THRESHOLD = "run", "beside", "show", "layer", "epoch", "below"
NORM, SPLITS, BATCH, DIGIT = "norm", "splits", "batch", "digit"
# Another run has other epochs; a layer that it does not have is as if none were chosen.
OF_RUN = (EPOCH, BESIDE)

url = PageWidgets(PAGE, also=(RUN,), resets=lambda name: OF_RUN if name == RUN else ())


def visit_link(label: str, run_id: str) -> None:
    """A link on another page, to look at that run: as the page was left otherwise."""
    values = {name: text for name, text in url.values().items() if name not in OF_RUN}
    page_link(label, PAGE, values | {RUN: run_id})
