"""The race that the page's choices make: values of its URL -> contestants and seeds. Pure Python.

A value may be anything, as it may come from a link: what cannot be used gives way to the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_lab.config import KNOBS, ConfigError, RunConfig, problem
from mnist_lab.config_forms import parse_value
from mnist_lab.contestants import (
    MOST_CONTESTANTS,
    MOST_SEEDS,
    READY,
    Contestant,
    can_vary,
    choices,
    of_presets,
    varied,
)
from mnist_lab.data.sizes import too_few_images
from mnist_lab.presets import PRESETS

READY_MADE, KNOB, NAMED = "ready", "knob", "presets"
KINDS = {READY_MADE: "Ready-made", KNOB: "Change one setting", NAMED: "Presets"}
TRAIN_PAGE = "train"  # as a base: the settings on the Train page
BASES = {TRAIN_PAGE: "The settings on my Train page", **{name: one.title for name, one in PRESETS.items()}}
DEFAULT_BASE, DEFAULT_KNOB, DEFAULT_SEEDS = "noisy-1000", "dropout", 3
DEFAULT_READY = next(iter(READY))
DEFAULT_PRESETS = ("b-bn", "b-l1-bn", "b-l2-bn", "b-l1-l2-bn", "b-gbn", "b-l1-gbn")
FEW = 4  # values of a knob that are chosen to begin with, beside the one that it has


@dataclass(frozen=True, kw_only=True)
class RacePlan:
    """A race that could be started, or why it cannot: `problems` are sentences. So are `notes`, on what is left out."""

    name: str
    question: str
    contestants: tuple[Contestant, ...]
    seeds: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def kind_of(values: Mapping[str, str]) -> str:
    """What the race is made from, one of `KINDS`."""
    return _known(values.get("from"), KINDS, READY_MADE)


def ready_of(values: Mapping[str, str]) -> str:
    """The ready-made race that is chosen."""
    return _known(values.get("ready"), READY, DEFAULT_READY)


def base_of(values: Mapping[str, str]) -> str:
    """The setting that is changed, one of `BASES`."""
    return _known(values.get("base"), BASES, DEFAULT_BASE)


def base_config(values: Mapping[str, str], train: RunConfig) -> RunConfig:
    """That setting itself; `train` is what the Train page says."""
    name = base_of(values)
    return train if name == TRAIN_PAGE else PRESETS[name].config


def knob_of(values: Mapping[str, str], base: RunConfig) -> str:
    """The knob that is changed."""
    return _known(values.get("knob"), can_vary(base), DEFAULT_KNOB)


def knob_values(values: Mapping[str, str], base: RunConfig, knob: str) -> list[Any]:
    """The values that the knob gets, beside the one it has: those of the URL that are allowed, else a few."""
    texts = values.get("values")
    if texts is None:
        offered = other_values(base, knob)
        return offered[-FEW:] if len(offered) > FEW else offered
    return [value for text in texts.split(",") if (value := knob_value(knob, text)) is not None]


def refused(values: Mapping[str, str], knob: str) -> list[str]:
    """What is wrong with the values of the URL that are left out, in sentences."""
    return [text for one in values.get("values", "").split(",") if one and (text := value_problem(knob, one))]


def other_values(base: RunConfig, knob: str) -> list[Any]:
    """What the knob is offered at, without the value that the setting itself has."""
    return [value for value in choices(base, knob) if not (base.matters(knob) and value == getattr(base, knob))]


def knob_value(knob: str, text: str) -> Any:
    """The value that a text stands for; None if it is not allowed."""
    return None if value_problem(knob, text) else _parsed(knob, text)


def value_problem(knob: str, text: str) -> str | None:
    """Why a text stands for no value of the knob, in a sentence; None if it does."""
    try:
        return problem(knob, _parsed(knob, text))
    except ConfigError as error:
        return str(error)


def _parsed(knob: str, text: str) -> Any:
    value = parse_value(knob, text)
    if KNOBS[knob].low is not None and isinstance(value, int) and not isinstance(KNOBS[knob].low, int):
        value = float(value)
    return value


def presets_of(values: Mapping[str, str]) -> list[str]:
    """The presets that are chosen."""
    if "presets" not in values:
        return list(DEFAULT_PRESETS)
    return [name for name in dict.fromkeys(values["presets"].split(",")) if name in PRESETS]


def is_short(values: Mapping[str, str]) -> bool:
    """Whether the presets race on 1,000 noisy images, not on their own."""
    return values.get("images") != "own"


def seeds_of(values: Mapping[str, str]) -> int:
    """How many seeds."""
    text = values.get("seeds", "")
    ready = READY[ready_of(values)].seeds if kind_of(values) == READY_MADE else DEFAULT_SEEDS
    return min(max(int(text), 1), MOST_SEEDS) if text.isascii() and text.isdecimal() else ready


def plan_of(values: Mapping[str, str], train: RunConfig, status: Mapping[str, Any]) -> RacePlan:
    """The race that the values say. `status` is `data_status()`."""
    kind = kind_of(values)
    try:
        name, question, contestants = _made(kind, values, train)
    except ConfigError as error:
        return RacePlan(name="", question="", contestants=(), seeds=seeds_of(values), problems=(str(error),))
    problems = [*_wrong_number(contestants), *too_few(contestants, status)]
    notes = refused(values, knob_of(values, base_config(values, train))) if kind == KNOB else []
    return RacePlan(
        name=name, question=question, contestants=contestants, seeds=seeds_of(values), problems=tuple(problems),
        notes=tuple(notes),
    )


def _made(kind: str, values: Mapping[str, str], train: RunConfig) -> tuple[str, str, tuple[Contestant, ...]]:
    if kind == READY_MADE:
        ready = READY[ready_of(values)]
        return ready.title, ready.question, ready.contestants
    if kind == NAMED:
        short = is_short(values)
        where = " on 1,000 noisy images" if short else ""
        return f"Presets{where}", "", of_presets(presets_of(values), short)
    base = base_config(values, train)
    knob = knob_of(values, base)
    contestants = varied(base, knob, knob_values(values, base, knob))
    said = "My settings" if base_of(values) == TRAIN_PAGE else PRESETS[base_of(values)].title
    return f"{said} · {KNOBS[knob].label.split(' (')[0]} varied", KNOBS[knob].help, contestants


def _wrong_number(contestants: tuple[Contestant, ...]) -> list[str]:
    if len(contestants) < 2:
        return ["A race takes at least two different contestants: choose more."]
    if len(contestants) > MOST_CONTESTANTS:
        return [f"{len(contestants)} contestants are too many to be told apart: choose at most {MOST_CONTESTANTS}."]
    return []


def too_few(contestants: tuple[Contestant, ...], status: Mapping[str, Any]) -> list[str]:
    """Why the data that is there is not enough; nothing while more may still be downloaded."""
    if not status["complete"] and status["can_download"]:
        return []
    found = (
        too_few_images(one.config.train_images, status["train"], one.config.validation, status["source"])
        for one in contestants
    )
    return list(dict.fromkeys(text for text in found if text))


def _known(text: str | None, known: Any, default: str) -> str:
    return text if text in known else default
