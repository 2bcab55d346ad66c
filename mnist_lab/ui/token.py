"""The browser's own unguessable token: who may stop or delete a run.

The token is made by the browser, kept in its local storage, and sent to Python over the session's
websocket. It is never in a URL and never on the page; a record on disk holds only its hash.
"""

from __future__ import annotations

import hashlib
import re

import streamlit as st

TOKEN_KEY = "mnist_lab_owner"
"""Key of the component, and so of its state in ``st.session_state``."""

STORAGE_KEY = "mnist-lab-owner-token"
"""Key in the browser's local storage."""

_TOKEN = re.compile(r"[0-9a-f]{64}")

# The module is loaded once per page load, so `spare` serves a browser that refuses local storage (private
# mode, blocked cookies) until it reloads. crypto.randomUUID would be shorter but is absent on plain http.
# Reading back what was written makes two tabs that open at once agree.
_JS = f"""
let spare = null;

function makeToken() {{
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}}

function readToken() {{
  try {{
    const stored = localStorage.getItem("{STORAGE_KEY}");
    if (/^[0-9a-f]{{64}}$/.test(stored ?? "")) return stored;
    localStorage.setItem("{STORAGE_KEY}", spare ?? makeToken());
    return localStorage.getItem("{STORAGE_KEY}");
  }} catch (error) {{
    console.info("MNIST Lab: no local storage, so runs belong to this page only.", error.name);
    spare = spare ?? makeToken();
    return spare;
  }}
}}

export default function ({{ data, setStateValue }}) {{
  if (!data.known) setStateValue("token", readToken());
}}
"""

# Not isolated, so that the rule reaches the element's own container: an empty component still costs the gap
# between two elements.
_mount = st.components.v2.component(
    "mnist_lab.owner_token",
    css=f".st-key-{TOKEN_KEY} {{ display: none; }}",
    js=_JS,
    isolate_styles=False,
)


def browser_token() -> str | None:
    """Mount the invisible component and return this browser's token.

    Call it once in every script run, outside fragments (in ``app.py``, before the page runs).

    Returns:
        64 hex digits (256 random bits), the same for all tabs of a browser, after a reload and after a restart
        of the server; None until the browser has answered, which starts another run. A browser that blocks local
        storage gets a token that lasts until the page is reloaded.
    """
    token = known_token()
    _mount(key=TOKEN_KEY, data={"known": token is not None}, on_token_change=_rerun_only)
    return token


def known_token() -> str | None:
    """The token that the browser has already sent, without mounting anything: for fragments and callbacks."""
    state = st.session_state.get(TOKEN_KEY) or {}
    token = state.get("token")
    return token if isinstance(token, str) and _TOKEN.fullmatch(token) else None


def owner_hash(token: str) -> str:
    """What a record may hold of a token: its SHA-256 in hex (64 digits)."""
    return hashlib.sha256(token.encode()).hexdigest()


def _rerun_only() -> None:
    """Streamlit wants a callback for every state value of a component; the rerun itself is all that is needed."""
