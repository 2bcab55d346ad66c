"""The Compare page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from mnist_lab.ui.page_widgets import PageWidgets

PAGE, VIEW = "Compare", "mnist_lab/ui/views/compare.py"
CHOSEN, BETWEEN = "of", "~"  # Streamlit leaves it as it is in a URL, and it is in no key
# Names of the other values.
SHOW, MEASURE, PUBLISHED, REFERENCE, JUDGED, NOISE = "show", "measure", "published", "reference", "judge", "aa"

url = PageWidgets(PAGE, also=(CHOSEN,))


def chosen() -> list[str]:
    """The keys of what is chosen, as the link has them; there may be no such variants."""
    return list(dict.fromkeys(key for key in url.values().get(CHOSEN, "").split(BETWEEN) if key))


def chosen_text(keys: Sequence[str]) -> str:
    """Keys as the link has them."""
    return BETWEEN.join(keys) or BETWEEN  # an empty choice is a choice too, and not the default one


def link() -> str:
    """The page's part of the URL as text, to be put behind the page's address."""
    return urlencode(url.complete(), safe=BETWEEN)
