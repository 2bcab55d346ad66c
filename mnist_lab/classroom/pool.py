"""The class's finished runs, by setting: nobody's name, a seed and an accuracy each. Read from disk once for all."""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean, median, stdev

from mnist_lab.config import DEFAULTS, ORIGIN_FIELDS, RunConfig
from mnist_lab.runs.record import RunError, RunSummary
from mnist_lab.runs.store import RunStore

FRESH_SECONDS = 1.0  # thirty browsers that look every two seconds read the folder once a second
Curve = tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True, eq=False)  # compared by identity, so that what is made of it can be cached
class PooledRun:
    """One finished run: test accuracy after the last epoch in per cent, and how long it trained in seconds.

    `owner_hash` is as in `RunSummary`: for finding one's own, never to be shown.
    """

    id: str
    seed: int
    accuracy: float
    seconds: float
    owner_hash: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """The runs of one setting on the same images, the first of every seed. `repeats` counts the others.

    `key` names the group in a link. `images` is how many test images an accuracy is of, `source` where they are from.
    """

    key: str
    setting: RunConfig
    source: str
    images: int
    runs: tuple[PooledRun, ...]
    repeats: int = 0

    @property
    def accuracies(self) -> dict[int, float]:
        """Seed -> test accuracy in per cent."""
        return {run.seed: run.accuracy for run in self.runs}


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What the seeds alone do. In per cent, differences in points.

    `deviation` is the standard deviation, `low` to `high` the range of the runs, `interval` the 95 % t-interval of the
    mean (None if all are equal), `gap` the mean difference of two runs taken at random.
    """

    runs: int
    mean: float
    low: float
    high: float
    deviation: float
    gap: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Pool:
    """All groups at one moment, those with most runs first."""

    groups: tuple[Group, ...] = ()
    _by_setting: dict[RunConfig, list[float]] = field(default_factory=dict)

    def group(self, key: str) -> Group | None:
        """The group of that key, which may come from a link."""
        return next((group for group in self.groups if group.key == key), None)

    def group_of(self, config: RunConfig) -> Group | None:
        """The largest group with these settings, whatever the seed."""
        setting = setting_of(config)
        return next((group for group in self.groups if group.setting == setting), None)

    def seconds(self, config: RunConfig) -> float | None:
        """How long a run of these settings took, the median; None if none has finished."""
        known = self._by_setting.get(setting_of(config))
        return median(known) if known else None


@lru_cache(maxsize=4096)
def setting_of(config: RunConfig) -> RunConfig:
    """The settings without what does not count: equal for two configs exactly if `same_setting` says so."""
    kept = {name: value for name, value in config.to_dict().items() if config.matters(name)}
    return RunConfig(**kept | {name: DEFAULTS[name] for name in ORIGIN_FIELDS})


def spread(group: Group) -> Spread | None:
    """What the group's runs tell of chance; None for fewer than two."""
    values = sorted(run.accuracy for run in group.runs)
    n = len(values)
    if n < 2:
        return None
    # Each value is above (place) others and below (n - 1 - place): the sum over all pairs without going through them.
    pairs = sum((2 * place - n + 1) * value for place, value in enumerate(values))
    return Spread(
        runs=n, mean=fmean(values), low=values[0], high=values[-1], deviation=stdev(values),
        gap=pairs / (n * (n - 1) / 2), interval=_interval(group.accuracies),
    )


def _interval(values: dict[int, float]) -> tuple[float, float] | None:
    from mnist_lab.statistics import against  # with numpy and scipy, which the first page does without

    interval = against(values, 0.0).interval
    return (interval.low, interval.high) if interval else None


class PoolReader:
    """The pool of a store, read anew at most every `FRESH_SECONDS`. Safe from any thread."""

    def __init__(self, store: RunStore):
        self._store = store
        self._lock = threading.Lock()
        self._read_at = -math.inf
        self._seen: tuple[str, ...] | None = None
        self._pool = Pool()
        self._curves: dict[str, Curve] = {}

    def __call__(self) -> Pool:
        """The pool as it is now; the same object while no run has come or gone."""
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                runs = [run for run in self._store.list() if isinstance(run, RunSummary) and _counts(run)]
                seen = tuple(run.id for run in runs)
                if seen != self._seen:
                    self._pool, self._seen = _pool(runs), seen
                    self._curves = {id: curve for id, curve in self._curves.items() if id in set(seen)}
                self._read_at = time.monotonic()
            return self._pool

    def refresh(self) -> None:
        """Forget what was read: runs have just been deleted."""
        with self._lock:
            self._read_at = -math.inf

    def curve(self, id: str) -> Curve:
        """(epoch, accuracy in per cent) of every epoch of that run that was tested; empty if it cannot be read."""
        with self._lock:
            known = self._curves.get(id)
        if known is None:
            try:
                history = self._store.load(id).history
            except RunError:  # deleted meanwhile
                return ()
            known = tuple(
                (line["epoch"], line["eval_accuracy"]) for line in history if line["eval_accuracy"] is not None
            )
            with self._lock:
                self._curves[id] = known
        return known


def _counts(run: RunSummary) -> bool:
    """Whether a run belongs to the class: a browser started it, and it came to its end."""
    known = run.owner_hash is not None and run.status == "finished"
    return known and isinstance(run.summary.get("test_accuracy"), int | float)


def _pool(runs: list[RunSummary]) -> Pool:
    by_key: dict[tuple[RunConfig, str], list[RunSummary]] = {}
    by_setting: dict[RunConfig, list[float]] = {}
    for run in reversed(runs):  # the oldest first: the first run of a seed counts
        setting = setting_of(run.config)
        by_key.setdefault((setting, str(run.data.get("checksum"))), []).append(run)
        by_setting.setdefault(setting, []).append(run.timings["seconds"])
    groups = [_group(setting, checksum, of_one) for (setting, checksum), of_one in by_key.items()]
    return Pool(tuple(sorted(groups, key=lambda group: -len(group.runs))), by_setting)


def _group(setting: RunConfig, checksum: str, runs: list[RunSummary]) -> Group:
    first: dict[int, RunSummary] = {}
    for run in runs:
        first.setdefault(run.config.seed, run)
    text = json.dumps([setting.to_dict(), checksum], sort_keys=True)
    data = runs[0].data
    return Group(
        key=hashlib.sha256(text.encode()).hexdigest()[:10], setting=setting, source=str(data.get("source")),
        images=int(data.get("test_images") or 0), repeats=len(runs) - len(first),
        runs=tuple(
            PooledRun(
                id=run.id, seed=seed, accuracy=float(run.summary["test_accuracy"]), seconds=run.timings["seconds"],
                owner_hash=run.owner_hash or "",
            )
            for seed, run in first.items()
        ),
    )
