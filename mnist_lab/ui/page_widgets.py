"""Widgets that are bound to the values of a page (`page_state`), so that a link opens what they show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import streamlit as st

from mnist_lab.ui import page_state, widget_state
from mnist_lab.ui.links import page_link

Options = Mapping[str, str] | Sequence[str]  # texts of the URL: by the name that each has on the page, or as they are
ToText = Callable[[Any], str | None]


class PageWidgets:
    """One page's values, and widgets that show one of them and change it.

    `also` names what a link has to say once anything was changed, chosen or not: the page keeps it in `memory`.
    `resets` gives the names of the values that fall when the user changes the one of that name. While `heeds` says no,
    widgets change nothing.
    """

    def __init__(
        self, page: str, *, also: Sequence[str] = (), resets: Callable[[str], Iterable[str]] = lambda name: (),
        heeds: Callable[[], bool] = lambda: True,
    ):
        self.page, self._also, self._resets, self._heeds = page, also, resets, heeds

    def values(self) -> dict[str, str]:
        """The page's values by name; a text from a link may be anything."""
        return page_state.values(self.page)

    def memory(self) -> dict[str, Any]:
        """What the session remembers for the page beside its URL."""
        return page_state.memory(self.page)

    def one_of(self, name: str, allowed: Collection[str], default: str) -> str:
        """A value of the page, if it is one of those."""
        value = self.values().get(name)
        return value if value in allowed else default

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number of the page, at most `high`; `default` for what is none, or too small."""
        text = self.values().get(name, "")
        wanted = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else default
        return min(wanted, high) if wanted >= low else default

    def complete(self) -> dict[str, str]:
        """What a link to what is shown has to say."""
        shown = {name: self.memory()[name] for name in self._also if name in self.memory()}
        return shown | self.values()

    def go(self, /, **changes: Any) -> None:
        """Change some values, in a callback or before a rerun; None takes one out."""
        texts = {name: None if value is None else str(value) for name, value in changes.items()}
        page_state.set_values(self.page, self.complete() | texts)

    def link(self, label: str, name: str, text: str) -> None:
        """A link on another page to this one as it was left, but with that value in place of the one it has."""
        kept = {other: value for other, value in self.values().items() if other not in self._resets(name)}
        page_link(label, self.page, kept | {name: text})

    def rerun(self) -> NoReturn:
        """Draw the whole page again, from a fragment too, whose idea of the URL may be out of date."""
        self.go()
        page_state.rerun(self.page)

    def choose(
        self, label: str, name: str, options: Options, value: str, *, say: Callable[[str], str] | None = None,
        to_text: ToText = str, **more: Any,
    ) -> None:
        """A box with these options, bound to the value `name`.

        `say` gives what an option is called, `to_text` what the URL says for it; `more` is Streamlit's own.
        """
        key, default = self._widget(name, value, options)
        st.selectbox(
            label, list(options), list(options).index(default), key=key, format_func=say or _said(options),
            on_change=self._take, args=(name, key, to_text), **more,
        )

    def switch(self, label: str, name: str, options: Options, value: str) -> None:
        """Buttons, one of which is down, bound to the value `name`."""
        key, default = self._widget(name, value, options)
        st.segmented_control(
            label, list(options), default=default, required=True, key=key, format_func=_said(options),
            on_change=self._take, args=(name, key), label_visibility="collapsed",
        )

    def several(
        self, label: str, name: str, options: Options, picked: Sequence[str], to_text: ToText, **more: Any
    ) -> None:
        """A box for several of these options, bound to the value `name`; `to_text` makes one text of their list."""
        key, default = self._widget(name, list(picked), options)
        st.multiselect(
            label, list(options), default, key=key, format_func=_said(options), on_change=self._take,
            args=(name, key, to_text), **more,
        )

    def slide(
        self, label: str, name: str, low: int, high: int, value: int | tuple[int, int], *, to_text: ToText = str,
        **more: Any,
    ) -> None:
        """A slider for a whole number or a range of them, bound to the value `name`; none with nothing to choose."""
        if low < high:
            key, default = self._widget(name, value, (low, high))
            st.slider(
                label, low, high, default, 1, key=key, on_change=self._take, args=(name, key, to_text), **more
            )

    def slide_over(self, label: str, name: str, options: Sequence[str], value: str) -> None:
        """A slider over a few texts, bound to the value `name`."""
        key, default = self._widget(name, value, options)
        st.select_slider(label, options, default, key=key, on_change=self._take, args=(name, key))

    def turn(self, label: str, name: str, on: bool, help: str) -> None:
        """A switch, bound to the value `name`: "1" or not there."""
        key, default = self._widget(name, on)
        st.toggle(
            label, default, key=key, help=help, on_change=self._take, args=(name, key, lambda on: "1" if on else None)
        )

    def _take(self, name: str, key: str, to_text: ToText = str) -> None:
        """The callback of all of them: what the user chose is the value now."""
        latest = widget_state.is_latest(self._id(name), key)
        chosen = to_text(widget_state.widget_value(self._id(name), key))
        if latest and self._heeds():
            self.go(**dict.fromkeys(self._resets(name)) | {name: chosen})

    def _id(self, name: str) -> str:
        return f"{self.page.lower()}_{name}"

    def _widget(self, name: str, value: Any, options: Iterable = ()) -> tuple[str, Any]:
        return widget_state.widget(self._id(name), value, tuple(options))


def _said(options: Options) -> Callable[[str], str]:
    # An option of the drawing before may be asked for once more.
    return (lambda option: options.get(option, option)) if isinstance(options, Mapping) else str
