"""What a knob of a run is: its label, help and range, and the error for values that cannot be trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALL = "all"  # how "every training image there is" is written in JSON, in URLs and on the command line


class ConfigError(ValueError):
    """Settings that cannot be trained. `problems` maps a knob's name to one sentence that says what to do."""

    def __init__(self, problems: Mapping[str, str]):
        self.problems = dict(problems)
        super().__init__(" ".join(self.problems.values()))


@dataclass(frozen=True)
class Knob:
    """What there is to know about one field of `RunConfig` besides its name, type and default.

    `low` and `high` are inclusive. `choices` maps a value to its label. `suggestions` are the values a
    log-scaled slider offers. `needs` names another knob and the values of it for which this one matters. `word` may
    stand in place of a number.
    """

    group: str
    label: str
    help: str
    low: float | None = None
    high: float | None = None
    choices: Mapping[str, str] | None = None
    suggestions: tuple[float, ...] = ()
    unit: str = ""
    needs: tuple[str, tuple[Any, ...]] | None = None
    needs_positive: str | None = None
    word: str | None = None

    def problem(self, value: Any, kind: Any) -> str | None:
        """What is wrong with a value of a field of type `kind`, whatever the others are; None when it is allowed."""
        if self.word is not None and value == self.word:
            return None
        if kind is bool:
            return None if isinstance(value, bool) else f"{self.label} must be true or false, not {shown(value)}."
        if self.choices is not None:
            return None if isinstance(value, str) and value in self.choices else (
                f"{self.label} must be one of {', '.join(self.choices)}, not {shown(value)}."
            )
        number = (int, float) if kind is float else int
        is_number = isinstance(value, number) and not isinstance(value, bool)
        if not is_number or (isinstance(value, float) and not math.isfinite(value)):
            what = ("a whole number" if number is int else "a number") + (f" or {self.word}" if self.word else "")
            return f"{self.label} must be {what}, not {shown(value)}."
        if not self.low <= value <= self.high:
            return f"{self.label} must be between {self.low:,g} and {self.high:,.10g}, not {shown(value)}."
        return None


def knob(default: Any, group: str, label: str, help: str, **details: Any) -> Any:
    """A dataclass field that carries a `Knob`."""
    return field(default=default, metadata={"knob": Knob(group, label, help, **details)})


def shown(value: Any) -> str:
    """A refused value as a message quotes it: exact, and short whatever somebody put into a URL."""
    text = exact(value) if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else f"{text[:36]} ..."


def exact(value: float) -> str:
    """A float in as few characters as read back to the same float: "0", "1e-05", "0.1"."""
    short = f"{value:.10g}"
    return short if float(short) == value else repr(value)
