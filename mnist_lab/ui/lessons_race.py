"""The race of a lesson: the button that starts it, and the race while it goes and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import streamlit as st

from mnist_lab.lessons.figures import Rows, race_rows
from mnist_lab.lessons.model import Lesson, Visit
from mnist_lab.runs.race import Race, RaceStore, start_race
from mnist_lab.runs.record import RunError
from mnist_lab.ui import cache, class_state, lessons_state, race_model, race_text, source, state
from mnist_lab.ui.lessons_links import visit_link
from mnist_lab.ui.lessons_state import url
from mnist_lab.ui.lessons_text import PREDICT_FIRST, RECORDED_INSTEAD
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.race_live import POLL_SECONDS, follow_race, show_verdict
from mnist_lab.ui.race_model import RaceModel
from mnist_lab.ui.race_plan import too_few
from mnist_lab.ui.race_state import RACE

SHARED_BY_THE_CLASS = "The class has one such race together: whoever presses first starts it, and the others see it."


@dataclass(frozen=True)
class RacePart:
    """What there is of a lesson's race: whether it is over, its figures, and the first run of each contestant."""

    over: bool = False
    rows: Mapping[str, Rows] | None = None
    runs: Mapping[str, str] = field(default_factory=dict)


def render_race_part(lesson: Lesson) -> RacePart:
    """Draw it; before the prediction only what will be there."""
    predicted = lessons_state.prediction(lesson) is not None
    id = url.values().get(lessons_state.RACE)
    if not id or not predicted:
        _offer(lesson, predicted, bool(id))
        return RacePart()
    try:
        race = RaceStore(cache.store()).load(id)
    except RunError as error:
        st.warning(plain(f"{error} Run it again, or look at the recorded runs."), icon="⚠️")
        _offer(lesson, predicted, False)
        return RacePart()
    if set(lesson.race.names) != {one.name for one in race.contestants}:
        st.warning("The race of this link is not the one of this lesson. Start the lesson's own.", icon="⚠️")
        _offer(lesson, predicted, False)
        return RacePart()
    return _show(lesson, race)


def _offer(lesson: Lesson, predicted: bool, is_linked: bool) -> None:
    status = source.show_source()
    names = race_text.list_names([f"“{plain(one.name)}”" for one in lesson.race.contestants])
    plan = race_text.plan_text(lesson.race.contestants, lesson.race.seeds, status["train"])
    st.markdown(f"{plain(lesson.race.name)}: {names}.")
    reason = _why_not(lesson, predicted, status)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Run it", type="primary", key="lessons_run", icon=":material/play_arrow:", on_click=_start,
            args=(lesson, url.values().get(lessons_state.RACE)), disabled=reason is not None,
        )
        lessons_state.skip_button(lesson)
    if is_linked and not predicted:
        st.caption("It was started already. Predict, and you see what comes of it.")
    elif reason:
        st.caption(plain(reason))
    else:
        st.caption(f"{plan} {SHARED_BY_THE_CLASS}" if cache.classroom() else plan)
    with st.container(key="lessons_notes"):
        for text in url.memory().pop("problems", []):
            st.error(plain(text))


def _why_not(lesson: Lesson, predicted: bool, status: dict) -> str | None:
    if not predicted:
        return PREDICT_FIRST
    if cache.engine_problem():
        return cache.engine_problem()
    if problems := too_few(lesson.race.contestants, status):
        return " ".join(problems)
    runs = [one.config.replace(seed=seed) for seed in range(lesson.race.seeds) for one in lesson.race.contestants]
    if (refused := class_state.refused(runs)) and _of_the_class(lesson) is None:  # one that is there starts nothing
        return f"{refused} {RECORDED_INSTEAD}"
    return "One moment: waiting for the browser." if state.owner_hash() is None else None


def _start(lesson: Lesson, shown: str | None) -> None:
    if url.values().get(lessons_state.RACE) != shown:
        return  # the second click of a double click
    try:
        race = _of_the_class(lesson) or start_race(
            cache.queue(), lesson.race.contestants, range(lesson.race.seeds), name=lesson.title,
            owner=state.owner_hash(),
        )
    except (RunError, OSError) as error:
        url.memory()["problems"] = [str(error)]
    else:
        lessons_state.show_race(lesson.id, race.id)


def _of_the_class(lesson: Lesson) -> Race | None:
    """In class mode, this race if somebody has started it: thirty of them would stand in line and come out the same."""
    if cache.classroom() is None:
        return None
    queue, store = cache.queue(), cache.store()
    contestants = tuple(replace(one, config=one.config.replace(seed=0)) for one in lesson.race.contestants)
    for race in RaceStore(store).list():
        if (race.contestants, race.seeds) == (contestants, tuple(range(lesson.race.seeds))):
            runs = race_model.look_at(race, queue, store).all_runs
            if all(run.is_live or run.state == "finished" for run in runs):
                return race
    return None


def _show(lesson: Lesson, race: Race) -> RacePart:
    queue, store = cache.queue(), cache.store()
    model = race_model.look_at(race, queue, store)
    st.fragment(follow_race, run_every=POLL_SECONDS if model.is_live else None)(
        race, queue, store, model.is_live, lessons_state.rerun
    )
    if model.is_live:
        st.caption("The explanation follows when the race is over.")
        lessons_state.skip_button(lesson)
        return RacePart()
    with st.container(key="lessons_verdict"):
        show_verdict(model)
    names, runs = lesson.race.names, _first_runs(model, lesson.race.names)
    visit = Visit(text="", label="Open it on the Race page", page="Race", values={RACE: race.id})
    visit_link(visit, runs)
    return RacePart(True, race_rows(race, names, store), runs)


def _first_runs(model: RaceModel, names: Mapping[str, str]) -> dict[str, str]:
    """By contestant, a run that can be looked at: finished, and still there."""
    found = {}
    for one, runs in zip(model.race.contestants, model.runs, strict=True):
        there = [run.id for run in runs if run.state == "finished"]
        found |= {names[one.name]: there[0]} if there else {}
    return found
