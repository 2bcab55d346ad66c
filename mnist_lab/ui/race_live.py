"""A race while it goes, and its verdict: what every page that shows a race has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import streamlit as st

from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.race import Race, stop_race
from mnist_lab.runs.store import RunStore, may_change
from mnist_lab.ui import race_model, race_text, run_text, state
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.race_model import RaceModel

POLL_SECONDS = 0.7


def follow_race(
    race: Race, queue: RunQueue, store: RunStore, was_live: bool, rerun: Callable[[], NoReturn]
) -> None:
    """The part that is drawn again at every poll. The elements are the same ones each time, in the same order.

    `was_live` is how the whole page was drawn; when that is over, `rerun` draws it again, and there is no more polling.
    """
    model = race_model.look_at(race, queue, store)
    if was_live and not model.is_live:
        rerun()
    label, color, text = race_text.state_text(model, _position(model, queue))
    st.markdown(f":{color}-badge[{label}] {text}")
    st.progress(model.done)
    _stop_button(model, queue)
    with st.container():
        if warning := run_text.sample_warning(model.data()):
            st.warning(warning)
    _curves(model)
    lines = race_model.standings(model)
    st.caption(race_text.takeaway(lines, race))
    st.markdown("**Standings**", help=(
        "Accuracy is the share of test digits read correctly, after the last epoch so far. In training: the share of "
        "training images that got the label they carry, wrong labels included, counted during the last epoch."
    ))
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


def show_verdict(model: RaceModel) -> None:
    """Which of the differences to the first contestant are more than chance."""
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
