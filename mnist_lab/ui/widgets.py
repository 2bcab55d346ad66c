"""One widget for each kind of knob: what the knob says of itself decides which. All report to `state`."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_lab.config import ALL, KNOBS, TYPES, ConfigError, matters, problem
from mnist_lab.config_forms import parse_value, short_value, to_text
from mnist_lab.knobs import exact
from mnist_lab.ui import state, widget_state
from mnist_lab.ui.markdown import plain

OFF = "off"
FEW = 2  # choices that fit beside each other
STEPS = 100  # a slider's, at most
PERCENT = 100
DIGITS = 6  # after the point, of what a slider was moved to
EXACT = 15  # digits of a number that survive being written and read


def show_knob(name: str, problems: dict[str, str]) -> None:
    """The control of one knob, its help, and what is wrong with it. Nothing while the knob changes nothing.

    A locked one can be read and not be changed, and says why.
    """
    if not matters(name, state.values()):
        return
    knob, lock = KNOBS[name], state.locks().get(name)
    if knob.choices is not None:
        _choice(name, lock is not None)
    elif TYPES[name] is bool:
        _check_box(name, lock is not None)
    elif knob.suggestions:
        _log_scale(name, lock is not None)
    elif TYPES[name] is int:
        _number(name, lock is not None)
    else:
        _slider(name, lock is not None)
    if lock:
        st.caption(f"🔒 {lock.why}")
    if name in problems:
        st.error(plain(problems[name]))


def caption(name: str, value: Any) -> str:
    """A value as the page shows it: "off" for a knob at 0 that has suggestions, "all" images."""
    if value == ALL:
        return ALL
    return OFF if value == 0 and KNOBS[name].suggestions else short_value(name, value).removesuffix(" images")


def changes_text(changes: dict[str, tuple[Any, Any]]) -> str:
    """What `config_forms.differences` found, in words: "epochs 6 → 10, L1 lambda off → 1e-3"."""
    return ", ".join(
        f"{_in_sentence(KNOBS[name].label)} {caption(name, old)} → {caption(name, new)}"
        for name, (old, new) in changes.items()
    )


def _in_sentence(label: str) -> str:
    """A label inside a sentence: "epochs", but still "L1 lambda"."""
    return label[0].lower() + label[1:] if label[1:2].islower() else label


def parse_exact(name: str, text: str) -> Any:
    """The value typed for a knob with suggestions: 1e-4, 0.0001, off, all. Raises `ConfigError`."""
    text = text.strip()
    if KNOBS[name].low == 0 and text.lower() in (OFF, ""):
        return TYPES[name](0)
    if TYPES[name] is not float:
        text = text.replace(",", "")  # as the captions write thousands
    value = parse_value(name, text)
    if wrong := problem(name, value):
        raise ConfigError({name: wrong})
    return value


def _choice(name: str, locked: bool) -> None:
    knob = KNOBS[name]
    options = list(knob.choices)
    key, default = widget_state.widget(name, state.values()[name])
    details = dict(
        options=options, index=options.index(default), format_func=knob.choices.get, key=key, help=knob.help,
        on_change=_take, args=(name, key), disabled=locked,
    )
    if len(options) <= FEW:
        st.radio(knob.label, horizontal=True, **details)
    else:
        st.selectbox(knob.label, **details)


def _check_box(name: str, locked: bool) -> None:
    key, default = widget_state.widget(name, state.values()[name])
    st.checkbox(
        KNOBS[name].label, default, key=key, help=KNOBS[name].help, on_change=_take, args=(name, key), disabled=locked,
    )


def _number(name: str, locked: bool) -> None:
    """A field without bounds and for any number: the browser keeps what it refuses to itself, and leaves it there."""
    knob, (refused, _) = KNOBS[name], state.rejected().get(name, (None, ""))
    key, default = widget_state.widget(name, float(state.values()[name] if refused is None else refused))
    st.number_input(
        knob.label, None, None, default, step=1.0, format="%g", key=key, help=knob.help, on_change=_take_number,
        args=(name, key), disabled=locked,
    )


def _slider(name: str, locked: bool) -> None:
    knob, factor = KNOBS[name], _factor(name)
    low, high = knob.low * factor, knob.high * factor
    step = 1.0 if high - low > STEPS / 10 else 0.01
    unit = " %%" if factor == PERCENT else {"degrees": "°"}.get(knob.unit, "")
    value = float(f"{state.values()[name] * factor:.{EXACT}g}")  # 29, not 28.999999999999996
    hundredths = step < 1 and value == round(value, 2)
    key, default = widget_state.widget(name, value)
    st.slider(
        knob.label, low, high, default, step, format=("%.2f" if hundredths else f"%.{EXACT}g") + unit, key=key,
        help=knob.help, on_change=_take_slider, args=(name, key), disabled=locked,
    )


def _log_scale(name: str, locked: bool) -> None:
    knob, value = KNOBS[name], state.values()[name]
    options = _options(name, value)
    key, default = widget_state.widget(name, value, options)
    slider, field = st.columns([5, 2], vertical_alignment="bottom")
    slider.select_slider(
        knob.label, options, default, format_func=lambda option: caption(name, option), key=key, help=knob.help,
        on_change=_take, args=(name, key), disabled=locked,
    )
    exact = widget_state.exact_name(name)
    key, default = widget_state.widget(exact, _exact_text(name, value))
    field.text_input(
        f"{knob.label}: exact value", default, key=key, label_visibility="collapsed", on_change=_take_exact,
        args=(name, key), disabled=locked,
    )


def _options(name: str, value: Any) -> list[Any]:
    """What the slider offers: off or all where there is such a thing, the suggestions, and the value itself."""
    knob = KNOBS[name]
    numbers = {*knob.suggestions, *({value} - {ALL}), *([TYPES[name](0)] if knob.low == 0 else [])}
    return [*sorted(numbers), ALL] if problem(name, ALL) is None else sorted(numbers)


def _exact_text(name: str, value: Any) -> str:
    """What the field says: what was typed, while it means the value or is no value; else the value in short."""
    if name in state.rejected():
        return state.rejected()[name][0]
    short = caption(name, value)
    candidates = [widget_state.typed(widget_state.exact_name(name)), short]
    return next((text for text in candidates if text is not None and _means(name, text) == value), to_text(value))


def _means(name: str, text: str) -> Any:
    try:
        return parse_exact(name, text)
    except ConfigError:
        return None


def _factor(name: str) -> int:
    """100 for a share, which is shown in per cent."""
    return PERCENT if short_value(name, KNOBS[name].high).endswith("%") else 1


def _take(name: str, key: str) -> None:
    if widget_state.is_latest(name, key):
        state.set_values(**{name: widget_state.widget_value(name, key)})


def _take_number(name: str, key: str) -> None:
    if not widget_state.is_latest(name, key):
        return
    typed = widget_state.widget_value(name, key)
    value = int(typed) if typed.is_integer() else typed
    if wrong := problem(name, value):
        state.reject(name, exact(typed), wrong)
    else:
        state.set_values(**{name: value})


def _take_slider(name: str, key: str) -> None:
    if widget_state.is_latest(name, key):
        # Rounded: a slider's hundredths are sums of binary fractions.
        state.set_values(**{name: round(widget_state.widget_value(name, key) / _factor(name), DIGITS)})


def _take_exact(name: str, key: str) -> None:
    if not widget_state.is_latest(widget_state.exact_name(name), key):
        return
    text = widget_state.widget_value(widget_state.exact_name(name), key)
    try:
        state.set_values(**{name: parse_exact(name, text)})
    except ConfigError as error:
        state.reject(name, text, str(error))
