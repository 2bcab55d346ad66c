"""The teacher's part of the Class page: a link that presets and locks, the password, and what it opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlencode, urlsplit

import streamlit as st

from mnist_lab.classroom.locks import EVERYTHING, SEED, link_query
from mnist_lab.classroom.pool import Group, setting_of
from mnist_lab.classroom.room import TRUST_HOURS, Classroom
from mnist_lab.config import KNOBS
from mnist_lab.config_forms import short_value
from mnist_lab.runs.record import RunError
from mnist_lab.ui import class_state, lessons_state, page_state, run_text, state
from mnist_lab.ui.class_runs import show_runs
from mnist_lab.ui.markdown import plain

TRAIN, LESSON = "The Train page, with the settings that my Train page has now", "A lesson"
SECRETS = '[class]\npassword = "choose a long one"'
LOCKED_HELP = (
    "Whoever opens the link sees these settings on the Train page and cannot change the locked ones there. The locks "
    "are in the link: they do not hold for races, and who takes them out of the address has an ordinary Train page "
    "again. What holds everywhere, whatever the address, are the limits of this server, and a task that you set for "
    "the whole class when you are logged in."
)
LESSON_HELP = (
    "A lesson brings its own settings, and no lock changes those. If you lock something, the link sets the Train page "
    "as well, with the same locks as a link to that page."
)
LOCAL = ("localhost", "127.0.0.1", "::1")


def show_teacher(room: Classroom, group: Group | None) -> None:
    """Draw it; `group` is the setting that the page shows."""
    st.subheader("For the teacher", divider="gray")
    with st.expander("A link for the class"):
        locked = _link_form(room)
    if not class_state.is_teacher():
        with st.expander("Log in", expanded=bool(_memory().get("wrong"))):
            _log_in()
        return
    st.markdown(
        ":green-badge[Logged in] In this browser, in every tab, no limit and no task holds for you, and you choose the "
        f"seed of a run yourself, until you log out, and for {TRUST_HOURS} hours at most."
    )
    _task(room, locked)
    show_runs(room, group)
    st.button("Log out", key="class_log_out", on_click=class_state.log_out)


def _link_form(room: Classroom) -> tuple[str, ...]:
    """Returns what is chosen to be locked."""
    lessons = _lessons()
    kinds = [TRAIN, *([LESSON] if lessons else [])]
    kind = st.radio("What the link opens", kinds, key="class_link_kind")
    lesson = None
    if kind == LESSON:
        lesson = st.selectbox(
            "Lesson", list(lessons), format_func=lambda one: lessons.get(one, one), key="class_lesson"
        )
    config = state.last_good_config()
    where = "" if lesson is None else "The Train page: "
    st.caption(where + run_text.settings_text(setting_of(config), None))
    options = [EVERYTHING, *(name for name in KNOBS if config.matters(name))]
    chosen = st.multiselect(
        "Locked", options, format_func=_lock_name, key="class_lock",
        placeholder="Choose what cannot be changed",
    )
    names = tuple(KNOBS.keys() - {SEED} | ({SEED} & set(chosen)) if EVERYTHING in chosen else chosen)
    query = link_query(config, names)
    if lesson is None:
        _show_link("", query)
        st.caption(LOCKED_HELP)
    else:
        _show_link("lessons", {lessons_state.LESSON: lesson} | (query if names else {}))
        st.caption(LESSON_HELP)
    if (lesson is None or names) and (wrong := room.limits.problems(config)):
        st.warning(plain(" ".join(["The class could not run this.", *wrong.values()])))
    return tuple(name for name in KNOBS if name in names)


def _show_link(page: str, query: dict[str, str]) -> None:
    root = (st.context.url or "").rstrip("/").removesuffix("/class")  # only a browser says where it is
    st.code(f"{root}/{page}?{urlencode(query, safe=',')}", language=None, wrap_lines=True)
    if urlsplit(root).hostname in LOCAL:
        st.caption(
            "This address works on this computer only. For the class, open this page by the computer's address in your "
            "network instead (its name or its number, such as 192.168.1.20, for localhost), and the link has it."
        )


def _lock_name(name: str) -> str:
    return "Everything but the seed" if name == EVERYTHING else KNOBS[name].label


def _lessons() -> dict[str, str]:
    from mnist_lab.lessons.files import load_lessons

    return {lesson.id: lesson.title for lesson in load_lessons()[0]}


def _log_in() -> None:
    try:
        known = class_state.password()
    except RunError as error:
        st.error(plain(str(error)))
        return
    if known is None:
        st.markdown(
            "No password is set, so nobody can log in. To set one, write this into the file `.streamlit/secrets.toml` "
            "beside `app.py`, and start the lab again:"
        )
        st.code(SECRETS, language="toml")
        return
    with st.form("class_login", border=False, clear_on_submit=True):
        st.text_input("Password", type="password", key="class_password")
        st.form_submit_button("Log in", on_click=_try)
    if _memory().pop("wrong", False):
        st.error("That is not the password.")
    st.caption(
        "It lets you stop, delete and clear all runs, and set a task. It holds in every tab of this browser until you "
        f"log out, and for {TRUST_HOURS} hours at most. Closing the page does not log you out."
    )


def _try() -> None:
    if not class_state.log_in(page_state.widget_value("class_password")):
        _memory()["wrong"] = True


def _task(room: Classroom, locked: Sequence[str]) -> None:
    """What is locked for everybody, and the buttons that change it."""
    st.markdown("**The class's task**")
    task, config = room.task, state.last_good_config()
    if task:
        said = ", ".join(f"{KNOBS[name].label}: {short_value(name, value)}" for name, value in task.items())
        st.markdown(plain(f"Locked for everybody, whatever their link says: {said}."))
    else:
        st.markdown("There is no task: everybody may run any setting within the limits.")
    with st.container(horizontal=True):
        st.button(
            "Lock for the whole class", key="class_set_task", disabled=not locked, on_click=_change,
            args=(lambda: room.set_task({name: getattr(config, name) for name in locked}),),
            help="Takes what is chosen under “A link for the class”, at the values that your Train page has now. It "
            "holds on every page and for every run that is started from now on, races included.",
        )
        st.button(
            "End the task", key="class_end_task", disabled=not task, on_click=_change,
            args=(lambda: room.set_task({}),),
        )
    st.caption("A task holds for races and lessons too: a race with settings that it does not allow cannot be started.")
    for problem in _memory().pop("problems", []):
        st.error(plain(problem))


def _change(change: Callable[[], None]) -> None:
    if class_state.is_teacher():
        try:
            change()
        except OSError as error:
            _memory()["problems"] = [f"The task could not be written down: {error}."]


def _memory() -> dict:
    return page_state.memory(class_state.PAGE)
