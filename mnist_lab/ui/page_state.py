"""What the pages that look at runs show, each its own: the part of `state` that is not about training.

A page has named texts (its run, its filter, ...) that are its URL: read when the browser brings another one (a link,
Back), written after every change, and remembered while another page is open. What does not belong in a link is in the
page's `memory`. A text from a URL may be anything: whoever reads it decides what it means.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NoReturn

import streamlit as st

MAX_VALUES, MAX_LENGTH = 60, 1_500  # of a URL: no page needs more, and what is longer is left out
LATE_SECONDS = 1.0  # within which a request may still come with the URL that we replaced
OWN_SECONDS = 10.0  # the same for one that we made ourselves: on a busy server it waits for the run before it
_KEY = "mnist_lab_pages"


@dataclass
class Replaced:
    """The query that ours has replaced in the URL, until the browser shows that it has ours.

    What was asked for before that comes with the query before: that is no navigation. `written` and `asked` are times
    on the monotonic clock: when it was replaced, and when we last asked for the page to be drawn ourselves.
    """

    query: dict[str, str] | None = None
    written: float = 0.0
    asked: float = -OWN_SECONDS

    def by_ours(self, before: dict[str, str]) -> None:
        """Our query was written in place of this one."""
        self.query, self.written = before, time.monotonic()

    def ask(self) -> None:
        """A run of the page is asked for; it will come with whatever query the request at hand came with."""
        self.asked = time.monotonic()

    def is_late(self, query: dict[str, str], ours: dict[str, str]) -> bool:
        """Whether a run with this query was asked for before the browser had ours."""
        if query == ours:
            self.query = None
        now = time.monotonic()
        recent = now - self.written < LATE_SECONDS or now - self.asked < OWN_SECONDS
        return query == self.query and recent


@dataclass
class _Page:
    values: dict[str, str] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)  # as the URL was when it last agreed with `values`
    replaced: Replaced = field(default_factory=Replaced)
    changed: bool = False


def enter(page: str, arrived: bool) -> None:
    """Bring the page's values and the URL together. `state.enter` calls it once in a script run.

    `arrived` says whether another page was shown before.
    """
    known = _page(page)
    changed, known.changed = known.changed, False
    query = st.query_params.to_dict()
    late = known.replaced.is_late(query, known.query)
    if changed or (arrived and known.values and not query):  # page links drop the parameters
        known.query = dict(known.values)
        if query != known.query:
            st.query_params.from_dict(known.query)  # one call, so that Back has one entry
            known.replaced.by_ours(query)
    elif late:
        st.query_params.from_dict(known.query)  # if it was Back after all, the URL would say other than the page
    elif query != known.query:
        known.query = query
        short = [(name, text) for name, text in query.items() if len(name) + len(text) <= MAX_LENGTH]
        known.values = dict(short[:MAX_VALUES])


def values(page: str) -> dict[str, str]:
    """The page's part of the URL, by name."""
    return dict(_page(page).values)


def set_values(page: str, changes: dict[str, str | None]) -> None:
    """Change some of them; None takes one out. In a callback, or before a rerun, so that the URL is written."""
    known = _page(page)
    known.values = {name: text for name, text in (known.values | changes).items() if text is not None}
    known.changed = True


def rerun(page: str) -> NoReturn:
    """Draw the whole page again, from a fragment too, whose idea of the URL may be out of date."""
    known = _page(page)
    known.changed = True
    known.replaced.ask()
    st.rerun()


def memory(page: str) -> dict[str, Any]:
    """What the session remembers for the page beside its URL; to be changed in place."""
    return _page(page).memory


def widget_value(key: str) -> Any:
    """What a widget that is not bound to a value says, for its callback."""
    return st.session_state[key]


def is_drawn(key: str) -> bool:
    """Whether the widget of that key was drawn in the last script run: its state dies with its page."""
    return key in st.session_state


def _page(page: str) -> _Page:
    return st.session_state.setdefault(_KEY, {}).setdefault(page, _Page())
