"""Links from one page to another that bring it values, as its address has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

VIEWS = Path(__file__).parent / "views"
HOME = "Train"


def page_link(
    label: str, page: str, values: Mapping[str, str], *, disabled: bool = False, help: str | None = None
) -> None:
    """Draw a link to the page of that title, which then shows these values and no others."""
    target = st.Page(VIEWS / f"{page.lower()}.py", title=page, default=page == HOME)
    st.page_link(
        target, label=label, icon=":material/arrow_forward:", query_params=dict(values) or None, disabled=disabled,
        help=help,
    )
