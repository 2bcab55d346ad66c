"""The browser's history: one entry for one action of the user, so that one step Back undoes one.

Streamlit puts an entry in for every change of the address. Opening a page that remembers its values makes two, first
the new values behind the address of the page that is left (which then cannot read them), then the new page.
"""

from __future__ import annotations

import streamlit as st

KEY = "mnist_lab_history"

# The module is loaded once per page load; what it changes lasts as long.
_JS = """
const ACTIONS = ["pointerdown", "pointerup", "click", "keydown", "input"];

function onePerAction() {
  let acted = false;  // whether the user has done anything since the last entry
  for (const kind of ACTIONS) addEventListener(kind, () => { acted = true; }, { capture: true, passive: true });
  const push = history.pushState;
  history.pushState = function (...entry) {
    if (acted) push.apply(history, entry);
    else history.replaceState(...entry);
    acted = false;
  };
}

onePerAction();

export default function () {}
"""

_mount = st.components.v2.component(
    "mnist_lab.history",
    css=f".st-key-{KEY} {{ display: none; }}",  # an empty component costs the gap between two elements
    js=_JS,
    isolate_styles=False,
)


def mount() -> None:
    """Put the invisible component on the page. Call it in every script run, outside fragments."""
    _mount(key=KEY)
