"""What a knob of a run is: its label, help and range, and the error for values that cannot be trained."""

from __future__ import annotations

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
    log-scaled slider offers. `needs` names another knob and the values of it for which this one matters.
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


def knob(default: Any, group: str, label: str, help: str, **details: Any) -> Any:
    """A dataclass field that carries a `Knob`."""
    return field(default=default, metadata={"knob": Knob(group, label, help, **details)})
