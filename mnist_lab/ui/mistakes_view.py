"""The Mistakes page: what a run gets wrong, beside another run, and beside the people who look at it."""

from __future__ import annotations

import streamlit as st

from mnist_lab.counts import wilson
from mnist_lab.data.download import TEST_SET_SIZE, fetch_test_set
from mnist_lab.data.files import DataError
from mnist_lab.runs.library import Library
from mnist_lab.runs.record import RunError, RunSummary
from mnist_lab.ui import cache, mistakes_data, mistakes_text
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.mistakes_data import BUNDLED, TEST, Subject
from mnist_lab.ui.mistakes_state import RUN, url

TRAIN_PAGE = "mnist_lab/ui/views/train.py"
ERRORS, TWO, GAME = "errors", "two", "game"
PARTS = {ERRORS: "Its errors", TWO: "Two networks", GAME: "Beat the network"}
MEGABYTE = 1e6


def render_mistakes() -> None:
    """Draw the page."""
    st.title("Mistakes")
    st.markdown("Which digits does a trained network get wrong, and would you read them right?")
    library = cache.library()
    runs = library.list()
    if not runs:
        st.info("There is no trained network yet. Train one, and see here which digits it gets wrong.")
        st.page_link(TRAIN_PAGE, label="Start a run on the Train page")
        return
    run = _pick(runs, library)
    try:
        with st.spinner("Asking the network …"):
            subject = mistakes_data.subject_of(run)
    except RunError as error:
        st.error(plain(f"{error} Choose another network above."))
        return
    except DataError as error:
        st.error(plain(str(error)))
        return
    with st.container(key="mistakes_source"):
        if subject.kind == BUNDLED:
            _offer_test_set(run)
    _headline(subject)
    _part(subject, library)


def _pick(runs: list[RunSummary], library: Library) -> RunSummary:
    by_id = {run.id: run for run in runs}
    asked = url.values().get(RUN)
    run = by_id.get(asked or "") or mistakes_data.default_run(runs)
    url.memory()[RUN] = run.id
    with st.container():
        if asked and run.id != asked:
            st.warning(plain(f"{library.why_not(asked)} Another network is shown."), icon="⚠️")
    url.choose(
        "Network", RUN, list(by_id), run.id,
        say=lambda id: mistakes_text.run_name(by_id[id], library.is_pretrained(by_id[id])) if id in by_id else id,
        help=mistakes_text.NAMES,
    )
    return run


def _offer_test_set(run: RunSummary) -> None:
    st.warning(mistakes_text.bundled_warning(run), icon="⚠️")
    if st.button(f"Fetch the test set ({TEST_SET_SIZE / MEGABYTE:.1f} MB)", key="mistakes_fetch"):
        bar = st.progress(0.0, "Starting the download")
        try:
            fetch_test_set(progress=lambda message, fraction: bar.progress(min(fraction, 1.0), message))
        except DataError as error:
            bar.empty()
            st.error(plain(str(error)))
        else:
            st.rerun()


def _headline(subject: Subject) -> None:
    wrong = subject.answers.wrong
    if not len(wrong):
        st.info("This run was tested on no image.")
        return
    found = wilson(int((~wrong).sum()), len(wrong))
    with st.container(horizontal=True, gap="large"):
        st.metric("Errors", f"{int(wrong.sum()):,}", width="content")
        st.metric("Accuracy", f"{found.percent:.2f} %", width="content")
        if subject.kind == TEST:
            hit = f"{int((wrong & subject.disputed).sum())} of {int(subject.disputed.sum())}"
            st.metric("Disputed labels among the errors", hit, width="content")
    lines = [f"{mistakes_text.images_text(subject)} {mistakes_text.interval_text(found)}"]
    if subject.kind == TEST:
        lines.append(mistakes_text.disputed_text(subject.answers))
    st.caption("  \n".join(lines))


def _part(subject: Subject, library: Library) -> None:
    shown = url.one_of("show", PARTS, ERRORS)
    url.switch("Part of the page", "show", PARTS, shown)
    # Each part is imported when it is shown: charts bring Altair, the game needs none.
    if shown == ERRORS:
        from mnist_lab.ui.mistakes_errors import render_errors

        render_errors(subject, library)
    elif shown == TWO:
        from mnist_lab.ui.mistakes_pair import render_pair

        render_pair(subject, library)
    else:
        from mnist_lab.ui.mistakes_game import render_game

        render_game(subject)
