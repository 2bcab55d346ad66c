"""Widgets that are bound to a page's values: what a link makes them show, and what they make of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import look, query
from streamlit.testing.v1 import AppTest

from mnist_lab.ui import page_state
from mnist_lab.ui.page_widgets import PageWidgets

# A page with one widget of each kind. `also`: the run; another fruit drops the basket; a locked page changes nothing.
APP = """
import streamlit as st

from mnist_lab.ui import state
from mnist_lab.ui.page_widgets import PageWidgets

FRUIT = {"a": "Apple", "b": "Banana"}
url = PageWidgets(
    "Market", also=("run",), resets=lambda name: ("basket", "page") if name == "fruit" else (),
    heeds=lambda: url.values().get("locked") != "1",
)
state.enter("Market")
if "run" not in url.values():
    url.memory()["run"] = "r1"
basket = [text for text in url.values().get("basket", "").split(".") if text in FRUIT]
low, _, high = url.values().get("range", "").partition("-")
url.switch("Stall", "stall", FRUIT, url.one_of("stall", FRUIT, "a"))
url.choose("Fruit", "fruit", FRUIT, url.one_of("fruit", FRUIT, "a"), help="One of them.")
url.choose(
    "Size", "size", ["any", "big"], url.one_of("size", ("big",), "any"), say=str.upper,
    to_text=lambda size: None if size == "any" else size,
)
url.several("Basket", "basket", FRUIT, basket, ".".join, max_selections=2)
url.slide("Count", "count", 1, 9, url.number("count", 1, 9, 5))
url.slide("Nothing to choose", "none", 3, 3, 3)
url.slide("Range", "range", 0, 100, (int(low or 0), int(high or 100)), to_text=lambda two: f"{two[0]}-{two[1]}")
url.slide_over("Below", "below", ("0.1", "0.2"), url.one_of("below", ("0.1", "0.2"), "0.1"))
url.turn("Open", "open", url.values().get("open") == "1", "Or closed.")
st.button("Next", on_click=url.go, kwargs={"page": 2, "count": None})
"""
NAMED = {
    "stall": "b", "fruit": "b", "size": "big", "basket": "b", "count": "7", "range": "20-30", "below": "0.2",
    "open": "1",
}
RUN = {"run": "r1"}


def page(**parameters: str) -> AppTest:
    return look(AppTest.from_string(APP, default_timeout=30), **parameters)


def widgets(at: AppTest) -> dict:
    kinds = (at.button_group, at.selectbox, at.multiselect, at.slider, at.select_slider, at.toggle)
    return {widget.key.split(":")[0].removeprefix("market_"): widget for kind in kinds for widget in kind}


def shown(at: AppTest) -> dict:
    return {name: widget.value for name, widget in widgets(at).items()}


def test_a_link_sets_every_widget():
    assert shown(page()) == {
        "stall": "a", "fruit": "a", "size": "any", "basket": [], "count": 5, "range": (0, 100), "below": "0.1",
        "open": False,
    }
    assert shown(page(**NAMED)) == {
        "stall": "b", "fruit": "b", "size": "big", "basket": ["b"], "count": 7, "range": (20, 30), "below": "0.2",
        "open": True,
    }


def test_options_have_their_names():
    at = page()
    boxes = widgets(at)
    assert boxes["fruit"].options == ["Apple", "Banana"] == boxes["basket"].options
    assert boxes["size"].options == ["ANY", "BIG"] and boxes["fruit"].help == "One of them."


@pytest.mark.parametrize(("name", "chosen"), [
    ("stall", "b"), ("fruit", "b"), ("size", "big"), ("basket", ["b"]), ("count", 7), ("range", (20, 30)),
    ("below", "0.2"), ("open", True),
])
def test_what_is_chosen_is_in_the_link_with_what_is_shown_besides(name, chosen):
    at = page()
    assert query(at) == {}
    widgets(at)[name].set_value(chosen)
    at.run()
    assert query(at) == RUN | {name: NAMED[name]} and shown(at)[name] == chosen


def test_a_choice_may_take_its_value_out():
    at = page(size="big", open="1", run="mine")
    widgets(at)["size"].set_value("any")
    widgets(at)["open"].set_value(False)
    at.run()
    assert query(at) == {"run": "mine"}


def test_a_value_may_fall_with_another():
    at = page(fruit="b", basket="a.b", page="3", count="7")
    widgets(at)["stall"].set_value("b")
    at.run()
    assert query(at) == RUN | {"fruit": "b", "basket": "a.b", "page": "3", "count": "7", "stall": "b"}
    widgets(at)["fruit"].set_value("a")
    at.run()
    assert query(at) == RUN | {"fruit": "a", "count": "7", "stall": "b"} and shown(at)["basket"] == []


def test_a_page_may_not_heed_its_widgets():
    at = page(locked="1", count="2")
    widgets(at)["count"].set_value(7)
    widgets(at)["fruit"].set_value("b")
    at.run()
    assert query(at) == {"locked": "1", "count": "2"}
    at.button[0].click().run()  # the page itself may
    assert query(at) == RUN | {"locked": "1", "page": "2"}


def test_the_page_changes_values_whatever_else_is_in_the_link():
    at = page(count="7", self="me", name="x")
    at.button[0].click().run()
    assert query(at) == RUN | {"page": "2", "self": "me", "name": "x"} and shown(at)["count"] == 5


@pytest.mark.parametrize(("text", "number"), [
    ("1", 1), ("9", 9), ("10", 9), ("99999", 9), ("100000", 5), ("0", 5), ("-3", 5), ("2.5", 5), ("٣", 5), ("²", 5),
    ("", 5), (None, 5),
])
def test_numbers_of_a_link(monkeypatch, text, number):
    monkeypatch.setattr(page_state, "values", lambda page: {"count": text} if text is not None else {})
    assert PageWidgets("Market").number("count", 1, 9, 5) == number
