"""The figures in a lesson: each has a name in the lesson's file and is computed from what was recorded, never typed.

A figure says where it comes from (a study, the tables that the sources published, a shipped network, or what this
session has just run), of which setting, and what to make of it: `KINDS` and `COLUMNS` are all there is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import numpy as np

from mnist_lab.counts import LEVEL
from mnist_lab.evaluation import DISPUTED
from mnist_lab.published import PUBLISHED, rows_of
from mnist_lab.runs.library import Library
from mnist_lab.runs.race import Race
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.study import StudyError, load_study, study_root
from mnist_lab.statistics import Difference, StatisticsError, paired, widest_gap
from mnist_lab.studies import STUDIES
from mnist_lab.verdict_text import interval_text, many, points, signed

POINTS, SPAN, PERCENT, COUNT, PLAIN = "points", "span", "percent", "count", "plain"
# What there is of a run, and its unit. Accuracies are those of the last epoch; in `gap` the wrong labels count.
COLUMNS = {
    "test": PERCENT, "train": PERCENT, "train_true": PERCENT, "gap": POINTS, "weight_norm": PLAIN,
    "zero_weights": PERCENT, "small_weights": PERCENT, "errors": COUNT, "disputed": COUNT, "disputed_share": PERCENT,
    "best": PERCENT, "last_five": PERCENT, "read": PERCENT,
}
MEAN, DIFFERENCE, TIMES, SQUARED, WIDEST, LARGEST = "mean", "difference", "times", "times squared", "widest", "largest"
SAME_TWICE, CHANCE = "same twice", "chance"
KINDS = {
    MEAN: "the mean over seeds", DIFFERENCE: "`of` minus `minus`, mean over the seeds that both have",
    TIMES: "how many times `minus` the mean of `of` is", SQUARED: "the square of that",
    WIDEST: "how far two seeds of `of` are apart at most", LARGEST: "the same for `of` and `minus` with one seed",
    SAME_TWICE: "how far apart the published rows of one and the same configuration are",
    CHANCE: "by how much two networks as good as `of` must differ to be more than chance (10,000 images)",
}
TWO_SIDED = (DIFFERENCE, TIMES, SQUARED, LARGEST)
RACE, GAME, PUBLISHED_TABLES, SHIPPED = "race", "game", "published", "pretrained"
SOURCES = (*STUDIES, PUBLISHED_TABLES, SHIPPED, RACE, GAME)
UNKNOWN = "(not measured yet)"
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?::([a-z]+))?\}")  # {name} or {name:form}

Rows = Mapping[int, Mapping[str, float]]
"""A setting's runs: the columns by seed."""


