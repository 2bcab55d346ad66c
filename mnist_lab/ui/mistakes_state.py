"""The Mistakes page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from mnist_lab.ui.links import page_link
from mnist_lab.ui.page_widgets import PageWidgets

PAGE = "Mistakes"
RUN, OTHER = "run", "other"
# Another choice shows other images: from the first page on, and none of them large.
OF_IMAGES = ("page", "image")

url = PageWidgets(PAGE, also=(RUN,), resets=lambda name: OF_IMAGES)


def visit_link(label: str, run_id: str) -> None:
    """A link on another page, to see the mistakes of that run: as the page was left, but for the images."""
    values = {name: text for name, text in url.values().items() if name not in OF_IMAGES}
    page_link(label, PAGE, values | {RUN: run_id})


def is_meant(name: str, id: str) -> bool:
    """Whether the run that is shown is the one that the URL names there, if it names one."""
    return url.values().get(name) in (None, id)
