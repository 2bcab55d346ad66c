"""Buttons of a lesson that open another page with what the lesson says in its address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from mnist_lab.lessons.model import Visit

VIEWS = "mnist_lab/ui/views"
OF_THE_RACE = "race:"  # before a contestant's name: its first run


def go_button(visit: Visit, key: str, runs: Mapping[str, str], disabled: bool = False, **more: Any) -> None:
    """Draw it. `runs` maps contestants to their first runs; without the one that is meant there is nowhere to go."""
    values = {name: _value(text, runs) for name, text in visit.values.items()}
    missing = None in values.values()
    help = "It takes a finished run of this lesson's race." if missing else None
    if st.button(visit.label, key=key, disabled=disabled or missing, help=help, **more):
        st.switch_page(f"{VIEWS}/{visit.page.lower()}.py", query_params=values)


def _value(text: str, runs: Mapping[str, str]) -> str | None:
    return runs.get(text.removeprefix(OF_THE_RACE)) if text.startswith(OF_THE_RACE) else text
