"""The Mistakes page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import streamlit as st

from mnist_lab.ui import page_state, state

PAGE, VIEW = "Mistakes", "mnist_lab/ui/views/mistakes.py"
RUN = "run"


def values() -> dict[str, str]:
    """The page's values by name; a text from a link may be anything."""
    return page_state.values(PAGE)


def memory() -> dict[str, Any]:
    """What the session remembers for the page beside its URL."""
    return page_state.memory(PAGE)


def go(**changes: Any) -> None:
    """Change some values, in a callback or before a rerun; None takes one out. The link then says the run as well."""
    texts = {name: None if value is None else str(value) for name, value in changes.items()}
    page_state.set_values(PAGE, {RUN: memory().get(RUN)} | values() | texts)


def visit(run_id: str) -> NoReturn:
    """Leave another page for this one, to see the mistakes of that run: as the page was left, but for the images."""
    page_state.set_values(PAGE, {RUN: run_id, "page": None, "image": None})
    st.switch_page(VIEW)


def choose_run(label: str, name: str, ids: Sequence[str], id: str, say: Callable[[str], str]) -> None:
    """A box for a run, bound to the value `name`."""
    key, default = state.widget(f"mistakes_{name}", id, ids)
    st.selectbox(
        label, ids, ids.index(default), key=key, format_func=say, on_change=_take, args=(name, key, str),
    )


def choose(label: str, name: str, options: dict[str, str], value: str, to_text: Callable[[str], str | None]) -> None:
    """A box with these options (value -> what it is called), bound to the value `name`."""
    key, default = state.widget(f"mistakes_{name}", value, tuple(options))
    st.selectbox(
        label, list(options), list(options).index(default), key=key, format_func=options.get, on_change=_take,
        args=(name, key, to_text),
    )


def switch(label: str, name: str, options: dict[str, str], value: str) -> None:
    """Buttons, one of which is down, bound to the value `name`."""
    key, default = state.widget(f"mistakes_{name}", value, tuple(options))
    st.segmented_control(
        label, list(options), default=default, required=True, key=key, format_func=options.get, on_change=_take,
        args=(name, key, str), label_visibility="collapsed",
    )


def slide(label: str, name: str, low: int, high: int) -> None:
    """A slider for a range of per cents, bound to the value `name`."""
    key, default = state.widget(f"mistakes_{name}", (low, high))
    st.slider(
        label, 0, 100, default, 1, format="%d %%", key=key, on_change=_take, args=(name, key, _range_text),
    )


def _take(name: str, key: str, to_text: Callable[[Any], str | None]) -> None:
    # Another choice shows other images: from the first page on, and none of them large.
    go(**{"page": None, "image": None, name: to_text(state.widget_value(f"mistakes_{name}", key))})


def _range_text(limits: tuple[int, int]) -> str | None:
    return None if limits == (0, 100) else f"{limits[0]}-{limits[1]}"
