"""What to try when a run does not learn, from its numbers. Pure functions.

Such a run ends like any other: its loss stays near that of an even guess among ten digits, ln 10 = 2.303 nats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mnist_lab.config import RunConfig
from mnist_lab.config_forms import short_value
from mnist_lab.ui.chart_data import tested
from mnist_lab.ui.run_model import Progress

Record = Mapping[str, Any]

EVEN_GUESS = math.log(10)
STUCK_LOSS, STUCK_ACCURACY = EVEN_GUESS - 0.05, 20.0
"""Nats and per cent. A train loss above the one, with no accuracy above the other, is no learning to speak of."""

LEARNED = 50.0
"""Per cent, on held-out digits: more than chance can give."""

FEW_STEPS = 100
"""Until then a run may just not have begun to learn."""

MOVED = 0.01
"""A weight norm that has changed by this share of itself since the first epoch has moved."""

GROWN, SHRUNK = 0.15, 0.03
"""Root mean square of the weights. They begin at 0.06, or 0.11 with the ones of a norm layer among them."""

MANY_SMALL = 0.4
"""Share of the convolution weights below 0.001; it begins at 0.014."""


def not_learning(progress: Progress, config: RunConfig) -> str | None:
    """What is wrong with a run that does not learn, its likely cause and what to try, in Markdown; None for others."""
    history, started = tuple(tested(progress.history)), progress.started
    if not history or started is None or not _is_stuck(history[-1]):
        return None
    steps = history[-1]["epoch"] * started.steps_per_epoch
    if steps >= FEW_STEPS:
        return f"{_what(history)} {_cause(history, config, started.trainable_parameters)}"
    if progress.last is None:
        return None
    return (
        f"{_what(history)} It has taken only {steps} step{'s' * (steps != 1)} (batches): choose more epochs, more "
        "images or a smaller batch."
    )


def _is_stuck(last: Record) -> bool:
    accuracy = max(last["train_accuracy"], last["train_accuracy_true"], last["eval_accuracy"])
    return last["train_loss"] > STUCK_LOSS and accuracy < STUCK_ACCURACY


def _what(history: tuple[Record, ...]) -> str:
    last, best = history[-1], max(history, key=lambda record: record["eval_accuracy"])
    now = f"{last['eval_accuracy']:.1f} % of the {last['eval_name']} digits after epoch {last['epoch']}"
    if best["eval_accuracy"] >= LEARNED:
        return (
            f"**The network has lost what it had learned.** It reads {now} and read {best['eval_accuracy']:.1f} % "
            f"after epoch {best['epoch']}."
        )
    text = f"**The network is not learning.** It reads {now}; guessing gives 10 %."
    if abs(last["eval_loss"] - EVEN_GUESS) < 0.01:
        text += f" Its {last['eval_name']} loss, {last['eval_loss']:.3f}, is that of ten equal chances (ln 10 = 2.303)."
    return text


def _cause(history: tuple[Record, ...], config: RunConfig, parameters: int) -> str:
    first, last = history[0], history[-1]
    size = last["weight_norm"] / math.sqrt(parameters)
    if config.l1 + config.weight_decay > 0 and (
        last["small_weights"] > MANY_SMALL or size < SHRUNK or last["weight_norm"] < first["weight_norm"] / 2
    ):
        return f"The penalty has pulled its weights to almost nothing: {_weaker_penalty(config)}."
    moved = abs(last["weight_norm"] - first["weight_norm"]) > MOVED * first["weight_norm"] or size > GROWN
    if len(history) > 1 and not moved:
        return _not_moved(config)
    lower = f"a lower learning rate, such as {_rate(config, 0.1)} instead of {_rate(config)}"
    if config.norm == "none":
        return (
            "Without a norm layer, steps that are too large bring it to where it gives every image the same answer, "
            f"and no later step brings it back. Choose batch norm, or {lower}."
        )
    return f"The most likely cause is that its steps are too large: try {lower}."


def _not_moved(config: RunConfig) -> str:
    if config.norm == "none":
        return (
            "Its weights have hardly moved. Without a norm layer the first steps do very little, and it may take many "
            "before it begins to learn: choose batch norm, or more epochs."
        )
    return (
        "Its weights have hardly moved, so its steps are too small: try a higher learning rate, such as "
        f"{_rate(config, 10)} instead of {_rate(config)}."
    )


def _weaker_penalty(config: RunConfig) -> str:
    tries = [
        f"{label} of {short_value(name, value / 10)} instead of {short_value(name, value)}"
        for name, label in (("l1", "an L1 lambda"), ("weight_decay", "a weight decay"))
        if (value := getattr(config, name)) > 0
    ]
    return f"try {' or '.join(tries)}"


def _rate(config: RunConfig, factor: float = 1) -> str:
    return short_value("learning_rate", config.learning_rate * factor)
