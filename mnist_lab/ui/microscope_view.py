"""The Microscope page: what a run's regularizers do to its weights, its norms and its gradients."""

from __future__ import annotations

import streamlit as st

from mnist_lab.data.files import DataError
from mnist_lab.runs.library import Library
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunError
from mnist_lab.ui import cache, microscope_find, run_text
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.microscope_find import Option
from mnist_lab.ui.microscope_state import BESIDE, RUN, SHOW, url
from mnist_lab.ui.run_find import FoundRun

TRAIN_PAGE = "mnist_lab/ui/views/train.py"
POLL_SECONDS = 1.0  # what is followed changes once an epoch
NONE = "none"
WEIGHTS, PENALTY, PRUNING, SIZE, GHOSTS = "weights", "penalty", "pruning", "size", "ghosts"
PARTS = {
    WEIGHTS: "Weights", PENALTY: "Penalty", PRUNING: "Pruning", SIZE: "Size and scale", GHOSTS: "Ghost batches",
}


def render_microscope() -> None:
    """Draw the page."""
    st.title("Microscope")
    st.markdown("What do L1, L2 and the norms do inside a network? Look at one run, and at another beside it.")
    library, queue = cache.library(), cache.queue()
    options = microscope_find.options(queue, library)
    if not options:
        st.info("There is no run to look at yet. Start one: it can be looked at while it learns.")
        st.page_link(TRAIN_PAGE, label="Start a run on the Train page")
        return
    left, right = st.columns(2)
    with left:
        id = _pick(options)
    with right:
        other = _pick_beside(id, options)
    try:
        run = microscope_find.find(id, queue, library)
        beside = microscope_find.find(other, queue, library) if other else None
    except RunError as error:
        st.error(plain(str(error)))
        return
    _status(run, beside)
    shown = url.one_of(SHOW, PARTS, WEIGHTS)
    url.switch("Part of the page", SHOW, PARTS, shown)
    try:
        _part(shown, run, beside, queue, library)
    except (RunError, DataError) as error:
        st.info(plain(str(error)))


def _pick(options: dict[str, Option]) -> str:
    asked = url.values().get(RUN)
    id = asked if asked in options else microscope_find.default_run(options)
    url.memory()[RUN] = id
    with st.container():
        if asked and asked != id:
            st.warning(plain(
                f"There is nothing to look at in the run {asked}: no epoch of it has ended, or it was deleted. Another "
                "run is shown."
            ), icon="⚠️")
    url.choose("Run", RUN, list(options), id, say=lambda id: options[id].text if id in options else id)
    return id


def _pick_beside(id: str, options: dict[str, Option]) -> str | None:
    asked, twin = url.values().get(BESIDE), microscope_find.twin(id, options)
    others = [other for other in options if other != id]
    beside = asked if asked in (*others, NONE) else twin or NONE
    with st.container():
        if asked and asked not in (beside, id):
            st.warning(plain(
                f"There is nothing to look at in the run {asked}: no epoch of it has ended, or it was deleted. "
                f"{'Its twin' if twin else 'No other run'} is shown beside this one."
            ), icon="⚠️")
    url.choose(
        "Beside it", BESIDE, [NONE, *others], beside,
        say=lambda other: "No other run" if other == NONE else _name(other, twin, options),
        help="At first the same settings without L1 and weight decay, or with them, if there is such a run.",
    )
    return None if beside == NONE else beside


def _name(id: str, twin: str | None, options: dict[str, Option]) -> str:
    text = options[id].text if id in options else id
    return f"{text} · its twin" if id == twin else text


def _status(run: FoundRun, beside: FoundRun | None) -> None:
    for found in (run, beside):
        if found is not None:
            label, color = run_text.STATES[found.state]
            st.caption(f":{color}-badge[{label}] {run_text.settings_text(found.config, found.preset)}")


def _part(shown: str, run: FoundRun, beside: FoundRun | None, queue: RunQueue, library: Library) -> None:
    # Each part is imported when it is shown.
    if shown == PRUNING:
        from mnist_lab.ui.microscope_pruning import render_pruning

        _say_when(run)
        render_pruning(run, beside, library)
    elif shown == GHOSTS:
        from mnist_lab.ui.microscope_ghost_viewer import render_ghosts

        _say_when(run)
        render_ghosts(run, library)
    else:
        _with_history(shown, run, beside, queue, library)


def _say_when(run: FoundRun) -> None:
    """Of a run that goes on: with which weights the rest is drawn, which is not done again by itself."""
    if run.is_live and run.progress.history:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Take its latest weights", key="microscope_latest", help="Draws the page again.")
            st.caption(f"What follows is drawn with the weights after epoch {len(run.progress.history)}.")


def _with_history(shown: str, run: FoundRun, beside: FoundRun | None, queue: RunQueue, library: Library) -> None:
    """A part that begins with the history, which is followed while the run goes, and ends with the latest weights."""
    from mnist_lab.ui import microscope_penalty, microscope_size, microscope_weights

    part = {WEIGHTS: microscope_weights, PENALTY: microscope_penalty, SIZE: microscope_size}[shown]
    if run.progress.history:
        part.render_controls(run)

    def follow() -> None:
        found = microscope_find.find(run.id, queue, library) if run.is_live else run
        if found.is_live != run.is_live or (found.progress.history and not run.progress.history):
            st.rerun()  # the whole page, with what there is now
        if found.progress.history:
            part.render_history(found, beside)
        else:
            st.info("Nothing to draw: no epoch of this run has ended" + (" yet." if found.is_live else "."))

    st.fragment(follow, run_every=POLL_SECONDS if run.is_live else None)()
    if run.progress.history:
        _say_when(run)
        part.render_network(run, beside, library)
