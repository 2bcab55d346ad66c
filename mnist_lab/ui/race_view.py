"""The Race page: settings side by side, with the same seeds, live; then the verdict."""

from __future__ import annotations

import streamlit as st

from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.race import Race, RaceStore, complete_race
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore, may_change
from mnist_lab.ui import cache, race_model, race_text, run_text, state
from mnist_lab.ui.address import RUN
from mnist_lab.ui.links import page_link
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.race_live import POLL_SECONDS, follow_race, show_verdict
from mnist_lab.ui.race_model import RaceModel
from mnist_lab.ui.race_setup import render_setup, start
from mnist_lab.ui.race_state import RACE, rerun, show_race, url

RUN_AGAIN = ("stopped", "interrupted", race_model.GONE)
LISTED = 10  # earlier races
MORE_SEEDS = 5
INTRO = (
    "Several settings train side by side, with the same seeds. Watch their curves, and see at the end which "
    "differences are more than chance."
)


def render_race() -> None:
    """Draw the page."""
    st.title("Race")
    id = url.values().get(RACE)
    if not id:
        st.markdown(INTRO)
        render_setup()
        _earlier()
        return
    try:
        race = RaceStore(cache.store()).load(id)
    except RunError as error:
        st.warning(plain(str(error)))
        st.button("Set up a race", key="race_new", on_click=url.go, kwargs={RACE: None})
        return
    _show(race, cache.queue(), cache.store())


def _show(race: Race, queue: RunQueue, store: RunStore) -> None:
    st.subheader(plain(race.name))
    model = race_model.look_at(race, queue, store)
    st.fragment(follow_race, run_every=POLL_SECONDS if model.is_live else None)(
        race, queue, store, model.is_live, rerun
    )
    with st.container(key="race_notes"):
        for text in url.memory().pop("problems", []):
            st.error(plain(text))
    with st.container(key="race_verdict"):
        show_verdict(model)
    with st.container(key="race_after"):
        _after(model)


def _after(model: RaceModel) -> None:
    race = model.race
    st.caption(
        f"{race_text.SHARED} This race has an address of its own: whoever opens it sees the same. "
        f"Started {run_text.when_text(race.started)}."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Set up another race", key="race_new", on_click=url.go, kwargs={RACE: None})
        if not model.is_live and len(race.seeds) < MORE_SEEDS:
            st.button(
                f"Race again with {MORE_SEEDS} seeds", key="race_again", on_click=start,
                args=(race.name, race.contestants, range(MORE_SEEDS)), disabled=state.owner_hash() is None,
                help="More seeds make the intervals of the verdict narrower.",
            )
        _complete_button(model)
    _open_a_run(model)


def _complete_button(model: RaceModel) -> None:
    """For a race that lost runs: to a closed lab, to Stop, or to somebody who deleted them."""
    lost = [run.id for run in model.all_runs if run.state in RUN_AGAIN]
    if model.is_live or not lost or not may_change(model.race.owner_hash, state.owner_hash()):
        return
    st.button(
        f"Run what is missing ({len(lost)})", key="race_complete", on_click=_complete, args=(model.race, lost),
        help="Puts the runs that were stopped, interrupted or deleted in line again, with the same settings and seeds.",
    )


def _complete(race: Race, lost: list[str]) -> None:
    try:
        now = RaceStore(cache.store()).load(race.id)
        if still := set(lost) & set(now.run_ids):  # else it is the second click of a double click
            complete_race(cache.queue(), now, still)
    except (RunError, OSError) as error:
        url.memory()["problems"] = [str(error)]


def _open_a_run(model: RaceModel) -> None:
    """Any run of the race, on the Train page; they are all on the Runs page too."""
    there = {run.id: f"{one.name} · seed {run.seed}"
             for one, runs in zip(model.race.contestants, model.runs, strict=True)
             for run in runs if run.state not in ("queued", race_model.GONE)}
    if not there:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        id = st.selectbox("A run of this race", list(there), format_func=lambda id: there.get(id, id), key="race_run")
        page_link("Open run", state.TRAIN, {RUN: id})


def _earlier() -> None:
    races = RaceStore(cache.store()).list()[:LISTED]
    if not races:
        return
    st.subheader("Earlier races")
    for race in races:
        count = f"{len(race.contestants)} contestants, {len(race.seeds)} seed{'s' * (len(race.seeds) > 1)}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Open", key=f"race_open_{race.id}", on_click=show_race, args=(race.id,))
            st.markdown(f"{plain(race.name)} · {count} · {run_text.when_text(race.started)}")
