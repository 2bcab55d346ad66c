"""The Microscope page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from mnist_lab.ui.page_widgets import PageWidgets

PAGE = "Microscope"
RUN, BESIDE, SHOW, LAYER, EPOCH, THRESHOLD = "run", "beside", "show", "layer", "epoch", "below"
NORM, SPLITS, BATCH, DIGIT = "norm", "splits", "batch", "digit"
# Another run has other epochs; a layer that it does not have is as if none were chosen.
url = PageWidgets(PAGE, also=(RUN,), resets=lambda name: (EPOCH, BESIDE) if name == RUN else ())
