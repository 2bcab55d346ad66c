"""A run's events folded into what the page shows of it. Pure Python: no Streamlit, no torch.

Thirty browsers may watch the same run, several times a second: only the events that are new since the last look
are read, once for all of them, and points within epochs are thinned as they come.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mnist_lab.events import LAST_EVENTS, Epoch, Event, Failed, Finished, Preparing, Started, Step, Stopped
from mnist_lab.runs.job import EventLog
from mnist_lab.ui.chart_data import MAX_STEP_POINTS


@dataclass(frozen=True, eq=False)  # compared by identity, so that what is made of it can be cached
class Progress:
    """A run as far as it has come. Never changed: a later look gives another one.

    `history` is a dict an epoch (`events.Epoch`), `points` are dicts of `epoch` (progress in epochs), `loss` and
    `learning_rate`, as the charts want them; a run that is read from disk has none. `last` is None until the end.
    The last line of a run that was stopped between two tests has the test that it ended with.
    """

    preparing: Preparing | None = None
    started: Started | None = None
    step: Step | None = None
    history: tuple[dict[str, Any], ...] = ()
    points: tuple[dict[str, float], ...] = ()
    last: Finished | Stopped | Failed | None = None

    @property
    def epochs_done(self) -> float:
        """Progress in epochs: 2.5 in the middle of the third."""
        within = self.step.progress if self.step else 0.0
        return max(within, float(len(self.history)))

    @property
    def fraction(self) -> float:
        """How much of the run is done, 0 to 1; while it is being prepared, of that."""
        if self.started is None:
            fraction = self.preparing.fraction if self.preparing else None
            return min(max(fraction or 0.0, 0.0), 1.0)
        return min(self.epochs_done / self.started.epochs, 1.0)


class Points:
    """The points within epochs, at most `limit` of them: each the mean over the same number of steps, a power of two.

    A point once drawn keeps its place until the groups double; the last group may be short.
    """

    def __init__(self, limit: int = MAX_STEP_POINTS):
        self._half, self._size = limit // 2, 1
        self._groups: list[dict[str, float]] = []
        self._open: list[dict[str, float]] = []

    def add(self, step: Step) -> None:
        """Take in one step."""
        if len(self._groups) == 2 * self._half:
            pairs = zip(self._groups[::2], self._groups[1::2], strict=True)
            self._groups, self._size = [_mean(pair) for pair in pairs], 2 * self._size
        self._open.append({"epoch": step.progress, "loss": step.loss, "learning_rate": step.learning_rate})
        if len(self._open) == self._size:
            self._groups.append(_mean(self._open))
            self._open = []

    def rows(self) -> tuple[dict[str, float], ...]:
        """The points so far, in order."""
        return (*self._groups, *([_mean(self._open)] if self._open else []))


class RunModel:
    """What the events so far come to. Not safe for several threads at once; see `look`."""

    def __init__(self) -> None:
        self.seen = 0
        self._points = Points()
        self._history: list[dict[str, Any]] = []
        self._latest: dict[type, Event] = {}
        self._last: Finished | Stopped | Failed | None = None
        self._progress = Progress()

    def add(self, events: Iterable[Event]) -> None:
        """Take in the next events, in order."""
        events = list(events)
        for event in events:
            self._take(event)
        if events:
            self.seen += len(events)
            latest = self._latest.get
            self._progress = Progress(
                preparing=latest(Preparing), started=latest(Started), step=latest(Step),
                history=tuple(self._history), points=self._points.rows(), last=self._last,
            )

    def progress(self) -> Progress:
        """The run as it is now; the same object while nothing has happened."""
        return self._progress

    def _take(self, event: Event) -> None:
        if isinstance(event, Epoch):
            self._history.append(vars(event))
        elif isinstance(event, LAST_EVENTS):
            self._last = event
            self._history[-1:] = [_with_last_test(line, event) for line in self._history[-1:]]
        else:
            self._latest[type(event)] = event
        if isinstance(event, Step):
            self._points.add(event)


_models: weakref.WeakKeyDictionary[EventLog, RunModel] = weakref.WeakKeyDictionary()
_models_lock = threading.Lock()


def look(log: EventLog) -> Progress:
    """How far the run of this log is. Reads the new events only, whichever session asks; safe from any thread."""
    with _models_lock:
        model = _models.setdefault(log, RunModel())
        model.add(log.since(model.seen))
        return model.progress()


def progress_of(events: Iterable[Event]) -> Progress:
    """How far a run is by all of its events (`runs.record.replay`)."""
    model = RunModel()
    model.add(events)
    return model.progress()


def _with_last_test(line: dict[str, Any], end: Finished | Stopped | Failed) -> dict[str, Any]:
    """The last line of the history with the test at the end of a stopped run, which only the summary tells.

    With a validation set that is another test than those after the epochs, and stays apart.
    """
    summary = {} if isinstance(end, Failed) else end.summary
    loss, accuracy = summary.get("test_loss"), summary.get("test_accuracy")
    if line["eval_name"] != "test" or line["eval_accuracy"] is not None or None in (loss, accuracy):
        return line
    return {**line, "eval_loss": loss, "eval_accuracy": accuracy}


def _mean(points: Iterable[dict[str, float]]) -> dict[str, float]:
    points = list(points)
    means = {name: sum(point[name] for point in points) / len(points) for name in ("loss", "learning_rate")}
    return {"epoch": points[-1]["epoch"], **means}
