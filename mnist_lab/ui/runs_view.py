"""The Runs page: every run that is kept, and what can be done with the one that is picked."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import BadRun, RunError
from mnist_lab.runs.store import MAX_NAME, RunStore
from mnist_lab.ui import cache, microscope_state, mistakes_state, run_text, state
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.run_find import LIVE
from mnist_lab.ui.run_list import RunRow, is_anything_live, list_runs

POLL_SECONDS = 2.0
TRAIN_PAGE = "mnist_lab/ui/views/train.py"
# Keys in the session state: the picked run's id, the rows and the version of the table, the select box. They are
# of this page alone, which is why they are not in `state`.
PICKED, TABLE, BOX = "runs_picked", "runs_table", "runs_box"


def render_runs() -> None:
    """Draw the page. It follows the runs by itself while one of them runs or waits."""
    st.title("Runs")
    queue, store = cache.queue(), cache.store()
    live = is_anything_live(list_runs(queue, store)[0])
    st.fragment(_body, run_every=POLL_SECONDS if live else None)(queue, store, live)


def _body(queue: RunQueue, store: RunStore, was_live: bool) -> None:
    rows, bad = list_runs(queue, store)
    if was_live and not is_anything_live(rows):
        st.rerun()  # one full run, which polls no more
    with st.container():
        if rows:
            _table(rows)
        else:
            st.info("No run is kept yet. Every run that you start is kept and listed here.")
            st.page_link(TRAIN_PAGE, label="Start one on the Train page")
    with st.container():
        if rows:
            _picked(rows, queue, store)
    if bad:
        _bad_folders(bad)


def _table(rows: list[RunRow]) -> None:
    ids = [row.id for row in rows]
    if st.session_state.get(PICKED) not in ids:
        st.session_state[PICKED] = ids[0]
    key = _table_key(ids)
    st.dataframe(
        [_cells(row) for row in rows], key=key, hide_index=True, alt="Runs", placeholder="–",
        on_select=lambda: _pick_row(key, ids), selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(st.session_state[PICKED])]}},
        column_config={
            "Test accuracy": st.column_config.NumberColumn(
                format="%.2f %%", help="Per cent of the test images, after the last epoch."
            ),
            "Train accuracy": st.column_config.NumberColumn(
                format="%.2f %%", help="Per cent of the training images, during the last epoch."
            ),
            "Seconds": st.column_config.NumberColumn(format="%.0f", help="How long the training took."),
            "Run": st.column_config.TextColumn(width="medium"),
            "Settings": st.column_config.TextColumn(width="large", help="The preset, and what differs from it."),
        },
    )


def _table_key(ids: list[str]) -> str:
    """The table's key: another one when its rows move or the select box was used, for a new table with the right row
    marked. To mark another row of a table that is there freezes the browser if it is sorted (Streamlit 1.67)."""
    known, version = st.session_state.get(TABLE, ([], 0))
    if known != ids:
        version += 1
    st.session_state[TABLE] = ids, version
    return f"{TABLE}_{version}"


def _pick_in_box() -> None:
    ids, version = st.session_state[TABLE]
    st.session_state[TABLE] = ids, version + 1
    st.session_state[PICKED] = st.session_state[BOX]


def _cells(row: RunRow) -> dict[str, object]:
    return {
        "Run": row.name,
        "Test accuracy": row.test_accuracy,
        "Train accuracy": row.train_accuracy,
        "State": row.state_text,
        "Started": run_text.when_text(row.started) if row.started else "",
        "Seconds": row.seconds,
        "Settings": run_text.settings_text(row.config, row.preset),
    }


def _pick_row(key: str, ids: list[str]) -> None:
    """`key` and `ids` are those of the table that was clicked, which may have been replaced meanwhile."""
    chosen = st.session_state[key]["selection"]["rows"]
    if chosen and chosen[0] < len(ids):
        st.session_state[PICKED] = ids[chosen[0]]


def _picked(rows: list[RunRow], queue: RunQueue, store: RunStore) -> None:
    by_id = {row.id: row for row in rows}
    # The table is a canvas, which a keyboard hardly reaches; this box does the same. Streamlit knows its options by
    # their texts, so these differ, and the box is set anew because the picked one's text changes with its name.
    st.session_state[BOX] = st.session_state[PICKED]
    st.selectbox(
        "Picked run", list(by_id), key=BOX, format_func=lambda id: _option(id, by_id.get(id)), on_change=_pick_in_box
    )
    row = by_id[st.session_state[PICKED]]
    label, color = run_text.STATES[row.state]
    st.markdown(f":{color}-badge[{label}] {run_text.settings_text(row.config, row.preset)}")
    reason = _why_not(row, queue, state.owner_hash())
    with st.container(horizontal=True):
        if st.button("Open run", key=f"runs_open_{row.id}", type="primary"):
            _open(row.id)
        if row.test_accuracy is not None:
            mistakes_state.url.link("See its mistakes", mistakes_state.RUN, row.id)
            microscope_state.url.link("Look inside", microscope_state.RUN, row.id)
        _change("Rename", row, reason, lambda: _rename(row, store))
        _change("Delete", row, reason, lambda: _delete(row, store))
    st.caption(reason or "Rename and delete change the run for everybody who uses this lab.")


def _change(label: str, row: RunRow, reason: str | None, draw: Callable[[], None]) -> None:
    """A box that opens. It is another one for each run and name: it does not stay open when it has done its work."""
    key = f"runs_{label.lower()}_box_{row.id}_{row.name}"
    with st.popover(label, disabled=reason is not None, help=reason, key=key, on_change="rerun"):
        if reason is None:
            draw()


def _open(run_id: str) -> None:
    try:
        state.open_run(run_id)
    except RunError as error:
        st.error(plain(str(error)))
    else:
        st.switch_page(TRAIN_PAGE)


def _option(id: str, row: RunRow | None) -> str:
    if row is None:
        return id
    started = run_text.when_text(row.started) if row.started else run_text.STATES[row.state][0]
    return f"{row.name} · {started} · {id[id.rfind('-') + 1:]}"


def _why_not(row: RunRow, queue: RunQueue, owner: str | None) -> str | None:
    """Why this browser cannot rename or delete the run now; None if it can."""
    if not queue.may_change(row.id, owner):
        return "Only the browser that started this run can rename or delete it."
    if row.state in LIVE:
        return "A run can be renamed and deleted when it has ended. Open it to stop it."
    return None


def _rename(row: RunRow, store: RunStore) -> None:
    # A form: the text and the click arrive together, whatever the polls do in between.
    with st.form(f"runs_rename_{row.id}", border=False):
        name = st.text_input("New name", row.name, key=f"runs_name_{row.id}", max_chars=MAX_NAME)
        if st.form_submit_button("Save name"):
            _do(lambda: store.rename(row.id, name))


def _delete(row: RunRow, store: RunStore) -> None:
    st.markdown(f"Delete **{plain(row.name)}** with its history and weights? It cannot be brought back.")
    if st.button("Yes, delete it", key=f"runs_delete_{row.id}"):
        _do(lambda: store.delete(row.id))


def _do(change: Callable[[], None]) -> None:
    try:
        change()
    except (RunError, OSError) as error:
        st.error(plain(str(error)))
    else:
        st.rerun()


def _bad_folders(bad: list[BadRun]) -> None:
    with st.expander(f"Folders that cannot be read ({len(bad)})"):
        for folder in bad:
            st.text(f"{folder.folder}\n{folder.reason}")
