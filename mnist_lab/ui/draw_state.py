"""What the Draw page remembers: its part of the URL, the drawing on the canvas, and the digits that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mnist_lab.collection import Collection
from mnist_lab.digitize import STEPS
from mnist_lab.ui import page_state
from mnist_lab.ui.page_widgets import PageWidgets

PAGE = "Draw"
RUN, INPUT, OFF, PART = "run", "input", "off", "part"
MAX_UNDO = 30

url = PageWidgets(PAGE)


@dataclass(frozen=True)
class Drawing:
    """What was on the canvas at one moment: its strokes, as the canvas wants them back, and the picture as a PNG."""

    strokes: dict[str, Any]
    png: bytes


@dataclass
class Canvas:
    """The canvas of one session. Another `version` makes a new one, which begins with `start`; its own state dies with
    its page, so `latest` is kept here."""

    version: int = 0
    start: Drawing | None = None
    latest: Drawing | None = None
    earlier: list[Drawing | None] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The component's key."""
        return f"draw_canvas_{self.version}"

    def take(self, drawing: Drawing | None) -> None:
        """The user drew."""
        self.earlier = [*self.earlier, self.latest][-MAX_UNDO:]
        self.latest = drawing

    def undo(self) -> None:
        """Back to before the last stroke, or before it was cleared."""
        if self.earlier:
            self._show(self.earlier.pop())

    def clear(self) -> None:
        """A new page."""
        if self.latest is not None:
            self.earlier = [*self.earlier, self.latest][-MAX_UNDO:]
        self._show(None)

    def _show(self, drawing: Drawing | None) -> None:
        self.start = self.latest = drawing
        self.version += 1


def steps() -> list[str]:
    """The steps that are on."""
    off = url.values().get(OFF, "").split(",")
    return [step for step in STEPS if step not in off]


def set_steps(on: Sequence[str]) -> None:
    """Switch steps on and all others off, in a callback."""
    url.go(**{OFF: ",".join(step for step in STEPS if step not in on) or None})


def canvas() -> Canvas:
    """The session's canvas. When the page was left and is shown again, it begins with what was drawn."""
    known = url.memory().setdefault("canvas", Canvas())
    if not page_state.is_drawn(known.key):
        known.start = known.latest
    return known


def collection() -> Collection:
    """The digits that this session keeps."""
    return url.memory().setdefault("kept", Collection())
