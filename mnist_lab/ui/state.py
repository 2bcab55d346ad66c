"""The only owner of session state and query parameters: the settings on the page and the run it shows. What the other
pages show is in `page_state` and what the widgets show in `widget_state`, which belong to it.

Widgets are drawn from here and report their changes to here; their own state dies with their page. The URL says the
same: it is read when the browser brings another one (a link, Back), and written after every change.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from mnist_lab.classroom.locks import LOCK, lock_text
from mnist_lab.config import KNOBS, RunConfig, check, matters
from mnist_lab.config_forms import to_query
from mnist_lab.presets import PRESETS, preset_of
from mnist_lab.runs.record import RunError
from mnist_lab.ui import cache, class_state, page_history, page_state, widget_state
from mnist_lab.ui.address import RUN, ignored_text, read_address
from mnist_lab.ui.class_state import Lock

TRAIN, LESSONS = "Train", "Lessons"
_KEY = "mnist_lab"


@dataclass
class _State:
    """One session's own state. `values` may contradict one another; `good` are the last settings that did not.

    `locked` is what the session's link locks: name -> value. `linked` is what a link to a lesson says of the settings.
    """

    good: RunConfig = field(default_factory=lambda: PRESETS[class_state.default_preset()].config)
    values: dict[str, Any] = field(default_factory=lambda: PRESETS[class_state.default_preset()].config.to_dict())
    rejected: dict[str, tuple[str, str]] = field(default_factory=dict)
    base: str | None = field(default_factory=class_state.default_preset)
    locked: dict[str, Any] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)
    run_id: str | None = None
    notices: list[str] = field(default_factory=list)
    download_problem: str | None = None
    page: str | None = None
    query: dict[str, str] = field(default_factory=dict)
    replaced: page_state.Replaced = field(default_factory=page_state.Replaced)
    changed: bool = False


def enter(page: str) -> None:
    """Bring the state and the URL together. Call it once in a script run, before the page `page` is drawn."""
    page_history.mount()
    state = _state()
    arrived, state.page = state.page != page, page
    changed, state.changed = state.changed, False
    if page != TRAIN:
        page_state.enter(page, arrived)
        if page == LESSONS:
            _read_lesson_link(state, page_state.values(page))
        return
    query = st.query_params.to_dict()
    late = state.replaced.is_late(query, state.query)
    if changed or (arrived and state.query and not query):  # page links drop the parameters
        _write_url(state)
    elif late:
        st.query_params.from_dict(state.query)  # if it was Back after all, the URL would say other than the page
    elif query != state.query:
        _read_url(state, query)
        if state.locked and LOCK not in query:
            _write_url(state)
    _hold(state)


def rerun() -> None:
    """Draw the whole page again, from a fragment too, whose idea of the URL may be out of date."""
    state = _state()
    state.changed = True
    state.replaced.ask()
    st.rerun()


def values() -> dict[str, Any]:
    """Every knob by name as it is set on the page; not necessarily possible together."""
    return dict(_state().values)


def locks() -> dict[str, Lock]:
    """The settings that cannot be changed here, by name; none without class mode."""
    return class_state.locks(_state().locked)


def rejected() -> dict[str, tuple[str, str]]:
    """What was typed and is no value of its knob: name -> (text, what is wrong with it)."""
    return dict(_state().rejected)


def problems() -> dict[str, str]:
    """What is wrong with the settings on the page: knob name -> a sentence. Empty when they can be trained."""
    state = _state()
    # The field of a knob that does not matter is not on the page to be mended.
    shown = {name: problem for name, (_, problem) in state.rejected.items() if matters(name, state.values)}
    return check(state.values) | shown


def current_config() -> RunConfig | None:
    """The settings on the page; None while they cannot be trained (see `problems`)."""
    return None if problems() else RunConfig(**_state().values)


def is_same_run(config: RunConfig) -> bool:
    """Whether Start would train just that once more."""
    current = current_config()
    return current is not None and class_state.same_run(config, current)


def last_good_config() -> RunConfig:
    """The latest settings on the page that could be trained: the current ones, unless there are `problems`."""
    return _state().good


def base_preset() -> str | None:
    """The preset that the settings on the page were last equal to; None if they came from a link or a run."""
    return _state().base


def set_config(config: RunConfig) -> None:
    """Set every control."""
    state = _state()
    state.base = preset_of(config)
    new = config.to_dict()
    # They may not be drawn again, and then nothing else says that they are out of date.
    widget_state.forget(name for name in KNOBS if state.values[name] != new[name])
    _set(state, new)


def set_values(**changes: Any) -> None:
    """Set some controls. Each value must be allowed by itself; what they make together is checked by `problems`."""
    state = _state()
    _set(state, state.values | changes, keep={n: r for n, r in state.rejected.items() if n not in changes})


def reject(name: str, text: str, problem: str) -> None:
    """Remember what was typed and is no value: it stays in its field, explained, until it is mended."""
    state = _state()
    state.rejected[name] = (text, problem)
    state.changed = True


def current_run_id() -> str | None:
    """The run that the Train page shows; there may be no such run any more."""
    return _state().run_id


def current_run_config() -> RunConfig | None:
    """What the run that the Train page shows was started with; None if there is none or it cannot be read."""
    id = current_run_id()
    try:
        return _config_of(id) if id else None
    except RunError:
        return None


def open_run(id: str) -> None:
    """Show a run on the Train page, with its settings in the controls. Raises `RunError` if it cannot be read."""
    set_config(_config_of(id))
    _state().run_id = id


def close_run() -> None:
    """Show no run."""
    state = _state()
    state.run_id, state.changed = None, True


def start_run(config: RunConfig) -> str:
    """Put a run in line, show it and its settings, and return its id. Raises `RunError` if that is not possible.

    A run of this browser with the same settings that has not ended is shown instead: a click may arrive twice.
    """
    owner = owner_hash()
    if owner is None:
        raise RunError("The browser has not answered yet. Try again in a second.")
    queue, state = cache.queue(), _state()
    live = queue.jobs()
    new = class_state.to_be_run(config, state.locked, live)
    under_way = (job for job in live if job.owner_hash == owner and class_state.same_run(job.config, config))
    job = next(under_way, None) or queue.submit(new, owner=owner)
    set_config(job.config)
    state.run_id = job.id
    _write_url(state)
    return state.run_id


def owner_hash() -> str | None:
    """The hash of this browser's token; None until the browser has sent it."""
    return class_state.owner()