class NotMeasuredError(Exception):
    """There is nothing to compute a figure from. The message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """How a figure is computed: from which source, which setting (and which other one), which column."""

    source: str
    of: str
    kind: str = MEAN
    minus: str = ""
    column: str = "test"

    @property
    def unit(self) -> str:
        """One of the five units; a span is in points and has no sign."""
        if self.kind in (TIMES, SQUARED):
            return PLAIN
        unit = COLUMNS[self.column]
        if self.kind == MEAN or unit not in (PERCENT, POINTS):
            return unit
        return POINTS if self.kind == DIFFERENCE else SPAN


@dataclass(frozen=True, kw_only=True)
class Found:
    """A figure as it came out. `seeds` is on how many it rests; `complete` whether that is all there are to be.

    A mean, or a difference of two settings, has its values `by_seed`, in which chance has a part; a difference over two
    seeds or more has itself as `difference`.
    """

    value: float
    unit: str
    seeds: int = 1
    complete: bool = True
    by_seed: Mapping[int, float] = field(default_factory=dict, hash=False)
    difference: Difference | None = None

    def text(self, form: str = "") -> str:
        """As it stands in a sentence: "+10.47 points". `form` is "", or one of `FORMS`."""
        return FORMS[form](self)


def _plain(found: Found) -> str:
    if found.unit == POINTS:
        return points(found.value)
    return "−" * (found.value < 0) + _size(found)


def _size(found: Found) -> str:
    """Without a sign."""
    value = abs(found.value)
    if found.unit in (POINTS, SPAN):
        return f"{signed(value).lstrip('+')} points"
    if found.unit == PERCENT:
        return f"{value:.{2 if value > 98 else 1}f} %"
    return f"{value:,.0f}" if found.unit == COUNT else f"{value:.1f}"


def _sure(found: Found) -> str:
    """With the number of seeds and the interval, as far as there are any."""
    about = [interval_text(found.difference)] if found.difference else []
    about += [many(found.seeds, "seed")] if found.by_seed else []
    return _plain(found) + (f" ({', '.join(about)})" if about else "")


FORMS: dict[str, Callable[[Found], str]] = {
    "": _plain, "size": _size, "sure": _sure, "seeds": lambda found: many(found.seeds, "seed"),
}


class Records:
    """Where figures look things up. What a session has run itself is handed in: settings' names -> their runs."""

    def __init__(self, *, race: Mapping[str, Rows] | None = None, game: Mapping[str, Rows] | None = None,
                 root: Path | None = None, library: Library | None = None):
        self._own = {RACE: race, GAME: game}
        self._root, self._library = root, library

    def find(self, figure: Figure) -> Found:
        """The figure. Raises `NotMeasuredError`."""
        if figure.source == PUBLISHED_TABLES:
            return _published(figure)
        rows = [self._rows(figure.source, name) for name in (figure.of, figure.minus) if name]
        try:
            found = _compute(figure, [_column(one, figure.column) for one in rows])
        except StatisticsError as error:
            raise NotMeasuredError(str(error)) from error
        if figure.source not in STUDIES:
            return replace(found, by_seed={}) if figure.source in (SHIPPED, GAME) else found
        return replace(found, complete=min(map(len, rows)) >= len(STUDIES[figure.source].seeds))

    def _rows(self, source: str, name: str) -> Rows:
        if source in self._own:
            rows = (self._own[source] or {}).get(name)
            if not rows:
                raise NotMeasuredError("This has not been run to its end here.")
            return rows
        return _shipped(name, self._library) if source == SHIPPED else self._study(source, name)

    def _study(self, source: str, name: str) -> Rows:
        root = self._root or study_root()
        paths = [root / f"{source}{ending}" for ending in (".json", ".npz")]
        stamp = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)
        rows = _study_rows(source, root, stamp)
        if name not in rows:
            raise NotMeasuredError(
                f"The study {source} has no run of {name} yet. Make it: {STUDIES[source].command}"
            )
        return rows[name]


def fill(text: str, figures: Mapping[str, Figure], records: Records) -> str:
    """A text of a lesson with its figures put in; `UNKNOWN` where there is nothing to compute one from."""
    def put(match: re.Match[str]) -> str:
        try:
            return records.find(figures[match[1]]).text(match[2] or "").replace(" %", "\u00a0%")  # on one line
        except NotMeasuredError:
            return UNKNOWN

    return PLACEHOLDER.sub(put, text)


def columns_of(last: Mapping[str, float], test: float) -> dict[str, float]:
    """The columns of a run from the last line of its history and its test accuracy (per cent)."""
    return {
        "test": test, "train": last["train_accuracy"], "train_true": last["train_accuracy_true"],
        "gap": last["train_accuracy"] - test, "weight_norm": last["weight_norm"],
        "zero_weights": 100 * last["zero_weights"], "small_weights": 100 * last["small_weights"],
    }


def race_rows(race: Race, names: Mapping[str, str], store: RunStore) -> dict[str, Rows]:
    """A race as the source "race": `names` maps what its contestants are called to their names in the lesson.

    Runs that are not finished, or are gone, are left out.
    """
    found: dict[str, dict[int, Mapping[str, float]]] = {}
    for one, ids in zip(race.contestants, race.runs, strict=True):
        for id, seed in zip(ids, race.seeds, strict=True):
            try:
                record = store.load(id)
            except RunError:  # deleted, or still under way: the page says so where it shows the race
                continue
            test = record.summary.get("test_accuracy")
            if record.status == "finished" and test is not None:
                found.setdefault(names[one.name], {})[seed] = columns_of(record.history[-1], test)
    return found


