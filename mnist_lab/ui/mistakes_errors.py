"""One network's errors: the confusion matrix, what is chosen of it, and the chosen images."""

from __future__ import annotations

import streamlit as st

from mnist_lab.evaluation import DIGITS
from mnist_lab.runs.library import Library
from mnist_lab.ui import mistakes_select, mistakes_text, page_state
from mnist_lab.ui.mistakes_charts import CELL, confusion_chart
from mnist_lab.ui.mistakes_data import Subject
from mnist_lab.ui.mistakes_gallery import show_downloads, show_gallery
from mnist_lab.ui.mistakes_select import SORTS, Choice
from mnist_lab.ui.mistakes_state import RUN, url

ANY = "any"
DIGIT_OPTIONS = {ANY: ANY} | {str(digit): str(digit) for digit in range(DIGITS)}


def render_errors(subject: Subject, library: Library) -> None:
    """Draw this part of the page."""
    choice = mistakes_select.read_choice(url.values())
    left, right = st.columns([3, 2], gap="large")
    with left:
        _confusion(subject, choice)
    with right:
        _controls(choice)
    rows = mistakes_select.select(subject.answers, choice)
    st.markdown(mistakes_text.chosen_text(len(rows), subject.answers, choice.label, choice.answer))
    show_gallery(subject, rows, choice.page, library, {RUN: subject.run.id})
    show_downloads(subject, rows)


def _confusion(subject: Subject, choice: Choice) -> None:
    st.markdown("**Which digit is read as which**", help=(
        "Each row is a label, each column an answer of the network, each number counts images. The grey diagonal is "
        "what was read as labelled; the blue cells are errors, darker for more. Click a cell to see its images."
    ))
    table = subject.answers.confusion()
    # Another key for every choice: the chart's own idea of what is chosen cannot be set, only begun anew.
    key = f"mistakes_cells_{subject.run.id}_{choice.label}_{choice.answer}"
    with st.container(key="mistakes_confusion"):
        st.vega_lite_chart(
            spec=confusion_chart(table, choice.label, choice.answer).to_dict(), width="stretch", key=key,
            on_select=lambda: _take_cell(key), selection_mode=CELL,
        )
    st.caption(mistakes_text.confusion_text(table))


def _take_cell(key: str) -> None:
    cells = page_state.widget_value(key)["selection"].get(CELL)
    if cells:
        url.go(true=cells[0]["true"], predicted=cells[0]["read"], page=None, image=None)


def _controls(choice: Choice) -> None:
    st.markdown("**Choose images**", help="Or click a cell of the table.")
    one, other = st.columns(2)
    with one:
        url.choose("Label", "true", DIGIT_OPTIONS, _option(choice.label), to_text=_digit_text)
    with other:
        url.choose("Read as", "predicted", DIGIT_OPTIONS, _option(choice.answer), to_text=_digit_text)
    url.slide(
        "Confidence of the network", "confidence", 0, 100, (choice.low, choice.high), format="%d %%",
        to_text=mistakes_select.range_text,
    )
    url.choose("Order", "sort", SORTS, choice.sort)
    plain_choice = Choice(sort=choice.sort, page=choice.page) == choice
    st.button(
        "Show all errors", key="mistakes_all", on_click=url.go, disabled=plain_choice,
        kwargs=dict.fromkeys(("true", "predicted", "confidence", "page", "image")),
    )


def _option(digit: int | None) -> str:
    return ANY if digit is None else str(digit)


def _digit_text(option: str) -> str | None:
    return None if option == ANY else option