def notices() -> list[str]:
    """Sentences that the page owes its reader: parts of the URL that were ignored, a start that failed."""
    return list(_state().notices)


def notify(text: str) -> None:
    """Say something on the page until the settings change."""
    _state().notices.append(text)


def download_problem() -> str | None:
    """Why the download that this session asked for failed; None if it did not."""
    return _state().download_problem


def set_download_problem(text: str | None) -> None:
    """Remember how the download went."""
    _state().download_problem = text


def _state() -> _State:
    if _KEY not in st.session_state:
        st.session_state[_KEY] = _State()
    return st.session_state[_KEY]


def _set(state: _State, new: dict[str, Any], keep: dict[str, tuple[str, str]] | None = None) -> None:
    new = new | _held(state)
    state.values, state.rejected, state.notices, state.changed = new, keep or {}, [], True
    if not check(new):
        state.good = RunConfig(**new)
        state.base = preset_of(state.good) or state.base


def _held(state: _State) -> dict[str, Any]:
    return {name: lock.value for name, lock in class_state.locks(state.locked).items()}


def _hold(state: _State) -> None:
    """Bring the settings to what is locked: the class may have a task by now."""
    held = _held(state)
    for name in state.rejected.keys() & held.keys():
        del state.rejected[name]  # nobody could mend it
    if any(state.values[name] != value for name, value in held.items()):
        notices, changed = state.notices, state.changed
        _set(state, state.values)
        state.notices, state.changed = notices, changed


def _write_url(state: _State) -> None:
    """One call, so that there is one entry in the browser's history."""
    # A URL without any setting means the default preset, so even the plain defaults name one.
    query = to_query(state.good) or {"network": state.good.network}
    if state.run_id:
        query[RUN] = state.run_id
    if state.locked:
        query[LOCK] = lock_text(state.locked)
    before = st.query_params.to_dict()
    if query != before:
        st.query_params.from_dict(query)
    if query != state.query:
        state.query = query
        state.replaced.by_ours(before)


def _read_url(state: _State, query: dict[str, str]) -> None:
    found = read_address(query, locks=class_state.room() is not None)
    config = found.config
    if config is None and found.run_id and not query.keys() & KNOBS.keys():
        with contextlib.suppress(RunError):  # the page itself says what is wrong with that run
            config = _config_of(found.run_id)
    config = config or PRESETS[class_state.default_preset()].config
    if query.keys() != {RUN}:  # a link of the lab's to a run says nothing of locks: they stay as they are
        state.locked = {name: getattr(config, name) for name in found.locked}
    set_config(config)
    state.run_id, state.query, state.changed = found.run_id, query, False
    state.notices = [ignored_text(found.ignored)] if found.ignored else []


def _read_lesson_link(state: _State, values: dict[str, str]) -> None:
    """Take what a teacher's link to a lesson says of the Train page; once, so that coming back changes nothing."""
    linked = {name: text for name, text in values.items() if name in KNOBS or name == LOCK}
    if LOCK in linked and linked != state.linked and class_state.room() is not None:
        state.linked = linked
        _read_url(state, linked)


def _config_of(id: str) -> RunConfig:
    job = cache.queue().job(id)
    return job.config if job else cache.store().load(id).config
