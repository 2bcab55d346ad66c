"""Who runs in a race: settings side by side, each under a short name. No torch, no UI."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_lab.config import ALL, KNOBS, ORIGIN_FIELDS, TYPES, ConfigError, RunConfig, matters
from mnist_lab.config_forms import same_setting, short_value
from mnist_lab.presets import PRESETS, preset

MOST_CONTESTANTS = 8  # lines that are told apart in one chart
MOST_SEEDS = 10
SHORT = dict(train_images=1_000, label_noise=0.3, batch_size=64, epochs=20, eval_every=4)
# What a knob without suggestions of its own is offered to be varied over.
VALUES: dict[str, tuple[Any, ...]] = {
    "label_noise": (0.0, 0.1, 0.2, 0.3, 0.4, 0.6),
    "rotation": (0.0, 5.0, 10.0, 20.0, 45.0),
    "second_rotation": (0.0, 5.0, 10.0, 20.0, 45.0),
    "translation": (0.0, 0.05, 0.1, 0.2),
    "scale": (0.0, 0.05, 0.1, 0.2, 0.4),
    "shear": (0.0, 5.0, 10.0, 20.0),
    "elastic": (0.0, 0.5, 1.0, 2.0, 4.0),
    "brightness": (0.0, 0.1, 0.3, 0.6),
    "contrast": (0.0, 0.1, 0.3, 0.6),
    "num_splits": (2, 4, 8, 16, 32),
    "dropout": (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
    "epochs": (3, 6, 10, 15, 30, 60),
    "momentum": (0.0, 0.5, 0.8, 0.9, 0.95, 0.99),
    "step_epochs": (2, 5, 10),
    "step_factor": (0.1, 0.2, 0.5, 0.8),
    "warmup": (0.05, 0.1, 0.25, 0.5),
}
NOT_VARIED = (*ORIGIN_FIELDS, "eval_every", "validation")


@dataclass(frozen=True)
class Contestant:
    """Settings with a name that no other contestant of the race has. The seed in `config` does not count."""

    name: str
    config: RunConfig


@dataclass(frozen=True)
class ReadyRace:
    """A race that is there to be started. `question` is what it answers, a sentence."""

    title: str
    question: str
    contestants: tuple[Contestant, ...]
    seeds: int = 3


def of_presets(names: Sequence[str], short: bool = False) -> tuple[Contestant, ...]:
    """The presets of those names. `short`: all of them on 1,000 noisy images, which takes seconds a run.

    Raises `ConfigError` for a preset that does not exist.
    """
    changes = SHORT if short else {}
    return _distinct(Contestant(preset(name).title, preset(name).config.replace(**changes)) for name in names)


def varied(base: RunConfig, knob: str, values: Iterable[Any], name: str = "") -> tuple[Contestant, ...]:
    """`base` as it is, called `name`, and then with the knob at each of the values, where that is another setting.

    A knob that another one must be set for (num_splits for ghost batch norm) sets it too. Raises `ConfigError` for
    a value that is not allowed.
    """
    changed = [Contestant(value_name(knob, value), _with(base, knob, value)) for value in values]
    now = value_name(knob, getattr(base, knob)) if base.matters(knob) else name or "as it is"
    return _distinct([Contestant(now, base), *changed])


def can_vary(base: RunConfig) -> list[str]:
    """The knobs that a race may be about, in their order: those that change something, alone or with what they need."""
    values = base.to_dict()
    return [
        name for name, knob in KNOBS.items()
        if name not in NOT_VARIED and (matters(name, values) or (knob.needs and _with_needed(base, name).matters(name)))
    ]


def choices(base: RunConfig, knob: str) -> list[Any]:
    """The values that a knob is offered at, rising where they are numbers, the one that `base` has among them.

    Values that contradict the other settings are left out.
    """
    return [value for value in _offered(base, knob) if _can_be(base, knob, value)]


def _offered(base: RunConfig, knob: str) -> list[Any]:
    spec = KNOBS[knob]
    if TYPES[knob] is bool:
        return [False, True]
    if spec.choices is not None:
        return list(spec.choices)
    offered = {*spec.suggestions, *VALUES.get(knob, ()), getattr(base, knob)} - {ALL}
    if spec.suggestions and spec.low == 0:
        offered.add(TYPES[knob](0))
    return [*sorted(offered), *([ALL] if knob == "train_images" else [])]


def _can_be(base: RunConfig, knob: str, value: Any) -> bool:
    try:
        _with(base, knob, value)
    except ConfigError:
        return False
    return True


def value_name(knob: str, value: Any) -> str:
    """A knob's value as the name of a contestant: "L1 lambda 1e-3", "Dropout off", "Norm: Layer norm"."""
    spec = KNOBS[knob]
    label = spec.label.split(" (")[0]
    if spec.choices is not None:
        return f"{label}: {spec.choices[value].split(' (')[0]}"
    if value == 0 and spec.low == 0:
        return f"{label} off"
    return f"{label} {short_value(knob, value).removesuffix(' images').removesuffix(f' {label.lower()}')}"


def _with(base: RunConfig, knob: str, value: Any) -> RunConfig:
    ready = base if base.matters(knob) else _with_needed(base, knob)
    return ready.replace(**{knob: value})


def _with_needed(base: RunConfig, knob: str) -> RunConfig:
    """`base` with what the knob needs, and the knob itself at a value that goes with everything."""
    needs = KNOBS[knob].needs
    return base.replace(**{needs[0]: needs[1][0]}) if needs else base


def _distinct(contestants: Iterable[Contestant]) -> tuple[Contestant, ...]:
    """Each setting once: trained with the same seeds, a second one would only repeat the first."""
    kept: list[Contestant] = []
    for one in contestants:
        if not any(same_setting(one.config, other.config) for other in kept):
            kept.append(one)
    return tuple(kept)


# Network C is the cheapest by far, and in 20 epochs it learns 1,000 labels by heart, the wrong ones included.
_NOISY = PRESETS["noisy-1000"].config.replace(network="c", **SHORT)
READY: dict[str, ReadyRace] = {
    "regularizers": ReadyRace(
        "Six ways to train on 1,000 noisy images",
        "30 % of the labels are wrong. Which regularizer keeps network C from learning them by heart?",
        (
            Contestant("Batch norm alone", _NOISY),
            Contestant("L1 3e-3", _NOISY.replace(l1=3e-3)),
            Contestant("Weight decay 1e-2", _NOISY.replace(weight_decay=1e-2)),
            Contestant("Dropout 0.1", _NOISY.replace(dropout=0.1)),
            Contestant("Ghost batches 8", _NOISY.replace(norm="ghost", num_splits=8)),
            Contestant("Ghost batches 16", _NOISY.replace(norm="ghost", num_splits=16)),
        ),
    ),
    "ghosts": ReadyRace(
        "Ghost batches, from 2 to 32",
        "The more ghosts a batch of 64 is cut into, the noisier their means and variances. When is it too much?",
        varied(_NOISY, "num_splits", (2, 4, 8, 16, 32), "Batch norm"),
    ),
    "l1": ReadyRace(
        "How much L1?",
        "From nothing to far too much: where does the pull towards zero stop helping and start to hurt?",
        varied(_NOISY, "l1", (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
    ),
}
