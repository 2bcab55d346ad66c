"""The Compare page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from mnist_lab.ui import page_state, state

PAGE, VIEW = "Compare", "mnist_lab/ui/views/compare.py"
CHOSEN, BETWEEN = "of", "~"  # Streamlit leaves it as it is in a URL, and it is in no key
MAX_CHOSEN = 16  # the variants of both sources; more lines cannot be told apart
# Names of the other values.
SHOW, MEASURE, PUBLISHED, REFERENCE, JUDGED, NOISE = "show", "measure", "published", "reference", "judge", "aa"


def values() -> dict[str, str]:
    """The page's values by name; a text from a link may be anything."""
    return page_state.values(PAGE)


def one_of(name: str, allowed: Sequence[str], default: str) -> str:
    """A value of the page, if it is one of those."""
    value = values().get(name)
    return value if value in allowed else default


def chosen() -> list[str]:
    """The keys of what is chosen, as the link has them; there may be no such variants."""
    return list(dict.fromkeys(key for key in values().get(CHOSEN, "").split(BETWEEN) if key))


def remember(keys: Sequence[str]) -> None:
    """What is shown, chosen or not: from the first change on the link says it too."""
    page_state.memory(PAGE)[CHOSEN] = _join(keys)


def link() -> str:
    """The page's part of the URL as text, to be put behind the page's address."""
    return urlencode(_complete(), safe=BETWEEN)


def go(**changes: str | None) -> None:
    """Change some values, in a callback or before a rerun; None takes one out."""
    page_state.set_values(PAGE, _complete() | changes)


def _complete() -> dict[str, str]:
    shown = page_state.memory(PAGE).get(CHOSEN)
    return ({CHOSEN: shown} if shown else {}) | values()


def choose_many(label: str, keys: Sequence[str], picked: list[str], say: Callable[[str], str]) -> None:
    """A box for what is to be compared."""
    key, default = state.widget("compare_of", picked, keys)
    st.multiselect(
        label, keys, default, key=key, format_func=say, on_change=_take, args=(CHOSEN, "compare_of", key, _join),
        max_selections=MAX_CHOSEN, placeholder="Choose settings or runs",
    )


def choose(label: str, name: str, options: dict[str, str], value: str, help: str | None = None) -> None:
    """A box with these options (value -> what it is called), bound to the value `name`."""
    widget = f"compare_{name}"
    key, default = state.widget(widget, value, tuple(options))
    st.selectbox(
        label, list(options), list(options).index(default), key=key, help=help, on_change=_take,
        format_func=lambda option: options.get(option, option), args=(name, widget, key, str),
    )


def switch(label: str, name: str, options: dict[str, str], value: str) -> None:
    """Buttons, one of which is down, bound to the value `name`."""
    widget = f"compare_{name}"
    key, default = state.widget(widget, value, tuple(options))
    st.segmented_control(
        label, list(options), default=default, required=True, key=key, on_change=_take, label_visibility="collapsed",
        format_func=lambda option: options.get(option, option), args=(name, widget, key, str),
    )


def turn(label: str, name: str, on: bool, help: str) -> None:
    """A switch, bound to the value `name`: "1" or not there."""
    widget = f"compare_{name}"
    key, default = state.widget(widget, on)
    st.toggle(
        label, default, key=key, help=help, on_change=_take,
        args=(name, widget, key, lambda value: "1" if value else None),
    )


def _take(name: str, widget: str, key: str, to_text: Callable[[Any], str | None]) -> None:
    go(**{name: to_text(state.widget_value(widget, key))})


def _join(keys: Sequence[str]) -> str:
    return BETWEEN.join(keys) or BETWEEN  # an empty choice is a choice too, and not the default one
