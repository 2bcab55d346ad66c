"""The owner token as Python sees it; the browser's part is in tests/e2e."""

from __future__ import annotations

import hashlib
import re

import pytest
from streamlit.testing.v1 import AppTest

from mnist_lab.ui import token

TOKEN = "0123456789abcdef" * 4


def app():
    import streamlit as st

    from mnist_lab.ui import token

    first = token.browser_token()
    st.session_state["seen"] = (first, token.known_token())


def run(state=None):
    at = AppTest.from_function(app)
    if state is not None:
        at.session_state[token.TOKEN_KEY] = state
    at.run()
    assert not at.exception
    return at


def component_of(at):
    (component,) = [element for element in at.main if element.type == "bidi_component"]
    return component.proto


def test_none_until_the_browser_has_answered():
    at = run()
    assert at.session_state["seen"] == (None, None)
    assert '"known": false' in component_of(at).json


def test_what_the_browser_sent():
    at = run({"token": TOKEN})
    assert at.session_state["seen"] == (TOKEN, TOKEN)


def test_the_token_is_not_sent_back_nor_put_on_the_page():
    at = run({"token": TOKEN})
    assert '"known": true' in component_of(at).json  # so the browser does not send it again: no loop
    assert TOKEN not in str(component_of(at)) and not at.query_params


@pytest.mark.parametrize("value", ["", "abc", TOKEN.upper(), TOKEN + "0", TOKEN + "\n", 7, None, [TOKEN]])
def test_anything_else_is_no_token(value):
    assert run({"token": value}).session_state["seen"] == (None, None)


def test_the_same_element_whether_the_token_is_known_or_not():
    assert component_of(run()).id == component_of(run({"token": TOKEN})).id


def test_script_is_random_and_works_without_a_secure_context():
    script = component_of(run()).js_content
    assert "getRandomValues(new Uint8Array(32))" in script
    assert "randomUUID" not in re.sub(r"//.*", "", script)
    assert token.STORAGE_KEY in script


def test_takes_no_space():
    assert re.search(rf"\.st-key-{token.TOKEN_KEY}\s*{{\s*display:\s*none", component_of(run()).css_content)


def test_hash():
    assert token.owner_hash(TOKEN) == hashlib.sha256(TOKEN.encode()).hexdigest()
    assert token.owner_hash(TOKEN) != token.owner_hash(TOKEN[::-1])
