"""The text of a lesson's file, TOML, as a `Lesson`; or what is wrong with it, in a sentence for whoever wrote it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from mnist_lab.config import KNOBS, ConfigError
from mnist_lab.contestants import MOST_CONTESTANTS, MOST_SEEDS, Contestant
from mnist_lab.lessons.figures import COLUMNS, FORMS, GAME, KINDS, PLACEHOLDER, RACE, SOURCES, TWO_SIDED, Figure
from mnist_lab.lessons.model import (
    ABOVE,
    BELOW,
    WITHIN,
    Lesson,
    LessonClaim,
    LessonError,
    LessonRace,
    Option,
    Predict,
    Visit,
)
from mnist_lab.presets import preset

PAGES = ("Train", "Race", "Runs", "Mistakes", "Draw", "Compare", "Microscope", "Lessons")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def parse(id: str, text: str) -> Lesson:
    """The lesson that this text says. Raises `LessonError`."""
    if not _ID.fullmatch(id):
        raise LessonError("Call the file by small letters, digits and hyphens: its name is the lesson's address.")
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise LessonError(f"It is no TOML: {error}.") from error
    top = _Table("the file", values)
    figures = {name: _figure(_Table(f"[figures.{name}]", one)) for name, one in top.tables("figures")}
    lesson = Lesson(
        id=id, title=top.text("title"), order=top.number("order", 1_000), question=top.text("question"),
        about=top.text("about", ""), predict=_predict(top.table("predict")), race=_race(top), visit=_link(top, "visit"),
        explanation=top.text("explanation"), sources=tuple(top.texts("sources")),
        next=tuple(_visit(one) for one in top.each("next")), figures=figures,
        claims=tuple(_claim(one) for one in top.each("claims")),
    )
    top.end()
    _check_names(lesson)
    if lesson.race is None and lesson.visit is None:
        raise LessonError("There is nothing to do in it: give it a [race] or a [visit].")
    return lesson


class _Table:
    """A table of a file, whose values are taken out one by one, so that what is left over is a mistake."""

    def __init__(self, where: str, values: Any):
        if not isinstance(values, dict):
            raise LessonError(f"{where} has to be a table, with a line for each of its values.")
        self.where, self._left = where, dict(values)

    def text(self, name: str, default: str | None = None) -> str:
        value = self._take(name, default)
        if not isinstance(value, str):
            raise LessonError(f"In {self.where}, {name} has to be a text in quotation marks.")
        return value.strip()

    def number(self, name: str, default: Any = None, kind: Any = int) -> Any:
        value = self._take(name, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise LessonError(f"In {self.where}, {name} has to be a {'whole ' if kind is int else ''}number.")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise LessonError(f"In {self.where}, {name} has to be a list of texts.")
        return value

    def values(self, name: str) -> dict[str, Any]:
        value = self._take(name, {})
        return dict(_Table(f"{name} of {self.where}", value)._left)

    def table(self, name: str) -> _Table:
        return _Table(f"[{name}]", self._take(name, None))

    def tables(self, name: str) -> Iterator[tuple[str, Any]]:
        yield from self.values(name).items()

    def each(self, name: str) -> list[_Table]:
        value = self._take(name, [])
        if not isinstance(value, list):
            raise LessonError(f"{name} has to be written as [[{name}]], once for each.")
        return [_Table(f"{name} {place}", one) for place, one in enumerate(value, start=1)]

    def has(self, name: str) -> bool:
        return name in self._left

    def end(self) -> None:
        """Say what was not asked for."""
        if self._left:
            raise LessonError(f"In {self.where} there is something that no lesson has: {', '.join(self._left)}.")

    def _take(self, name: str, default: Any) -> Any:
        value = self._left.pop(name, default)
        if value is None:
            raise LessonError(f"In {self.where}, {name} is missing.")
        return value


def _predict(table: _Table) -> Predict:
    options = []
    for one in table.each("options"):
        limit = one.number("up_to", kind=int | float) if one.has("up_to") else None
        options.append(Option(one.text("text"), limit))
        one.end()
    limits = [option.up_to for option in options[:-1]]
    if len(options) < 2 or None in limits or options[-1].up_to is not None or limits != sorted(set(limits)):
        raise LessonError(
            "In [predict] there have to be two options or more, each but the last with an up_to above the one before."
        )
    found = Predict(
        question=table.text("question"), options=tuple(options), own=table.text("own", ""),
        record=table.text("record", ""),
    )
    table.end()
    return found


def _race(top: _Table) -> LessonRace | None:
    if not top.has("race"):
        return None
    table = top.table("race")
    try:
        base = preset(table.text("base")).config.replace(**_settings(table))
        rows = [(one, one.text("id"), one.text("name"), _settings(one)) for one in table.each("contestants")]
        contestants = tuple(Contestant(name, base.replace(**change)) for _, _, name, change in rows)
    except ConfigError as error:
        raise LessonError(f"In [race] there are settings that cannot be trained: {error}") from error
    names = {name: id for _, id, name, _ in rows}
    found = LessonRace(name=table.text("name"), contestants=contestants, names=names, seeds=table.number("seeds"))
    for one in (table, *(row[0] for row in rows)):
        one.end()
    if not 2 <= len(names) <= MOST_CONTESTANTS or len({*names.values()}) < len(rows) or len(names) < len(rows):
        raise LessonError(f"A [race] has 2 to {MOST_CONTESTANTS} contestants, each with a name and an id of its own.")
    if not 1 <= found.seeds <= MOST_SEEDS:
        raise LessonError(f"A [race] has 1 to {MOST_SEEDS} seeds, not {found.seeds}.")
    return found


def _settings(table: _Table) -> dict[str, Any]:
    """What is changed, setting by setting."""
    found = table.values("change")
    for name in found.keys() - KNOBS.keys():
        raise LessonError(f"In {table.where} there is no setting {name!r}; the Train page's address names them all.")
    return found


def _link(top: _Table, name: str) -> Visit | None:
    return _visit(top.table(name)) if top.has(name) else None


def _visit(table: _Table) -> Visit:
    values = table.values("values")
    found = Visit(
        text=table.text("text"), label=table.text("label", ""), page=table.text("page", ""),
        values={key: str(value) for key, value in values.items()},
    )
    table.end()
    if found.page and found.page not in PAGES:
        raise LessonError(f"In {table.where} there is a page {found.page!r}; the pages are {', '.join(PAGES)}.")
    if bool(found.page) != bool(found.label):
        raise LessonError(f"In {table.where}, page and label belong together: where to go, and what the button says.")
    return found


def _figure(table: _Table) -> Figure:
    found = Figure(
        source=table.text("from"), of=table.text("of"), kind=table.text("kind", "mean"), minus=table.text("minus", ""),
        column=table.text("column", "test"),
    )
    table.end()
    for name, value, known in (
        ("from", found.source, SOURCES), ("kind", found.kind, KINDS), ("column", found.column, COLUMNS)
    ):
        if value not in known:
            raise LessonError(f"In {table.where}, {name} is {value!r}; it can be one of {', '.join(known)}.")
    if (found.kind in TWO_SIDED) != bool(found.minus):
        raise LessonError(f"In {table.where}, minus names the other setting, which kind {found.kind!r} does "
                          f"{'need' if found.kind in TWO_SIDED else 'not have'}.")
    return found


def _claim(table: _Table) -> LessonClaim:
    found = LessonClaim(
        text=table.text("text"), figure=table.text("figure"), relation=table.text("is"),
        than=table.number("than", kind=int | float | str),
    )
    table.end()
    if found.relation not in (ABOVE, BELOW, WITHIN):
        raise LessonError(f"In {table.where}, is has to be one of {ABOVE}, {BELOW} and {WITHIN}.")
    return found


def _check_names(lesson: Lesson) -> None:
    """Every figure that is named is there, from a source that can have it."""
    texts = [
        lesson.question, lesson.about, lesson.predict.question, lesson.explanation,
        *(option.text for option in lesson.predict.options), *(one.text for one in lesson.next),
        *(claim.text for claim in lesson.claims), lesson.visit.text if lesson.visit else "",
    ]
    named = [match.groups() for text in texts for match in PLACEHOLDER.finditer(text)]
    named += [(name, None) for name in (lesson.predict.own, lesson.predict.record) if name]
    named += [
        (name, None) for claim in lesson.claims for name in (claim.figure, claim.than) if isinstance(name, str)
    ]
    for name, form in named:
        if name not in lesson.figures:
            raise LessonError(f"A figure {name!r} is spoken of, but there is no [figures.{name}].")
        if (form or "") not in FORMS:
            raise LessonError(f"{{{name}:{form}}} asks for a form that there is not; there are {', '.join(FORMS)}.")
    racers = set(lesson.race.names.values()) if lesson.race else set()
    for name, figure in lesson.figures.items():
        if figure.source == RACE and not {one for one in (figure.of, figure.minus) if one} <= racers:
            raise LessonError(f"[figures.{name}] is about a contestant that the [race] does not have.")
    for claim in lesson.claims:
        if lesson.figures[claim.figure].source in (RACE, GAME):
            raise LessonError(f"The claim {claim.text!r} has to rest on recorded runs, not on those of a class.")
