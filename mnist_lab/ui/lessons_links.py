"""Links of a lesson to other pages, with what the lesson says in their address."""

from __future__ import annotations

from collections.abc import Mapping

from mnist_lab.lessons.model import Visit
from mnist_lab.ui.links import page_link

OF_THE_RACE = "race:"  # before a contestant's name: its first run


def visit_link(visit: Visit, runs: Mapping[str, str], disabled: bool = False) -> None:
    """Draw it. `runs` maps contestants to their first runs; without the one that is meant there is nowhere to go."""
    values = {name: _value(text, runs) for name, text in visit.values.items()}
    missing = None in values.values()
    help = "It takes a finished run of this lesson's race." if missing else None
    page_link(
        visit.label, visit.page, {} if missing else values, disabled=disabled or missing, help=help,
    )


def _value(text: str, runs: Mapping[str, str]) -> str | None:
    return runs.get(text.removeprefix(OF_THE_RACE)) if text.startswith(OF_THE_RACE) else text
