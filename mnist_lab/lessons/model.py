"""What a lesson consists of. Texts are Markdown, in which figures stand as {name}."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mnist_lab.contestants import Contestant
from mnist_lab.lessons.figures import GAME, RACE, Figure

ABOVE, BELOW, WITHIN = "above", "below", "within"


class LessonError(Exception):
    """A file that is no lesson. The message is a sentence that says what to mend."""


@dataclass(frozen=True)
class Option:
    """A possible prediction: the figures up to `up_to` (and above the option before) bear it out."""

    text: str
    up_to: float | None


@dataclass(frozen=True, kw_only=True)
class Predict:
    """What the class is asked first. `own` and `record` name the figures that answer: of its race, and recorded."""

    question: str
    options: tuple[Option, ...]
    own: str = ""
    record: str = ""

    def answer(self, value: float) -> int:
        """The place of the option that a figure bears out."""
        return next(
            place for place, option in enumerate(self.options) if option.up_to is None or value <= option.up_to
        )


@dataclass(frozen=True, kw_only=True)
class LessonRace:
    """The race that a lesson has ready. `names` maps what a contestant is called to its name in the figures."""

    name: str
    contestants: tuple[Contestant, ...]
    names: Mapping[str, str]
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A link to another page with its values as in that page's address. "race:x" is the first run of contestant x."""

    text: str
    label: str = ""
    page: str = ""
    values: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class LessonClaim:
    """What the lesson teaches: a figure is `relation` than a number or than another figure (`than`)."""

    text: str
    figure: str
    relation: str
    than: float | str


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson as its file says it. Texts are Markdown, with figures as {name}; `visit` is what there is for a race."""

    id: str
    title: str
    order: int
    question: str
    about: str
    predict: Predict
    race: LessonRace | None
    visit: Visit | None
    explanation: str
    sources: tuple[str, ...]
    next: tuple[Visit, ...]
    figures: Mapping[str, Figure] = field(hash=False)
    claims: tuple[LessonClaim, ...]

    @property
    def studies(self) -> list[str]:
        """Where its recorded figures come from, in the order in which they are named."""
        return list(dict.fromkeys(one.source for one in self.figures.values() if one.source not in (RACE, GAME)))
