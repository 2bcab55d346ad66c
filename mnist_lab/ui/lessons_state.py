"""The Lessons page's part of the URL, and what the session remembers of each lesson: the prediction, and the race."""

from __future__ import annotations

from typing import Any, NoReturn

import streamlit as st

from mnist_lab.lessons.model import Lesson
from mnist_lab.ui import widget_state
from mnist_lab.ui.page_widgets import PageWidgets

PAGE, VIEW = "Lessons", "mnist_lab/ui/views/lessons.py"
LESSON, RACE = "lesson", "race"  # the id of the lesson that is open, and of the race that belongs to it

url = PageWidgets(PAGE)


def open_lesson(id: str | None) -> None:
    """Open a lesson, with its race if this session ran one; None for the list. In a callback."""
    url.go(**{LESSON: id, RACE: _kept("races").get(id)})


def show_race(lesson: str, race: str | None) -> None:
    """Show that race in the lesson, now and when the session comes back to it; in a callback."""
    _kept("races")[lesson] = race
    url.go(**{LESSON: lesson, RACE: race})


def prediction(lesson: Lesson) -> int | None:
    """The place of the option that was chosen; None before, and when the lesson's file has lost that option."""
    place = _kept("predictions").get(lesson.id)
    return place if place in range(len(lesson.predict.options)) else None


def ask(label: str, lesson: Lesson, options: list[str]) -> None:
    """Draw the options of a prediction, none of them chosen until one is."""
    name = f"lessons_predict_{lesson.id}"
    key, default = widget_state.widget(name, prediction(lesson), tuple(options))
    st.radio(
        label, range(len(options)), default, format_func=lambda place: options[place], key=key, on_change=_predict,
        args=(name, key, lesson.id),
    )


def _predict(name: str, key: str, lesson: str) -> None:
    chosen = widget_state.widget_value(name, key)
    if chosen is not None:
        _kept("predictions")[lesson] = chosen


def rerun() -> NoReturn:
    """Draw the whole page again, from a fragment too, whose idea of the URL may be out of date."""
    url.rerun()


def is_skipped(lesson: str) -> bool:
    """Whether the recorded runs are to be shown without a race."""
    return lesson in _kept("skipped")


def skip_button(lesson: Lesson) -> None:
    """For who cannot wait, or cannot train here: the recorded runs without a race."""
    st.button(
        "Show the recorded runs", key="lessons_skip", on_click=_kept("skipped").update, args=({lesson.id: True},),
        disabled=prediction(lesson) is None or is_skipped(lesson.id),
    )


def forget(lesson: str) -> None:
    """Begin the lesson anew; in a callback."""
    for name in ("predictions", "skipped"):
        _kept(name).pop(lesson, None)
    show_race(lesson, None)


def _kept(name: str) -> dict[str, Any]:
    return url.memory().setdefault(name, {})
