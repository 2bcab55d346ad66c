"""Which widgets are drawn and what they show: the part of `state` that keeps keys apart.

A widget has a name, which never changes, and a key, which Streamlit knows it by and which changes with what it shows
when that came from elsewhere than from the user's hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

_KEY = "mnist_lab_widgets"


@dataclass
class _Widget:
    """A widget as it was last drawn: the value it was born with, and the one it shows."""

    key: str
    default: Any
    latest: Any
    options: tuple[Any, ...]


@dataclass
class _Drawn:
    widgets: dict[str, _Widget] = field(default_factory=dict)
    count: int = 0


def widget(name: str, value: Any, options: Sequence[Any] = ()) -> tuple[str, Any]:
    """Key and default value for a widget that shows `value`, now or after the user moved it there.

    The default of a key never changes, and values are never written into the widget's own state: a browser that
    gets two drawings at once, as when the app starts, skips the first and with it such a write, and would send the
    default back as if the user had chosen it. A value from elsewhere, or other `options`, makes a new widget.
    """
    drawn = _drawn()
    known = drawn.widgets.get(name)
    if known and (known.latest, known.options) == (value, tuple(options)) and known.key in st.session_state:
        return known.key, known.default
    drawn.count += 1
    key = f"{name}:{drawn.count}"
    drawn.widgets[name] = _Widget(key, value, value, tuple(options))
    return key, value


def exact_name(name: str) -> str:
    """The name, for `widget`, of the field for an exact value that stands beside a knob's slider."""
    return f"{name}_exact"


def widget_value(name: str, key: str) -> Any:
    """What the user chose, for the callback of the widget `name` that was drawn with `key`."""
    value = st.session_state[key]
    known = _drawn().widgets.get(name)
    if known and known.key == key:
        known.latest = value
    return value


def is_latest(name: str, key: str) -> bool:
    """Whether the widget `name` was last drawn with `key`: else a callback must change nothing.

    When the value came from elsewhere, a preset say, and a widget with another key or none stands for it now, a message
    of the browser that was on its way still has the old one. Streamlit has forgotten that one, and calls it changed.
    """
    known = _drawn().widgets.get(name)
    return known is not None and known.key == key


def typed(name: str) -> Any:
    """What was last chosen or typed in the widget `name`; None before it was drawn."""
    known = _drawn().widgets.get(name)
    return known.latest if known else None


def forget(knobs: Iterable[str]) -> None:
    """The widgets of these knobs, and the fields for their exact values, show what is no longer so."""
    for knob in knobs:
        for name in (knob, exact_name(knob)):
            _drawn().widgets.pop(name, None)


def _drawn() -> _Drawn:
    return st.session_state.setdefault(_KEY, _Drawn())
