"""All runs of the class, for the teacher: stop them, delete them, clear."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from mnist_lab.classroom.pool import Group
from mnist_lab.classroom.room import Classroom
from mnist_lab.ui import cache, class_state, page_state, run_text
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.run_find import LIVE
from mnist_lab.ui.run_list import RunRow, list_runs


def show_runs(room: Classroom, group: Group | None) -> None:
    """Draw them as they are at this moment; `group` is the setting that the page shows."""
    st.markdown("**The class's runs**")
    queue, mine = cache.queue(), set(room.ids())
    live = [job.id for job in queue.jobs()]
    rows = {row.id: row for row in list_runs(queue, room.store)[0] if row.id in mine or row.id in live}
    if not rows:
        st.markdown("There are none.")
        return
    id = st.selectbox("Run", list(rows), format_func=lambda id: _name(id, rows.get(id)), key="class_run")
    ids = room.ids(group) if group else []
    with st.container(horizontal=True):
        _button("Stop this run", "stop", lambda: _stop(id), id not in live)
        _button("Stop all", "stop_all", lambda: room.stop_all(queue), not live)
        _button("Delete this run", "delete", lambda: room.delete([id]), id in live)
        _ask(f"Delete the {len(ids)} runs of the setting shown", "delete_setting", lambda: room.delete(ids), not ids)
        _ask(f"Clear: stop and delete all {len(rows)} runs", "clear", lambda: room.clear(queue), False)
    st.caption("What was run on the command line is no run of the class, and stays. This list is as of the last click.")
    for problem in page_state.memory(class_state.PAGE).pop("run_problems", []):
        st.error(plain(problem))


def _stop(id: str) -> None:
    cache.queue().stop(id)


def _button(label: str, key: str, action: Callable[[], Sequence[str] | None], disabled: bool) -> None:
    st.button(label, key=f"class_{key}", disabled=disabled, on_click=_do, args=(action,))


def _ask(label: str, key: str, action: Callable[[], Sequence[str] | None], disabled: bool) -> None:
    """A button that asks once more: what it does cannot be undone."""
    with st.popover(label, disabled=disabled, key=f"class_ask_{key}"):
        st.markdown("They cannot be brought back.")
        _button("Yes, do it", key, action, disabled)


def _do(action: Callable[[], Sequence[str] | None]) -> None:
    if class_state.is_teacher():
        page_state.memory(class_state.PAGE)["run_problems"] = list(action() or [])


def _name(id: str, row: RunRow | None) -> str:
    if row is None:
        return id
    when = f" · {run_text.when_text(row.started)}" if row.started and row.state not in LIVE else ""
    return f"{row.state_text} · {row.name} · seed {row.config.seed}{when} · {id[-4:]}"
