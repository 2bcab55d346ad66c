"""The Draw page: write a digit, and every network of the lab reads it at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from mnist_lab.data import files
from mnist_lab.digitize import STEPS, Digitized, DigitizeError, Source, digitize
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import default_variant
from mnist_lab.runs.record import RunSummary
from mnist_lab.ui import cache, draw_answers, draw_charts, draw_state, widget_state
from mnist_lab.ui.draw_answers import Said
from mnist_lab.ui.draw_input import show_input
from mnist_lab.ui.draw_keep import show_keep
from mnist_lab.ui.draw_state import RUN, url
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.pictures import page_uri

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

TRAIN_PAGE = "mnist_lab/ui/views/train.py"
STEP_WIDTH = 88  # pixels; three beside each other on a phone, all eight on a desktop
MILLI = 1000


@dataclass(frozen=True, eq=False)
class Answers:
    """What all networks say, the one that was chosen, and the seconds it took with all the steps before."""

    said: list[Said]
    chosen: Said
    damaged: int
    seconds: float


def render_draw() -> None:
    """Draw the page from top to bottom: what comes in, what it is read as, how it got there, and a look inside."""
    st.title("Draw a digit")
    st.markdown("Write one digit, and every network of the lab reads it at once.")
    library = cache.library()
    left, right = st.columns([5, 6], gap="large")
    with left:
        source = show_input()
    runs = draw_answers.readers(library, url.values().get(RUN))
    done, seconds = _digitize(source, right)
    answers = None
    with right:
        if not runs:
            st.info("There is no trained network yet. Train one, and it reads what you draw here.")
            st.page_link(TRAIN_PAGE, label="Start a run on the Train page")
        elif source is None:
            st.info("Nothing here yet. As soon as there is a digit, every network reads it.", icon="✏️")
        elif done is not None:
            answers = _ask(done, runs, library, seconds)
    with st.container(key="draw_steps_box"):
        _steps(done, answers.chosen.digit if answers else None)
    with st.container(key="draw_answers_box"):
        if answers and done:
            _show_answers(done, answers)
    show_keep(done.image if done else None, answers.chosen.digit if answers else None, runs)


def _digitize(source: Source | None, place: DeltaGenerator) -> tuple[Digitized | None, float]:
    """The digit, if there is one, and how many seconds it took; what is wrong with the picture is said at `place`."""
    if source is None:
        return None, 0.0
    started = time.perf_counter()
    with place:
        try:
            done = digitize(source, draw_state.steps())
        except DigitizeError as error:
            st.warning(plain(str(error)), icon="⚠️")
            return None, 0.0
        if done.problem:
            st.warning(plain(done.problem), icon="⚠️")
    return done, time.perf_counter() - started


def _ask(done: Digitized, runs: list[RunSummary], library: Library, seconds: float) -> Answers | None:
    """Ask every network, and show the answer of the chosen one; None if none could be asked."""
    waiting = st.empty()
    if not cache.engine_ready():
        waiting.caption("The first answer takes some seconds: PyTorch is being loaded.")
    networks, damaged = draw_answers.networks_of(runs)
    started = time.perf_counter()  # the networks are read once, and not again for the next digit
    said = draw_answers.ask(networks, done.image)
    waiting.empty()
    if not said:
        st.error("No network could be asked: their files are damaged.")
        return None
    asked_in = time.perf_counter() - started
    asked = url.values().get(RUN)
    default = default_variant(library)
    wanted = [id for id in (asked, default.id if default else None) if id]
    by_id = {one.run.id: one for one in said}
    chosen = next((by_id[id] for id in wanted if id in by_id), said[0])
    answers = Answers(said, chosen, damaged, asked_in + seconds)
    if asked and asked != chosen.run.id:
        st.warning(plain(f"{_why_another(asked, runs, library)} Another network is shown."), icon="⚠️")
    _headline(answers)
    return answers


def _why_another(asked: str, runs: list[RunSummary], library: Library) -> str:
    if any(run.id == asked for run in runs):
        return f"The network {asked} cannot be asked: its files are damaged."
    return library.why_not(asked)


def _headline(answers: Answers) -> None:
    chosen, said = answers.chosen, answers.said
    with st.container(horizontal=True, gap="large", key="draw_headline"):
        st.metric("Read as", str(chosen.digit), width="content")
        st.metric("Confidence", f"{100 * chosen.chances.max():.1f} %", width="content")
    text = draw_answers.agreement_text(said, chosen.digit)
    many = f"{len(said)} network{'s' * (len(said) > 1)}"
    took = f"Read by {many} in {MILLI * answers.seconds:.0f} ms, all steps included."
    st.caption("  \n".join(line for line in (f"By {plain(chosen.name)}.", text, took) if line))
    with st.container(key="draw_probabilities"):
        st.vega_lite_chart(spec=draw_charts.probability_spec(chosen.chances), width="stretch")
    second = int(np.argsort(-chosen.chances)[1])
    st.caption(f"The next most likely digit is {second}, with {100 * chosen.chances[second]:.1f} %.")


def _steps(done: Digitized | None, digit: int | None) -> None:
    """The way to 28 x 28, every step with its picture, and the switches."""
    st.subheader("The way to 28 x 28")
    on = draw_state.steps()
    key, default = widget_state.widget("draw_steps", on, tuple(STEPS))
    st.pills(
        "Steps that are on: switch one off to see why it is there", list(STEPS), selection_mode="multi",
        default=default, key=key, format_func=lambda step: STEPS[step].label,
        on_change=lambda: draw_state.set_steps(widget_state.widget_value("draw_steps", key)),
    )
    off = [step for step in STEPS if step not in on]
    with st.container():
        if off:
            st.caption("  \n".join(f"**{STEPS[step].label}** is off. {STEPS[step].help}" for step in off))
    with st.container(horizontal=True, gap="small", key="draw_steps"):
        if done is not None:
            _strip(done, digit)
    st.caption(
        "The networks have only ever seen MNIST: white digits on black, 20 pixels tall or wide, their centre of mass "
        "in the middle of 28 x 28. So whatever comes in is brought to that first."
    )


def _strip(done: Digitized, digit: int | None) -> None:
    for shown in done.shown:
        label = "As it came in" if shown.step == "input" else STEPS[shown.step].label
        _picture(shown.picture, label, shown.remark)
    if digit is not None:
        _picture(average_digit(digit), f"An average {digit} of MNIST", "")


def _picture(picture: np.ndarray, label: str, remark: str) -> None:
    height, width = picture.shape
    with st.container(width=STEP_WIDTH, gap="xsmall"):
        st.image(page_uri(picture, STEP_WIDTH), alt=f"{label}: {width} x {height} pixels")
        lines = [text for text in (label, remark, f"{width} x {height}") if text]
        st.caption("  \n".join(lines), text_alignment="center")


@lru_cache(maxsize=10)
def average_digit(digit: int) -> np.ndarray:
    """The mean of the bundled digits of that class, uint8 [28, 28]."""
    images, labels = files.read_sample()
    return images[labels == digit].mean(0).round().astype(np.uint8)


def _show_answers(done: Digitized, answers: Answers) -> None:
    st.subheader("What every network reads")
    draw_answers.show_table(answers.said, answers.chosen)
    st.caption(draw_answers.NAMES_HELP)
    if answers.damaged:
        st.caption(f"{answers.damaged} more cannot be asked: their files are damaged.")
    names = {one.run.id: one.name for one in answers.said}
    url.choose("Look inside", RUN, names, answers.chosen.run.id)
    draw_answers.show_inside(done.image, answers.chosen)
