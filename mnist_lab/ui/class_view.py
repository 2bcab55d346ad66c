"""The Class page: everybody's runs of one setting in one live picture, the line, and what a teacher needs."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from mnist_lab.classroom import text
from mnist_lab.classroom.pool import Group, Pool, spread
from mnist_lab.classroom.room import Classroom
from mnist_lab.presets import preset_of
from mnist_lab.ui import cache, class_state, run_text, state
from mnist_lab.ui.class_teacher import show_teacher
from mnist_lab.ui.class_wait import say_line
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.page_widgets import PageWidgets

TRAIN_PAGE = "mnist_lab/ui/views/train.py"
POLL_SECONDS = 2.0
SETTING = "setting"  # of the page's URL: the key of a group
url = PageWidgets(class_state.PAGE)
INTRO = (
    "Everybody's finished runs, without names. Runs of the same setting differ in nothing but their seed, the start of "
    "every random choice. How far apart are they?"
)


def render_class() -> None:
    """Draw the page, which is there in class mode only."""
    room = cache.classroom()
    st.title("The class's runs")
    st.markdown(INTRO)
    pool = room.pool()
    options = _options(pool)
    with st.container(key="class_choice"):
        if options:
            url.choose("Setting", SETTING, options, _chosen(pool).key)
    st.fragment(_follow, run_every=POLL_SECONDS)(room, options.keys())
    st.caption(text.SEED_DECIDES)
    st.page_link(TRAIN_PAGE, label="Start a run on the Train page", icon="🏋️")
    show_teacher(room, _chosen(pool))


def _follow(room: Classroom, known: Collection[str]) -> None:
    """The part that is drawn again at every poll. The elements are the same ones each time, in the same order."""
    pool = room.pool()
    if {group.key for group in pool.groups} != set(known):
        state.rerun()  # a setting has come or gone: the box gets other options
    say_line(room)
    group = _chosen(pool)
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
    """The group that the link names, else that of the Train page's settings, else the largest."""
    if not pool.groups:
        return None
    asked = pool.group(url.values().get(SETTING, ""))
    return asked or pool.group_of(state.last_good_config()) or pool.groups[0]


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
