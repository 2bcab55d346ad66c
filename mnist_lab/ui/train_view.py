"""The Train page: choose settings, press Start, watch the network learn."""

from __future__ import annotations

import streamlit as st

from mnist_lab.config_forms import differences
from mnist_lab.runs.record import RunError
from mnist_lab.ui import cache, class_state, controls, source, state
from mnist_lab.ui.class_wait import show_line
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.run_find import LIVE
from mnist_lab.ui.widgets import changes_text

LOADING_SECONDS = 0.5
INTRO = (
    "A network with fewer than 10,000 parameters learns to read handwritten digits, and you watch. Choose a preset, "
    "or change single settings in the side bar (behind **»** on a phone), then press **Start**."
)


def render_train() -> None:
    """Draw the page from top to bottom; the preset box comes first, whatever takes long comes after it."""
    st.title("Train a small network, live")
    with st.container(key="intro"):
        if state.current_run_id() is None:
            st.markdown(INTRO)
    choice, start = st.columns([4, 1], vertical_alignment="bottom")
    with choice:
        controls.show_preset()
    settings, notes = st.container(key="settings"), st.container(key="notes")
    status = source.show_source()
    config = state.current_config()
    problems = state.problems() | source.too_many_images(status) | class_state.too_much(config)
    problems |= cache.missing_device(config) if config else {}
    same_run_goes, reason = _same_run_goes(), _why_no_start(problems)
    start.button(
        "Start", type="primary", key="start", icon=":material/play_arrow:", width="stretch", on_click=_start,
        disabled=reason is not None,
    )
    settings.caption(plain(reason or controls.settings_caption()))
    with notes:
        for text in state.notices():
            st.warning(plain(text), icon="⚠️")
    with st.sidebar:
        controls.show_controls(problems, source.source_text(status))
    _show_class()
    _show_run()
    if same_run_goes and not _same_run_goes():
        state.rerun()  # it ended while the page was drawn: below it may have ended already, and then nothing polls
    if not cache.engine_ready():
        _wait_for_engine()


def _why_no_start(problems: dict[str, str]) -> str | None:
    if cache.engine_problem():
        return cache.engine_problem()
    if problems:
        return " ".join(["Start is off until this is mended.", *problems.values()])
    if state.owner_hash() is None:
        return "One moment: waiting for the browser."
    if _same_run_goes():
        other = "Change a setting" if "seed" in state.locks() else "Change a setting (the seed, for one)"
        return f"A run with exactly these settings is under way. {other} to start another."
    return None


def _same_run_goes() -> bool:
    """Whether the run on the page goes on and has the settings on the page."""
    run_id = state.current_run_id()
    job = cache.queue().job(run_id) if run_id else None
    return bool(job and job.state in LIVE and not job.stopping and state.is_same_run(job.config))


def _start() -> None:
    config = state.current_config()
    if config is None or _why_no_start({}):  # the second click of a double click
        return
    try:
        state.start_run(config)
    except RunError as error:
        state.notify(str(error))


def _show_class() -> None:
    """The class's line, and where its runs are seen together; nothing without class mode."""
    if room := class_state.room():
        show_line(room)
        st.page_link(class_state.VIEW, label="See the class's runs in one picture", icon="👥")


def _show_run() -> None:
    run_id = state.current_run_id()
    with st.container(key="run"):
        if run_id is None:
            _show_nothing_yet()
            return
        from mnist_lab.ui.run_view import render_run  # with Altair, which takes half a second to import

        _show_changes()
        render_run(run_id, queue=cache.queue(), store=cache.store(), owner_hash=state.owner_hash())


def _show_nothing_yet() -> None:
    st.info(
        "Nothing trained yet. Here you will see the network learn: its loss and accuracy after every epoch (once "
        "through all training images), how fast it goes and how large its weights are, with a line under each chart "
        "that says what it shows. When it ends: the result, a table and files to download.",
        icon="📈",
    )


def _show_changes() -> None:
    """Tell when the controls do not say what the run below was trained with. Always one container."""
    with st.container(key="changes"):
        shown, current = state.current_run_config(), state.current_config()
        changes = differences(shown, current) if shown and current else {}
        for name in changes.keys() & class_state.given_out(state.locks()):
            del changes[name]
        if changes:
            st.caption(plain(f"The settings have changed since this run: {changes_text(changes)}."))


def _wait_for_engine() -> None:
    """Draw the page anew once PyTorch is loaded, or cannot be."""

    @st.fragment(run_every=LOADING_SECONDS)
    def look() -> None:
        if cache.engine_ready() or cache.engine_problem():
            state.rerun()

    if not cache.engine_problem():
        look()
