"""The Mistakes page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from mnist_lab.ui.page_widgets import PageWidgets

PAGE = "Mistakes"
RUN, OTHER = "run", "other"
# Another choice shows other images: from the first page on, and none of them large.
url = PageWidgets(PAGE, also=(RUN,), resets=lambda name: ("page", "image"))


def is_meant(name: str, id: str) -> bool:
    """Whether the run that is shown is the one that the URL names there, if it names one."""
    return url.values().get(name) in (None, id)
