"""A race as it stands: its runs wherever they are, who is ahead, and what the seeds decide. Pure Python.

Thirty browsers may watch one race of eighty runs: a run that has ended is read from disk once, for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mnist_lab.events import Failed
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.race import Race
from mnist_lab.runs.record import RUN, RunError, replay
from mnist_lab.runs.store import RunStore
from mnist_lab.statistics import Difference, StatisticsError, holm_adjusted, paired
from mnist_lab.ui.chart_data import tested
from mnist_lab.ui.run_find import LIVE
from mnist_lab.ui.run_model import Progress, look, progress_of

KEPT_RACES = 20
GONE = "gone"  # no such run any more: deleted, or it was in line when the lab was closed


@dataclass(frozen=True, kw_only=True, eq=False)  # compared by identity, so that what is made of it can be cached
class RaceRun:
    """One run of a race at one moment. `state` is as in `run_find.FoundRun`, or `GONE`.

    `done` is the share of its epochs, 0 to 1. `curve` is (epoch, accuracy) of every epoch that was tested; `result` is
    the accuracy on the test set at the end, None before. Accuracies are in per cent. `data` is `events.Started.data`,
    empty before the run began; `message` says why it failed.
    """

    id: str
    seed: int
    state: str
    done: float = 0.0
    curve: tuple[tuple[int, float], ...] = ()
    train_accuracy: float | None = None
    result: float | None = None
    data: dict[str, Any]
    message: str = ""

    @property
    def is_live(self) -> bool:
        """Whether there is more to come."""
        return self.state in LIVE

    @property
    def latest(self) -> float | None:
        """The result, or the last accuracy on the way there."""
        return self.result if self.result is not None else self.curve[-1][1] if self.curve else None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A contestant's line in the table, accuracies in per cent: the mean over `seeds`, the lowest and the highest, and
    the mean training accuracy of the same runs.

    Over the runs that are finished; before the first one is, over those under way, and `is_final` is False. Those runs
    are `counted`.
    """

    number: int
    name: str
    mean: float | None
    low: float | None
    high: float | None
    train: float | None
    seeds: int
    finished: int
    is_final: bool
    runs: tuple[RaceRun, ...]
    counted: tuple[RaceRun, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A contestant against the first: the difference in points (its mean minus the first's), or why there is none."""

    name: str
    against: str
    difference: Difference | None
    problem: str = ""


@dataclass(frozen=True, eq=False)  # by identity, as above
class RaceModel:
    """A race at one moment: its runs by contestant, in the order of its seeds."""

    race: Race
    runs: tuple[tuple[RaceRun, ...], ...]

    @property
    def all_runs(self) -> list[RaceRun]:
        """Every run, contestant by contestant."""
        return [run for of_one in self.runs for run in of_one]

    @property
    def is_live(self) -> bool:
        """Whether there is more to come."""
        return any(run.is_live for run in self.all_runs)

    @property
    def done(self) -> float:
        """The share of all epochs that is over, 0 to 1; a run that ended early counts in full."""
        shares = [run.done if run.is_live else 1.0 for run in self.all_runs]
        return sum(shares) / len(shares)

    def count(self, *states: str) -> int:
        """How many runs are in one of these states."""
        return sum(run.state in states for run in self.all_runs)

    def data(self) -> dict[str, Any]:
        """What the first run that began was trained on; empty before."""
        return next((run.data for run in self.all_runs if run.data), {})


_latest: dict[str, RaceModel] = {}
_lock = threading.Lock()


def look_at(race: Race, queue: RunQueue, store: RunStore) -> RaceModel:
    """The race as it is now; the same object while nothing has happened, whichever session asks."""
    runs = tuple(
        tuple(find(id, seed, queue, store) for id, seed in zip(ids, race.seeds, strict=True)) for ids in race.runs
    )
    with _lock:
        last = _latest.get(race.id)
        if last is None or (last.race, last.runs) != (race, runs):
            if len(_latest) >= KEPT_RACES:
                del _latest[next(iter(_latest))]
            last = _latest[race.id] = RaceModel(race, runs)
        return last


def find(id: str, seed: int, queue: RunQueue, store: RunStore) -> RaceRun:
    """One run of a race, wherever it is."""
    job = queue.job(id)
    if job is None:
        return _stored(id, seed, store)
    state, progress = job.state, look(job.log)
    if state not in LIVE and not store.exists(id):
        # One that was stopped in line never was on disk.
        return _absent(id, seed, GONE if progress.started else state)
    return _run(id, seed, state, progress)


def _stored(id: str, seed: int, store: RunStore) -> RaceRun:
    try:
        path = store.root / id / RUN
        return _ended(id, seed, store, path.stat().st_mtime_ns) if path.exists() else _read(id, seed, store)
    except (RunError, OSError):
        return _absent(id, seed, GONE)


@lru_cache(maxsize=1024)
def _absent(id: str, seed: int, state: str) -> RaceRun:
    """A run of which nothing is on disk."""
    return RaceRun(id=id, seed=seed, state=state, data={})


@lru_cache(maxsize=1024)
def _ended(id: str, seed: int, store: RunStore, changed: int) -> RaceRun:
    """A run that has ended, and that nobody has changed since (`changed`, in nanoseconds)."""
    return _read(id, seed, store)


def _read(id: str, seed: int, store: RunStore) -> RaceRun:
    record = store.load(id)
    return _run(id, seed, record.status, progress_of(replay(record)))


@lru_cache(maxsize=1024)
def _run(id: str, seed: int, state: str, progress: Progress) -> RaceRun:
    history, last = progress.history, progress.last
    summary = getattr(last, "summary", {})
    return RaceRun(
        id=id, seed=seed, state=state, done=progress.fraction if progress.started else 0.0,
        curve=tuple((line["epoch"], line["eval_accuracy"]) for line in tested(history)),
        train_accuracy=history[-1]["train_accuracy"] if history else None,
        result=summary.get("test_accuracy") if state == "finished" else None,
        data=progress.started.data if progress.started else {},
        message=last.message if isinstance(last, Failed) else "",
    )


def standings(model: RaceModel) -> list[Standing]:
    """Who is ahead: the highest mean first, contestants without any accuracy last."""
    lines = [
        _standing(number, one.name, runs)
        for number, (one, runs) in enumerate(zip(model.race.contestants, model.runs, strict=True))
    ]
    return sorted(lines, key=lambda line: (line.mean is None, -(line.mean or 0.0), line.number))


def _standing(number: int, name: str, runs: tuple[RaceRun, ...]) -> Standing:
    ended = [run for run in runs if run.result is not None]
    counted = ended or [run for run in runs if run.is_live and run.latest is not None]
    seen = [run.latest for run in counted]
    train = [run.train_accuracy for run in counted if run.train_accuracy is not None]
    return Standing(
        number=number, name=name, mean=sum(seen) / len(seen) if seen else None, low=min(seen, default=None),
        high=max(seen, default=None), train=sum(train) / len(train) if train else None, seeds=len(seen),
        finished=len(ended), is_final=bool(ended), runs=runs, counted=tuple(counted),
    )


def lead(first: Standing, second: Standing) -> tuple[float, int]:
    """How many points the first is ahead of the second, and the number of seeds that this rests on.

    Over the seeds that both have, which share their luck; if there are none, of the two means, and the number is 0.
    """
    a, b = ({run.seed: run.latest for run in line.counted} for line in (first, second))
    shared = a.keys() & b.keys()
    if not shared:
        return first.mean - second.mean, 0
    return sum(a[seed] - b[seed] for seed in shared) / len(shared), len(shared)


def outcomes(model: RaceModel) -> list[Outcome]:
    """Every contestant against the first over the seeds that both finished with, corrected together (Holm)."""
    first, *others = zip(model.race.contestants, model.runs, strict=True)
    found: list[Outcome] = []
    for one, runs in others:
        difference, problem = _difference(runs, first[1])
        found.append(Outcome(name=one.name, against=first[0].name, difference=difference, problem=problem))
    adjusted = iter(holm_adjusted([one.difference for one in found if one.difference]))
    return [
        Outcome(name=one.name, against=one.against, difference=next(adjusted)) if one.difference else one
        for one in found
    ]


def _difference(a: Sequence[RaceRun], b: Sequence[RaceRun]) -> tuple[Difference | None, str]:
    tests = {(run.data.get("checksum"), run.data.get("test_images")) for run in (*a, *b) if run.result is not None}
    if len(tests) > 1:
        return None, "They were not tested on the same images: the data changed while the race was on."
    try:
        return paired(_results(a), _results(b)), ""
    except StatisticsError as error:
        return None, str(error)


def _results(runs: Sequence[RaceRun]) -> dict[int, float]:
    return {run.seed: run.result for run in runs if run.result is not None}


def mean_curve(runs: Sequence[RaceRun]) -> list[tuple[int, float]]:
    """The mean over seeds at every tested epoch, over the runs that are as far as the one that is furthest.

    Over those only: a mean that other seeds join or leave on the way would jump where none of them does.
    """
    furthest = max((run.curve[-1][0] for run in runs if run.curve), default=0)
    curves = [dict(run.curve) for run in runs if run.curve and run.curve[-1][0] == furthest]
    if not curves:
        return []
    shared = sorted(set.intersection(*map(set, curves)))
    return [(epoch, sum(curve[epoch] for curve in curves) / len(curves)) for epoch in shared]
