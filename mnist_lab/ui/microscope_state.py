"""The Microscope page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import streamlit as st

from mnist_lab.ui import page_state, state

PAGE, VIEW = "Microscope", "mnist_lab/ui/views/microscope.py"
RUN, BESIDE, SHOW, LAYER, EPOCH, THRESHOLD = "run", "beside", "show", "layer", "epoch", "below"
NORM, SPLITS, BATCH, DIGIT = "norm", "splits", "batch", "digit"
# Another run has other epochs; a layer that it does not have is as if none were chosen.
RESETS = {RUN: {EPOCH: None, BESIDE: None}}


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
    """Leave another page for this one, to look at that run: as the page was left otherwise."""
    page_state.set_values(PAGE, RESETS[RUN] | {RUN: run_id})
    st.switch_page(VIEW)


def number(name: str, low: int, high: int, default: int) -> int:
    """A whole number of the URL, at most `high`; `default` for what is none, or too small."""
    text = values().get(name, "")
    wanted = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else default
    return min(wanted, high) if wanted >= low else default


def choose(
    label: str, name: str, options: Sequence[str], value: str, say: Callable[[str], str] = str, help: str | None = None
) -> None:
    """A box with these options, bound to the value `name`."""
    key, default = state.widget(f"microscope_{name}", value, tuple(options))
    st.selectbox(
        label, options, options.index(default), key=key, format_func=say, on_change=_take, args=(name, key), help=help,
    )


def switch(label: str, name: str, options: dict[str, str], value: str) -> None:
    """Buttons, one of which is down, bound to the value `name`."""
    key, default = state.widget(f"microscope_{name}", value, tuple(options))
    st.segmented_control(
        label, list(options), default=default, required=True, key=key, format_func=options.get, on_change=_take,
        args=(name, key), label_visibility="collapsed",
    )


def slide(label: str, name: str, low: int, high: int, value: int, help: str | None = None) -> None:
    """A slider over whole numbers, bound to the value `name`; nothing while there is only one to choose."""
    if low < high:
        key, default = state.widget(f"microscope_{name}", value, (low, high))
        st.slider(label, low, high, default, key=key, on_change=_take, args=(name, key), help=help)


def slide_over(label: str, name: str, options: Sequence[str], value: str, help: str | None = None) -> None:
    """A slider over a few texts, bound to the value `name`."""
    key, default = state.widget(f"microscope_{name}", value, tuple(options))
    st.select_slider(label, options, default, key=key, on_change=_take, args=(name, key), help=help)


def _take(name: str, key: str) -> None:
    go(**RESETS.get(name, {}) | {name: state.widget_value(f"microscope_{name}", key)})
