"""One lesson: the question, the prediction, something to run, what came out, why, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from mnist_lab.lessons.claims import Judged, judge
from mnist_lab.lessons.figures import NotMeasuredError, Records, Rows, fill
from mnist_lab.lessons.model import Lesson
from mnist_lab.ui import lessons_state, lessons_text, mistakes_game, page_state
from mnist_lab.ui.lessons_links import visit_link
from mnist_lab.ui.lessons_race import RacePart, render_race_part
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.mistakes_state import PAGE as MISTAKES
from mnist_lab.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED, UNMEASURED

BADGES = {
    SUPPORTED: ("Shown", "green"), CONTRADICTED: ("Not so", "red"), UNDECIDED: ("Not decided", "orange"),
    UNMEASURED: ("Not measured yet", "gray"),
}


def render_lesson(lesson: Lesson, number: int, following: Lesson | None) -> None:
    """Draw the lesson, the `number`-th of the list; `following` is the one after it."""
    back = ":material/arrow_back:"
    st.button("All lessons", key="lessons_list", icon=back, on_click=lessons_state.open_lesson, args=(None,))
    st.header(f"Lesson {number}: {plain(lesson.title)}")
    records = Records()
    st.markdown(f"**{fill(lesson.question, lesson.figures, records)}**")
    if lesson.about:
        st.markdown(fill(lesson.about, lesson.figures, records))
    _ask(lesson, records)
    st.subheader("2. Try it")
    part = render_race_part(lesson) if lesson.race else RacePart()
    game = None if lesson.race else _visit_part(lesson)
    predicted = lessons_state.prediction(lesson) is not None
    if predicted and (part.over or game or lessons_state.is_skipped(lesson.id)):
        records = Records(race=part.rows, game=game)
        _result(lesson, records)
        _why(lesson, records)
        _next(lesson, records, part.runs, following)


def _ask(lesson: Lesson, records: Records) -> None:
    st.subheader("1. Predict")
    options = [fill(option.text, lesson.figures, records) for option in lesson.predict.options]
    question, place = fill(lesson.predict.question, lesson.figures, records), lessons_state.prediction(lesson)
    seen = lessons_state.url.values().get(lessons_state.RACE) or lessons_state.is_skipped(lesson.id)
    with st.container(key="lessons_predict"):
        if seen and place is not None:  # what came out is on the page
            st.markdown(f"{question}  \nYour prediction: **{options[place]}**")
        else:
            lessons_state.ask(question, lesson, options)


def _visit_part(lesson: Lesson) -> Mapping[str, Rows] | None:
    """The link to the page where this lesson's experiment is; what the session has done there so far."""
    predicted = lessons_state.prediction(lesson) is not None
    st.markdown(fill(lesson.visit.text, lesson.figures, Records()))
    with st.container(horizontal=True, vertical_alignment="center"):
        visit_link(lesson.visit, {}, disabled=not predicted)
        lessons_state.skip_button(lesson)
    if not predicted:
        st.caption(lessons_text.PREDICT_FIRST)
    tally = page_state.memory(MISTAKES).get(mistakes_game.TALLY_KEY, [])
    return lessons_text.game_rows(tally)


def _result(lesson: Lesson, records: Records) -> None:
    st.subheader("3. What came out")
    place = lessons_state.prediction(lesson)
    options = [fill(option.text, lesson.figures, records) for option in lesson.predict.options]
    rows = [{"": "Your prediction", "Measured": "", "That is": options[place]}]
    found = {}
    own = "Your race" if lesson.race else "Your rounds"
    for who, name in ((own, lesson.predict.own), ("The recorded runs", lesson.predict.record)):
        if not name:
            continue
        try:
            one = records.find(lesson.figures[name])
        except NotMeasuredError:
            continue
        found[who] = lesson.predict.answer(one.value)
        rows.append({"": who, "Measured": plain(one.text("sure")), "That is": options[found[who]]})
    st.table(rows, border="horizontal", hide_index=True)
    st.markdown(lessons_text.compared(place, found))


def _why(lesson: Lesson, records: Records) -> None:
    st.subheader("4. Why")
    judged = judge(lesson, records)
    for problem in dict.fromkeys(one.figure for one in judged if one.outcome == UNMEASURED):
        st.info(plain(problem))
    if any(one.outcome == CONTRADICTED for one in judged):
        st.warning(lessons_text.NOT_SO, icon="⚠️")
    st.markdown(fill(lesson.explanation, lesson.figures, records))
    if judged:
        st.markdown("**What the recorded runs show**")
        for one in judged:
            st.markdown(_claim(lesson, one, records))
    for source in lesson.sources:
        st.caption(source)


def _claim(lesson: Lesson, one: Judged, records: Records) -> str:
    label, color = BADGES[one.outcome]
    said = fill(one.claim.text, lesson.figures, records)
    if one.outcome == UNMEASURED:
        return f":{color}-badge[{label}] {said.removesuffix(':')}."
    return f":{color}-badge[{label}] {said} {plain(one.figure)}{'.' if one.complete else ', so far.'}"


def _next(lesson: Lesson, records: Records, runs: Mapping[str, str], following: Lesson | None) -> None:
    st.subheader("Try this next")
    for place, one in enumerate(lesson.next):
        with st.container(key=f"lessons_next_{place}"):
            st.markdown(fill(one.text, lesson.figures, records))
            if one.page:
                visit_link(one, runs)
    with st.container(horizontal=True):
        st.button("Do this lesson again", key="lessons_again", on_click=lessons_state.forget, args=(lesson.id,))
        if following:
            st.button(
                f"Next lesson: {plain(following.title)}", key="lessons_following",
                on_click=lessons_state.open_lesson, args=(following.id,),
            )
