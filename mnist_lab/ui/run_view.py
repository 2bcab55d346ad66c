"""One run, live or stored, drawn from its events: status, Stop, charts, and what is left of it at the end."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore
from mnist_lab.ui import run_text, state
from mnist_lab.ui.hints import not_learning
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.run_charts import draw_charts
from mnist_lab.ui.run_ended import render_actions, render_result
from mnist_lab.ui.run_find import FoundRun, find_run

RUNS_PAGE = "mnist_lab/ui/views/runs.py"
POLL_SECONDS = 0.4
POLL_ELSEWHERE_SECONDS = 2.0  # a run of another process is followed by its files, which change once an epoch


def render_run(run_id: str, *, queue: RunQueue, store: RunStore, owner_hash: str | None) -> None:
    """Show a run, and follow it while it goes. Outside any fragment.

    Args:
        run_id: from the URL, so it may be anything.
        queue: the jobs of this process.
        store: the runs on disk.
        owner_hash: hash of this browser's token; None while it is not known. Decides about Stop and Resume.
    """
    try:
        run = find_run(run_id, queue, store)
    except RunError as error:
        st.warning(plain(str(error)))
        st.page_link(RUNS_PAGE, label="See the runs that are kept")
        return
    st.subheader(plain(run.name))
    # Always there, so that what follows keeps its place when a live run has ended.
    result = st.container(key="run_result")
    every = None if not run.is_live else POLL_SECONDS if run.job else POLL_ELSEWHERE_SECONDS
    st.fragment(_follow, run_every=every)(
        lambda: find_run(run_id, queue, store), queue, owner_hash, run.is_live
    )
    if not run.is_live:
        with result:
            render_result(run)
        render_actions(run, queue, owner_hash)


def _follow(find: Callable[[], FoundRun], queue: RunQueue, owner_hash: str | None, was_live: bool) -> None:
    """The part that is drawn again at every poll. The elements are the same ones each time, in the same order."""
    try:
        run = find()
    except RunError:
        state.rerun()  # deleted meanwhile: the whole page says so
    if was_live and not run.is_live:
        state.rerun()  # one full run, which polls no more
    _status(run)
    _stop_button(run, queue, owner_hash)
    _facts(run)
    _hint(run)
    if run.is_live or run.progress.history or run.progress.points:
        draw_charts(run.progress, run.config, live=run.is_live)


def _status(run: FoundRun) -> None:
    label, color = run_text.STATES[run.state]
    if run.state == "queued":
        text = run_text.waiting_text(run.position)
    elif run.is_live:
        text = run_text.status_text(run.progress, run.config)
    else:
        text = run_text.ended_text(run.state, run.progress, run.config.epochs)
    st.markdown(f":{color}-badge[{label}] {text}")
    st.progress(run.progress.fraction)


def _stop_button(run: FoundRun, queue: RunQueue, owner_hash: str | None) -> None:
    reason = _why_no_stop(run, owner_hash)
    # A key of its own: the second click of a double click on Stop is not for this one.
    again = reason is None and run.job.stopping
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Stop at once" if again else "Stop", key="run_stop_now" if again else "run_stop",
            icon=":material/stop_circle:", disabled=reason is not None, help=reason, on_click=_stop,
            args=(run.id, queue, owner_hash, again),
        )
        st.caption(reason or _what_stop_does(run, again))


def _what_stop_does(run: FoundRun, again: bool) -> str:
    if again:
        return "Stopped. The last finished epoch is being tested; this leaves the test out."
    if run.state == "queued":
        return "Takes the run out of the line."
    tested = ", and the last of them is tested" if _has_a_last_test(run) else ""
    return f"Ends the run after the batch at hand. Finished epochs are kept{tested}."


def _has_a_last_test(run: FoundRun) -> bool:
    """Whether a stop may find an epoch that was not tested yet."""
    return run.config.validation or run.config.eval_every > 1


def _why_no_stop(run: FoundRun, owner_hash: str | None) -> str | None:
    """Why this browser cannot stop the run now; None if it can."""
    if not run.is_live:
        return "This run is not going on." if run.state == "interrupted" else "This run has ended."
    if run.job is None:
        return "This run was started outside the app, so it has to be stopped there."
    if not run.job.may_change(owner_hash):
        return "Only the browser that started this run can stop it."
    if run.job.stopping and (run.job.in_a_hurry or not _has_a_last_test(run)):
        return "Stopping after the batch at hand."
    return None


def _stop(run_id: str, queue: RunQueue, owner_hash: str | None, in_a_hurry: bool) -> None:
    if queue.may_change(run_id, owner_hash):
        queue.stop(run_id, in_a_hurry=in_a_hurry)


def _facts(run: FoundRun) -> None:
    started = run.progress.started
    with st.container():
        if started is not None:
            if warning := run_text.sample_warning(started.data):
                st.warning(warning)
                if started.data.get("note"):
                    with st.expander("Why the sample, and what to do about it"):
                        st.markdown(plain(started.data["note"]))
            facts = [run_text.network_text(started, run.config), run_text.data_text(started.data, run.config)]
            st.caption("  \n".join([run_text.settings_text(run.config, run.preset), *facts]))
        else:
            st.caption(run_text.settings_text(run.config, run.preset))


def _hint(run: FoundRun) -> None:
    with st.container(key="run_hint"):
        if run.state != "failed" and (hint := not_learning(run.progress, run.config)):
            st.warning(hint, icon="💡")
