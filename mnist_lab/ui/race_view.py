"""The Race page: settings side by side, with the same seeds, live; then the verdict."""

from __future__ import annotations

import streamlit as st

from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.race import Race, RaceStore, complete_race, stop_race
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore, may_change
from mnist_lab.ui import cache, race_model, race_text, run_text, state
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.race_model import RaceModel
from mnist_lab.ui.race_setup import render_setup, start
from mnist_lab.ui.race_state import RACE, rerun, show_race, url

TRAIN_PAGE = "mnist_lab/ui/views/train.py"
POLL_SECONDS = 0.7
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
    st.fragment(_follow, run_every=POLL_SECONDS if model.is_live else None)(race, queue, store, model.is_live)
    with st.container(key="race_notes"):
        for text in url.memory().pop("problems", []):
            st.error(plain(text))
    with st.container(key="race_verdict"):
        _verdict(model)
    with st.container(key="race_after"):
        _after(model)


def _follow(race: Race, queue: RunQueue, store: RunStore, was_live: bool) -> None:
    """The part that is drawn again at every poll. The elements are the same ones each time, in the same order."""
    model = race_model.look_at(race, queue, store)
    if was_live and not model.is_live:
        rerun()  # one full run, which polls no more
    label, color, text = race_text.state_text(model, _position(model, queue))
    st.markdown(f":{color}-badge[{label}] {text}")
    st.progress(model.done)
    _stop_button(model, queue)
    with st.container():
        if warning := run_text.sample_warning(model.data()):
            st.warning(warning)
    _curves(model)
    lines = race_model.standings(model)
    st.caption(race_text.takeaway(lines))
    st.markdown("**Standings**")
    st.table(
        [race_text.standing_cells(line, place, race) for place, line in enumerate(lines, start=1)],
        border="horizontal", hide_index=True,
    )
    with st.container(key="race_trouble"):
        for trouble in race_text.trouble_texts(model):
            st.warning(trouble)


def _curves(model: RaceModel) -> None:
    from mnist_lab.ui.live_chart import live_chart  # with Altair, which takes half a second to import
    from mnist_lab.ui.race_chart import arrow_chart

    seeds = len(model.race.seeds)
    st.markdown("**Accuracy**", help=(
        "The share of digits read correctly among those kept for the test, after every epoch that was tested."
        + (" A thick line is a contestant's mean over its seeds, a pale line one seed." if seeds > 1 else "")
    ))
    empty = "Appears after the first test." if model.is_live else "There is nothing to draw: no run was tested."
    live_chart(arrow_chart(model), "race_chart", empty)


def _stop_button(model: RaceModel, queue: RunQueue) -> None:
    race, owner = model.race, state.owner_hash()
    reason = None
    if not model.is_live:
        reason = "This race is over."
    elif not may_change(race.owner_hash, owner):
        reason = "Only the browser that started this race can stop it."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Stop the race", key="race_stop", icon=":material/stop_circle:", disabled=reason is not None, help=reason,
            on_click=stop_race, args=(queue, race, owner),
        )
        st.caption(reason or "Ends the runs under way and takes the others out of the line. What is finished is kept.")


def _position(model: RaceModel, queue: RunQueue) -> int:
    """The place in line of the first run that waits."""
    jobs = [queue.job(run.id) for run in model.all_runs if run.state == "queued"]
    return min((queue.position(job) for job in jobs if job), default=0)


def _verdict(model: RaceModel) -> None:
    st.subheader("Is it real?")
    found = race_model.outcomes(model)
    st.markdown(race_text.verdict_headline(found, model.race, model.is_live))
    judged = [one for one in found if one.difference]
    if model.is_live or not judged:
        return
    from mnist_lab.ui.compare_real import forest
    from mnist_lab.ui.compare_show import show

    show(forest(
        [one.name for one in judged], [one.difference for one in judged], f"“{judged[0].against}”",
        (model.data().get("test_images", 0), "test"), "Difference (points of test accuracy)", "race_forest",
        corrected=True,
    ))
    for one in found:
        if one.problem:
            st.caption(plain(f"{one.name} is left out. {one.problem}"))


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
        if st.button("Open run", key="race_open_run"):
            try:
                state.open_run(id)
            except RunError as error:
                st.error(plain(str(error)))
            else:
                st.switch_page(TRAIN_PAGE)


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
