"""What a page other than Train shows and its URL, as one: read, written, remembered, and bounded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mnist_lab.ui import page_state

PAGE = "Somewhere"


class Query(dict):
    """`st.query_params`, which counts how often the URL is written: each time is an entry in the browser's history."""

    written = 0

    def to_dict(self) -> dict:
        return dict(self)

    def from_dict(self, values: dict) -> None:
        self.written += 1
        self.clear()
        self.update(values)


@pytest.fixture
def browser(monkeypatch):
    browser = SimpleNamespace(session_state={}, query_params=Query())
    monkeypatch.setattr(page_state, "st", browser)
    return browser


def test_a_link_is_read(browser):
    browser.query_params.update(run="a", page="2")
    page_state.enter(PAGE, arrived=True)
    assert page_state.values(PAGE) == {"run": "a", "page": "2"} and browser.query_params.written == 0
    assert page_state.values("Elsewhere") == {}


def test_a_change_is_written_once(browser):
    page_state.enter(PAGE, arrived=True)
    page_state.set_values(PAGE, {"run": "a", "page": "2"})
    page_state.set_values(PAGE, {"page": None})
    assert browser.query_params == {}
    for _ in range(2):
        page_state.enter(PAGE, arrived=False)
    assert browser.query_params == {"run": "a"} and browser.query_params.written == 1


def test_back_is_heeded_and_what_comes_late_is_not(browser, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(page_state, "time", SimpleNamespace(monotonic=lambda: now[0]))
    browser.query_params.update(run="a")
    page_state.enter(PAGE, arrived=True)
    page_state.set_values(PAGE, {"run": "b"})
    page_state.enter(PAGE, arrived=False)
    browser.query_params.clear()
    browser.query_params.update(run="a")
    page_state.enter(PAGE, arrived=False)  # asked for before the browser had the new URL, or Back at once
    assert page_state.values(PAGE) == {"run": "b"} == browser.query_params, "or the URL would say other than the page"
    browser.query_params.update(run="a")
    now[0] += 10
    page_state.enter(PAGE, arrived=False)  # Back
    assert page_state.values(PAGE) == {"run": "a"}


def test_a_run_of_our_own_may_come_late_on_a_busy_server(browser, monkeypatch):
    """Asked for by a fragment before the click whose run it waits for, it still has the URL of before."""
    now = [100.0]
    monkeypatch.setattr(page_state, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(browser, "rerun", lambda: None, raising=False)
    browser.query_params.update(run="a")
    page_state.enter(PAGE, arrived=True)
    page_state.rerun(PAGE)
    page_state.set_values(PAGE, {"run": "b"})
    page_state.enter(PAGE, arrived=False)  # the click's run, which takes long
    now[0] += 5
    browser.query_params.update(run="a")
    page_state.enter(PAGE, arrived=False)
    assert page_state.values(PAGE) == {"run": "b"}
    browser.query_params.update(run="b")
    page_state.enter(PAGE, arrived=False)  # now the browser has it, ...
    browser.query_params.update(run="a")
    page_state.enter(PAGE, arrived=False)  # ... so this is Back
    assert page_state.values(PAGE) == {"run": "a"}


def test_back_to_the_bare_address_is_heeded(browser):
    page_state.enter(PAGE, arrived=True)
    page_state.set_values(PAGE, {"run": "b"})
    page_state.enter(PAGE, arrived=False)
    page_state._page(PAGE).replaced.written = -10.0
    browser.query_params.clear()
    page_state.enter(PAGE, arrived=False)
    assert page_state.values(PAGE) == {}


def test_who_comes_back_finds_what_was_there(browser):
    page_state.enter(PAGE, arrived=True)
    page_state.set_values(PAGE, {"run": "b"})
    page_state.enter(PAGE, arrived=False)
    browser.query_params.clear()  # as page links do
    page_state.enter("Elsewhere", arrived=True)
    assert browser.query_params == {}
    page_state.enter(PAGE, arrived=True)
    assert browser.query_params == {"run": "b"} == page_state.values(PAGE)
    browser.query_params.clear()
    browser.query_params.update(run="c")  # a link is stronger than memory
    page_state.enter(PAGE, arrived=True)
    assert page_state.values(PAGE) == {"run": "c"}


def test_a_url_is_bounded(browser):
    browser.query_params.update({f"n{number}": "x" for number in range(100)}, long="x" * 10_000)
    page_state.enter(PAGE, arrived=True)
    assert len(page_state.values(PAGE)) == page_state.MAX_VALUES and "long" not in page_state.values(PAGE)


def test_memory_is_the_pages_own_and_no_part_of_the_url(browser):
    page_state.memory(PAGE)["tally"] = [1]
    page_state.enter(PAGE, arrived=True)
    assert page_state.memory(PAGE) == {"tally": [1]} and page_state.memory("Elsewhere") == {}
    assert browser.query_params == {}
