"""What the address of the Train page says: settings, a run, and what a teacher's link locks. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mnist_lab.classroom.locks import LOCK, parse_lock
from mnist_lab.config import KNOBS, ConfigError, RunConfig
from mnist_lab.config_forms import from_query, parse_value

RUN = "run"  # query parameter: the id of the run on the page
MAX_SENTENCES = 3  # on parts that were ignored: the rest is counted
MAX_LENGTH = 40  # of a value in the URL: no setting needs more, and more would not be readable in a message


@dataclass(frozen=True)
class Address:
    """What was read: `config` is None if no setting of use is named; `locked` are knobs, `ignored` sentences."""

    run_id: str | None
    config: RunConfig | None
    locked: tuple[str, ...]
    ignored: tuple[str, ...]


def read_address(query: Mapping[str, str], locks: bool) -> Address:
    """The parts of a URL, which may be anything. Without `locks`, as outside a class, nothing is locked."""
    settings = {name: text for name, text in query.items() if name != RUN}
    locked, ignored = parse_lock(settings.pop(LOCK, "")) if locks else ((), [])
    for name in [name for name, text in settings.items() if name not in KNOBS or len(text) > MAX_LENGTH]:
        ignored.append(_why_not(name, settings.pop(name)))
    config, more = from_query(settings)
    nothing = not settings or (more and config == RunConfig())
    return Address(query.get(RUN) or None, None if nothing else config, locked, (*ignored, *more))


def ignored_text(ignored: tuple[str, ...]) -> str:
    """What the page says of the parts that it could not use."""
    what = "A part of the address was" if len(ignored) == 1 else f"{len(ignored)} parts of the address were"
    rest = len(ignored) - MAX_SENTENCES
    return " ".join([f"{what} ignored.", *ignored[:MAX_SENTENCES], *([f"And {rest} more."] if rest > 0 else [])])


def _why_not(name: str, text: str) -> str:
    if name in KNOBS:
        return f"{KNOBS[name].label} cannot be {len(text):,} characters long."
    try:
        parse_value(name[:MAX_LENGTH], text)
    except ConfigError as error:
        return str(error)
    return f"There is no setting {name[:MAX_LENGTH]!r}."