@lru_cache(maxsize=16)
def _study_rows(source: str, root: Path, stamp: tuple[int, ...]) -> dict[str, Rows]:
    """All of a study, read once for as long as its files stay as they are (`stamp`)."""
    try:
        study = load_study(source, root)
    except StudyError as error:
        raise NotMeasuredError(str(error)) from error
    found: dict[str, dict[int, Mapping[str, float]]] = {}
    for run in study.runs:
        last = {name: float(values[-1]) for name, values in run.history.items()}
        wrong = run.digits != study.labels
        row = columns_of(last, 100 * float(1 - wrong.mean())) | _disputed(np.flatnonzero(wrong))
        found.setdefault(run.setting, {})[run.seed] = row
    return found


def _disputed(errors: np.ndarray) -> dict[str, float]:
    hit = int(np.isin(errors, list(DISPUTED)).sum())
    return {
        "errors": len(errors), "disputed": hit, "disputed_share": 100 * hit / len(errors) if len(errors) else math.nan,
    }


def _shipped(name: str, library: Library | None) -> Rows:
    try:
        answers = (library or Library()).pretrained.load(name).test_logits()
    except RunError as error:
        raise NotMeasuredError(str(error)) from error
    wrong = answers.digits != answers.labels
    errors = np.asarray(answers.indices)[wrong]
    return {0: {"test": 100 * float(1 - wrong.mean()), **_disputed(errors)}}


def _column(rows: Rows, column: str) -> dict[int, float]:
    if any(column not in row for row in rows.values()):
        raise NotMeasuredError(f"Nothing is recorded about {column!r} there.")
    return {seed: row[column] for seed, row in rows.items()}


def _compute(figure: Figure, values: list[dict[int, float]]) -> Found:
    mine, other = values[0], values[-1]
    means = [fmean(one.values()) for one in values]
    if figure.kind == MEAN:
        return Found(value=means[0], unit=figure.unit, seeds=len(mine), by_seed=mine)
    if figure.kind == WIDEST:
        return Found(value=widest_gap(mine)[0], unit=figure.unit, seeds=len(mine))
    shared = sorted(mine.keys() & other.keys())
    if not shared:
        raise StatisticsError("The two settings have no seed in common yet.")
    if figure.kind == LARGEST:
        most = max((mine[seed] - other[seed] for seed in shared), key=abs)
        return Found(value=abs(most), unit=figure.unit, seeds=len(shared))
    if figure.kind in (TIMES, SQUARED):
        ratio = means[0] / means[1] if means[1] else math.nan
        return Found(value=ratio if figure.kind == TIMES else ratio**2, unit=figure.unit, seeds=len(shared))
    by_seed = {seed: mine[seed] - other[seed] for seed in shared}
    return Found(
        value=fmean(by_seed.values()), unit=figure.unit, seeds=len(shared), by_seed=by_seed,
        difference=paired(mine, other) if len(shared) > 1 else None,
    )


def _published(figure: Figure) -> Found:
    names = [name for name in (figure.of, figure.minus) if name]
    values = [_published_value(name, figure.column) for name in names]
    if figure.kind == SAME_TWICE:
        rows = [_published_value(name, figure.column) for name in rows_of(figure.of)]
        return Found(value=max(rows) - min(rows), unit=figure.unit)
    if figure.kind == CHANCE:
        share = values[0] / 100
        # Half the width of the interval around a difference of two independent shares (normal approximation).
        wide = 100 * _normal(LEVEL) * math.sqrt(2 * share * (1 - share) / 10_000)
        return Found(value=wide, unit=figure.unit)
    return Found(value=values[0] - values[1] if figure.kind == DIFFERENCE else values[0], unit=figure.unit)


def _normal(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def _published_value(name: str, column: str) -> float:
    row = PUBLISHED.get(name)
    if row is None:
        raise NotMeasuredError(f"The sources published no row {name!r}.")
    if column == "best":
        return row.best
    if column == "last_five":
        return row.mean_of_last_five
    if not row.last_five:
        raise NotMeasuredError(f"Of {name} the last epochs are not published.")
    train, test = row.last_five[-1][1], row.last_five[-1][3]
    return {"train": train, "test": test, "gap": train - test}[column]
