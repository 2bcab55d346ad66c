"""The Race page's part of the URL, and widgets that are bound to it."""

from __future__ import annotations

from typing import NoReturn

from mnist_lab.ui.page_widgets import PageWidgets

PAGE, VIEW = "Race", "mnist_lab/ui/views/race.py"
RACE = "race"  # the id of the race that is shown
BASE, KNOB, VALUES = "base", "knob", "values"

url = PageWidgets(
    PAGE,
    # The chosen values are those of one knob, beside the one that the settings have.
    resets=lambda name: (VALUES,) if name in (BASE, KNOB) else (),
    # Widgets that are gone report once more when a fragment of the race is drawn.
    heeds=lambda: not url.values().get(RACE),
)


def show_race(id: str) -> None:
    """Show that race and nothing else; in a callback or before a rerun."""
    url.go(**dict.fromkeys(url.values()) | {RACE: id})


def rerun() -> NoReturn:
    """Draw the whole page again, from a fragment too, whose idea of the URL may be out of date."""
    url.rerun()
