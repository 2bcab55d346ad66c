"""Locked settings: what a link or the class's task says of them, and whether a run keeps to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mnist_lab.config import KNOBS, RunConfig, problem
from mnist_lab.config_forms import parse_value, short_value, to_query, to_text
from mnist_lab.knobs import ConfigError
from mnist_lab.runs.record import RunError
from mnist_lab.runs.writer import write_atomically

LOCK = "lock"  # the URL's value: names of knobs with commas between them, or
EVERYTHING = "all"  # every knob but the seed, which the class gives out
SEED = "seed"
_SHOWN = 40  # characters of a name that is none
_MOST = 60  # names that are looked at


def parse_lock(text: str) -> tuple[tuple[str, ...], list[str]]:
    """The knobs that a URL's `lock` names, in their order, and a sentence for each name that is no knob."""
    asked = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))[:_MOST]
    known = {name for name in asked if name in KNOBS}
    if EVERYTHING in asked:
        known |= KNOBS.keys() - {SEED}
    wrong = [f"There is no setting {name[:_SHOWN]!r} to lock." for name in asked if name not in {*KNOBS, EVERYTHING}]
    return tuple(name for name in KNOBS if name in known), wrong


def lock_text(names: Iterable[str]) -> str:
    """The URL's `lock` for these knobs; `parse_lock` reads it back."""
    left = set(names)
    parts = []
    if KNOBS.keys() - {SEED} <= left:
        parts, left = [EVERYTHING], left & {SEED}
    return ",".join([*parts, *(name for name in KNOBS if name in left)])


def link_query(config: RunConfig, names: Iterable[str]) -> dict[str, str]:
    """The query of a link that presets `config` and locks these knobs.

    A locked one is named even at its default, so that the link says it all. The seed is left out unless it is locked.
    """
    names = set(names)
    values = to_query(config) | {name: to_text(getattr(config, name)) for name in names}
    if SEED not in names:
        values.pop(SEED, None)
    query = {name: values[name] for name in KNOBS if name in values} or {"network": config.network}
    return query | ({LOCK: lock_text(names)} if names else {})


def broken(locks: Mapping[str, Any], config: RunConfig) -> str | None:
    """A sentence on what these settings do otherwise than the locks (name -> value) say; None if they keep to them."""
    other = [name for name, value in locks.items() if getattr(config, name) != value and config.matters(name)]
    if not other:
        return None
    kept = ", ".join(f"{KNOBS[name].label}: {short_value(name, locks[name])}" for name in other)
    return f"Your teacher has locked what this run would change ({kept}). Leave it as it is."


class TaskFile:
    """The locks that hold for the whole class, kept beside the runs so that a restart does not unlock them."""

    def __init__(self, root: Path):
        self.path = root / ".class" / "task.json"

    def read(self) -> dict[str, Any]:
        """Name -> value; empty without a task. Raises `RunError` if the file is damaged."""
        try:
            values = json.loads(self.path.read_text("utf-8"))
            if not isinstance(values, dict):
                raise ValueError("it holds no settings")
            locks = {name: parse_value(name, str(text)) for name, text in values.items()}
            wrong = [text for name, value in locks.items() if (text := problem(name, value))]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, ConfigError) as error:
            raise RunError(f"The class's task cannot be read ({error}). Delete {self.path}.") from error
        if wrong:
            raise RunError(f"The class's task cannot be used ({' '.join(wrong)}). Delete {self.path}.")
        return locks

    def write(self, locks: Mapping[str, Any]) -> None:
        """Set the task, or end it with no locks. Raises `OSError` if it cannot be written."""
        if not locks:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({name: to_text(value) for name, value in locks.items()}, indent=1) + "\n"
        write_atomically(self.path, text.encode())
