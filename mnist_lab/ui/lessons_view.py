"""The Lessons page: all lessons, or the one that is open."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_lab.lessons.files import BrokenLesson, load_lessons
from mnist_lab.lessons.model import Lesson
from mnist_lab.ui import lessons_state
from mnist_lab.ui.lessons_page import render_lesson
from mnist_lab.ui.lessons_state import url
from mnist_lab.ui.markdown import plain

INTRO = (
    "Each lesson is a question. Say what you expect, run it, and see what came out, why, and what many recorded runs "
    "say about it."
)
FOR_TEACHERS = (
    "A lesson is a text file. Those of the lab are in the folder `mnist_lab/lessons/texts`; the file `README.md` there "
    "says what is in one. Put another file there, or into the folder that the variable `MNIST_LAB_LESSONS` names, and "
    "it is in this list at once. A lesson has an address of its own: open it, and copy the address."
)


def render_lessons() -> None:
    """Draw the page."""
    st.title("Lessons")
    lessons, broken = load_lessons()
    asked = url.values().get(lessons_state.LESSON)
    place = next((place for place, lesson in enumerate(lessons) if lesson.id == asked), None)
    if place is not None:
        render_lesson(lessons[place], place + 1, lessons[place + 1] if place + 1 < len(lessons) else None)
        return
    if asked:
        st.warning(plain(_why_not(asked, broken)), icon="⚠️")
    st.markdown(INTRO)
    for number, lesson in enumerate(lessons, start=1):
        _card(number, lesson)
    for one in broken:
        st.warning(plain(f"{one.path.name} is no lesson that can be shown. {one.problem}"), icon="⚠️")
    with st.expander("For teachers: write a lesson"):
        st.markdown(FOR_TEACHERS)


def _why_not(asked: str, broken: Sequence[BrokenLesson]) -> str:
    if any(one.path.stem == asked for one in broken):
        return f"The lesson {asked[:60]!r} cannot be shown: its file has a mistake, which is named below."
    return f"There is no lesson {asked[:60]!r}. Choose one of these."


def _card(number: int, lesson: Lesson) -> None:
    with st.container(border=True, key=f"lessons_card_{lesson.id}"):
        st.markdown(f"**{number}. {plain(lesson.title)}**  \n{lesson.question}")
        what = "Open" if lessons_state.prediction(lesson) is None else "Go on with"
        st.button(
            f"{what} lesson {number}", key=f"lessons_open_{lesson.id}", on_click=lessons_state.open_lesson,
            args=(lesson.id,),
        )
