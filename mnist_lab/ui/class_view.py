"""The Class page: everybody's runs of one setting in one live picture, the line, and what a teacher needs."""

from __future__ import annotations

import streamlit as st

from mnist_lab.classroom import text
from mnist_lab.classroom.pool import Group, Pool, spread
from mnist_lab.classroom.room import Classroom
from mnist_lab.presets import preset_of
from mnist_lab.ui import cache, class_state, page_state, run_text, state
from mnist_lab.ui.class_teacher import show_teacher
from mnist_lab.ui.class_wait import say_line
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.page_widgets import PageWidgets

TRAIN_PAGE = "mnist_lab/ui/views/train.py"
POLL_SECONDS = 2.0
SETTING = "setting"  # of the page's URL: the key of a group
url = PageWidgets(class_state.PAGE, also=(SETTING,))
GONE = "The setting of this link has no runs here. Another one is shown."
INTRO = (
    "Everybody's finished runs, without names. Runs of the same setting differ in nothing but their seed, the start of "
    "every random choice. How far apart are they?"
)


def render_class() -> None:
    """Draw the page, which is there in class mode only."""
    room = cache.classroom()
    pool = room.pool()
    group = _chosen(pool)
    _keep(group)
    st.title("The class's runs")
    st.markdown(INTRO)
    options = _options(pool)
    with st.container(key="class_choice"):
        if group:
            url.choose("Setting", SETTING, options, group.key)
            if url.values().get(SETTING, group.key) != group.key:
                st.caption(GONE)
    st.fragment(_follow, run_every=POLL_SECONDS)(room, frozenset(options), group.key if group else "")
    st.caption(text.SEED_DECIDES)
    st.page_link(TRAIN_PAGE, label="Start a run on the Train page", icon="🏋️")
    show_teacher(room, group)


def _follow(room: Classroom, known: frozenset[str], key: str) -> None:
    """The part that is drawn again at every poll. The elements are the same ones each time, in the same order.

    `known` are the options of the box, and `key` is the one that it shows: the picture is of that whatever has happened
    to the other settings since.
    """
    pool = room.pool()
    if {group.key for group in pool.groups} != known:
        url.rerun()  # a setting has come or gone: the box gets other options
    say_line(room)
    group = pool.group(key)
    st.subheader(text.headline(len(group.runs) if group else 0))
    with st.container(key="class_about"):
        if group:
            st.caption(_about(group))
    _picture(room, group)


def _picture(room: Classroom, group: Group | None) -> None:
    from mnist_lab.ui.class_charts import curves_chart, dots_chart  # with Altair, which takes half a second to import
    from mnist_lab.ui.live_chart import live_chart

    found = spread(group) if group else None
    live_chart(
        dots_chart(group, class_state.owner()) if group else None, "class_dots",
        "A dot appears for each run that is finished.",
    )
    with st.container(key="class_takeaway"):
        if group:
            st.markdown(text.takeaway(found))
            lines = [text.mean_text(found)] if found else []
            if found and found.interval:
                lines.append("In the picture, the line is the mean and the band its interval.")
            st.caption(" ".join([*lines, text.repeats_text(group)]))
    live_chart(
        curves_chart(group, room.pool.curve) if group else None, "class_curves",
        "The runs' curves appear here." if group is None else "These runs were not tested on their way.",
    )
    with st.container(key="class_curves_text"):
        if found:
            st.caption(text.curves_text([curve for run in group.runs if (curve := room.pool.curve(run.id))]))


def _chosen(pool: Pool) -> Group | None:
    """The group that the link names, else the one shown before, that of the Train page's settings, or the largest."""
    if not pool.groups:
        return None
    named = pool.group(url.values().get(SETTING, "")) or pool.group(url.memory().get(SETTING, ""))
    return named or pool.group_of(state.last_good_config()) or pool.groups[0]


def _keep(group: Group | None) -> None:
    """Remember what is shown, and write it into the address, so that a copy of that shows the same.

    An address that asks for something else stays as it is. It is written once for each setting: who goes back to the
    address without one stays there, or there would be no way back past this page.
    """
    before = url.memory().get(SETTING)
    if group and group.key != before:
        url.memory()[SETTING] = group.key
        if url.values().get(SETTING, before) == before:  # none is asked for, or the one that was shown and is gone
            url.go(**{SETTING: group.key})
            page_state.rerun(class_state.PAGE)


def _options(pool: Pool) -> dict[str, str]:
    """What the box of settings offers: key -> what it is called, each another text, always in the same order."""
    names = {group.key: run_text.settings_text(group.setting, preset_of(group.setting)) for group in pool.groups}
    texts = list(names.values())
    named = {key: name if texts.count(name) == 1 else f"{name} · {key}" for key, name in names.items()}
    return dict(sorted(named.items(), key=lambda item: item[1]))


def _about(group: Group) -> str:
    where = "the bundled sample" if group.source == "sample" else "MNIST"
    settings = run_text.settings_text(group.setting, None)
    return plain(f"{settings}. Each run is tested on the same {group.images:,} images of {where}.")
