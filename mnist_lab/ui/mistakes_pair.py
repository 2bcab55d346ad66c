"""Two networks on the same images: who is wrong where, and whether the difference is more than chance."""

from __future__ import annotations

import streamlit as st

from mnist_lab import verdict_text
from mnist_lab.counts import mcnemar
from mnist_lab.evaluation import pair
from mnist_lab.runs.library import Library
from mnist_lab.runs.record import RunError, RunSummary
from mnist_lab.ui import mistakes_data, mistakes_select, mistakes_text
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.mistakes_charts import difference_chart
from mnist_lab.ui.mistakes_data import Subject
from mnist_lab.ui.mistakes_gallery import show_downloads, show_gallery
from mnist_lab.ui.mistakes_select import Choice
from mnist_lab.ui.mistakes_state import OTHER, RUN, url

FIRST, SECOND, BOTH = "first", "second", "both"


def render_pair(subject: Subject, library: Library) -> None:
    """Draw this part of the page."""
    runs = mistakes_data.comparable(subject.run, library)
    if not runs:
        st.info("There is no other network here that was tested on the same images. Train one more and compare.")
        return
    second = _pick(runs, subject.run, library)
    try:
        with st.spinner("Asking the second network …"):
            other = mistakes_data.subject_of(second)
        found = pair(subject.answers, other.answers)
    except (RunError, ValueError) as error:
        st.error(plain(f"{error} Choose another second network above."))
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _difference(subject, other)
    with right:
        _counts(subject, other)
    masks = {FIRST: found.only_first, SECOND: found.only_second, BOTH: found.both}
    shown = url.one_of("which", masks, FIRST)
    names = {FIRST: "Only the first is wrong", SECOND: "Only the second is wrong", BOTH: "Both are wrong"}
    counted = {name: f"{names[name]} ({int(mask.sum()):,})" for name, mask in masks.items()}
    url.switch("Which images", "which", counted, shown)
    # Seen from the network that is wrong.
    seen = other if shown == SECOND else subject
    choice = mistakes_select.read_choice(url.values())
    rows = mistakes_select.select(seen.answers, Choice(sort=choice.sort), masks[shown])
    st.caption(mistakes_text.seen_text(seen.run, len(rows)))
    show_gallery(seen, rows, choice.page, library, {RUN: subject.run.id, OTHER: second.id})
    show_downloads(seen, rows)


def _pick(runs: list[RunSummary], first: RunSummary, library: Library) -> RunSummary:
    by_id = {run.id: run for run in runs}
    asked = url.values().get(OTHER, "")
    second = by_id.get(asked) or mistakes_data.counterpart(first, runs)
    with st.container():
        if asked and asked != second.id:
            st.warning(plain(
                f"The run {asked} is not there, or was not tested on the same images. Another one is shown."
            ), icon="⚠️")
    url.choose(
        "Second network", OTHER, list(by_id), second.id,
        say=lambda id: mistakes_text.run_name(by_id[id], library.is_pretrained(by_id[id])) if id in by_id else id,
    )
    return second


def _difference(first: Subject, second: Subject) -> None:
    st.markdown("**By how much the second differs**", help=(
        "Each cell is the second network's count minus the first's. Orange: the second makes this error more often. "
        "Blue: less often. The grey diagonal is what was read as labelled."
    ))
    tables = first.answers.confusion(), second.answers.confusion()
    with st.container(key="mistakes_difference"):
        st.vega_lite_chart(spec=difference_chart(*tables).to_dict(), width="stretch")
    st.caption(mistakes_text.difference_text(*tables))


def _counts(first: Subject, second: Subject) -> None:
    answers = first.answers
    found = mcnemar(answers.labels, answers.digits, second.answers.digits)
    st.markdown("**Image by image**")
    st.table(
        {
            "": ["First right", "First wrong"],
            "Second right": [f"{found.both_right:,}", f"{found.only_b:,}"],
            "Second wrong": [f"{found.only_a:,}", f"{found.both_wrong:,}"],
        },
        border="horizontal", hide_index=True,
    )
    st.markdown("**Is it real?**")
    st.markdown(plain(verdict_text.mcnemar_verdict(found, "the first network", "the second network")))
    st.caption(verdict_text.WHAT_P_IS)
