"""The Race page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import streamlit as st

from mnist_lab.ui import page_state, state

PAGE, VIEW = "Race", "mnist_lab/ui/views/race.py"
RACE = "race"  # the id of the race that is shown


def values() -> dict[str, str]:
    """The page's values by name; a text from a link may be anything."""
    return page_state.values(PAGE)


def memory() -> dict[str, Any]:
    """What the session remembers for the page beside its URL."""
    return page_state.memory(PAGE)


def go(**changes: Any) -> None:
    """Change some values, in a callback or before a rerun; None takes one out."""
    page_state.set_values(PAGE, {name: None if value is None else str(value) for name, value in changes.items()})


def show_race(id: str) -> None:
    """Show that race and nothing else; in a callback or before a rerun."""
    page_state.set_values(PAGE, dict.fromkeys(values()) | {RACE: id})


def rerun() -> NoReturn:
    """Draw the whole page again, from a fragment too, whose idea of the URL may be out of date."""
    page_state.set_values(PAGE, {})
    st.rerun()


def choose(label: str, name: str, options: Mapping[str, str], value: str, forget: Sequence[str] = ()) -> None:
    """A box with these options (value -> what it is called), bound to the value `name`.

    Another choice drops the values named in `forget`, which belong to the one before.
    """
    key, default = state.widget(f"race_{name}", value, tuple(options))
    st.selectbox(
        label, list(options), list(options).index(default), key=key, format_func=lambda one: options.get(one, one),
        on_change=_take, args=(name, key, str, forget),
    )


def switch(label: str, name: str, options: Mapping[str, str], value: str) -> None:
    """Buttons, one of which is down, bound to the value `name`."""
    key, default = state.widget(f"race_{name}", value, tuple(options))
    st.segmented_control(
        label, list(options), default=default, required=True, key=key, format_func=lambda one: options.get(one, one),
        on_change=_take, args=(name, key, str, ()), label_visibility="collapsed",
    )


def several(
    label: str, name: str, options: Mapping[str, str], chosen: Sequence[str], *, most: int, help: str,
    typed: Callable[[str], str | None] | None = None,
) -> None:
    """A box for several of these options, bound to the value `name`, where they are separated by commas.

    With `typed`, others can be typed in: it gives the option that a text stands for, or None if it is not allowed.
    """
    key, default = state.widget(f"race_{name}", list(chosen), tuple(options))
    st.multiselect(
        label, list(options), list(default), key=key, format_func=lambda one: options.get(one, one), help=help,
        max_selections=most, accept_new_options=typed is not None, on_change=_take_several,
        args=(name, key, typed),
    )


def count(label: str, name: str, low: int, high: int, value: int, help: str) -> None:
    """A slider for a whole number, bound to the value `name`."""
    key, default = state.widget(f"race_{name}", value)
    st.slider(label, low, high, default, 1, key=key, help=help, on_change=_take, args=(name, key, str, ()))


def _set(**changes: Any) -> None:
    """`go` for a widget. Widgets that are gone report once more when a fragment of the race is drawn: not heeded."""
    if not values().get(RACE):
        go(**changes)


def _take(name: str, key: str, to_text: Callable[[Any], str], forget: Sequence[str]) -> None:
    _set(**dict.fromkeys(forget), **{name: to_text(state.widget_value(f"race_{name}", key))})


def _take_several(name: str, key: str, typed: Callable[[str], str | None] | None) -> None:
    picked = state.widget_value(f"race_{name}", key)
    texts = [typed(text) for text in picked] if typed else picked
    _set(**{name: ",".join(dict.fromkeys(text for text in texts if text is not None))})
