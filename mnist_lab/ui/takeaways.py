"""One plain sentence under each chart, computed from the numbers in it. Pure functions.

A record is one epoch of the history (``events.Epoch`` as a dict); a point is a dict with ``epoch`` (progress in
epochs) and ``learning_rate``. Every function has a sentence from before the first epoch to after the last.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_lab.ui.chart_data import tested

Record = Mapping[str, Any]

NO_EPOCH = "No epoch has finished yet."
NO_TEST = "The network has not been tested yet."

GUESSING = 12.0
"""Per cent. Ten classes guessed at random give 10; a little more is still guessing."""

SMALL_GAP, LARGE_GAP = 0.3, 1.0
"""Points of accuracy: less is no gap to speak of, more is overfitting."""

KNOWN = 90.0
"""Per cent of its training images that a network reads before it can be said to know them by heart."""

RISE = 1.1
"""A test loss this many times its lowest has risen, rather than wobbled."""


def takeaway_loss(history: Sequence[Record]) -> str:
    """What the losses say: how large, and whether the test loss has turned up (overfitting).

    Losses are in nats per image; the L1 penalty is named apart where there is one.
    """
    if not history:
        return NO_EPOCH
    history = tested(history)
    if not history:
        return NO_TEST
    last = history[-1]
    penalty = f" (plus an L1 penalty of {_number(last['penalty'])})" if last["penalty"] > 0 else ""
    losses = (
        f"After epoch {last['epoch']} the train loss is {_number(last['train_loss'])}{penalty} "
        f"and the {last['eval_name']} loss {_number(last['eval_loss'])}"
    )
    return f"{losses}{_loss_verdict(history)}."


def takeaway_accuracy(history: Sequence[Record], eval_images: int = 10_000) -> str:
    """What the accuracies say about the gap between training and test, and with label noise about memorizing.

    Args:
        history: records so far.
        eval_images: how many images ``eval_accuracy`` is measured on. A gap within two standard errors of it is
            not called one: 0.2 points for 99 % of 10,000 images, but 1.1 for 97 % of 1,000.
    """
    if not history:
        return NO_EPOCH
    history = tested(history)
    if not history:
        return NO_TEST
    last = history[-1]
    held_out = last["eval_accuracy"]
    if max(last["train_accuracy"], last["train_accuracy_true"], held_out) <= GUESSING:
        return f"{_both_accuracies(last)}: no better than guessing (10 %)."
    if _has_label_noise(history):
        return _noisy_accuracy(last)
    two_standard_errors = 2 * math.sqrt(held_out * (100 - held_out) / eval_images)
    if abs(last["train_accuracy"] - held_out) < max(SMALL_GAP, two_standard_errors):
        return f"{_both_accuracies(last)}: no gap to speak of, so the network does as well on new images."
    return _gap(last)


def takeaway_learning_rate(history: Sequence[Record], steps: Sequence[Record] = ()) -> str:
    """Where the learning rate is and how it got there: constant, rising, falling, or past its peak."""
    points = sorted((*history, *steps), key=lambda point: point["epoch"])
    if not points:
        return NO_EPOCH
    first, last, peak = points[0], points[-1], max(points, key=lambda point: point["learning_rate"])
    start, now, top = (_number(point["learning_rate"]) for point in (first, last, peak))
    where = f"after epoch {last['epoch']:.3g}"
    if len(points) == 1:
        return f"The learning rate is {now} {where}."
    if len({_number(point["learning_rate"]) for point in points}) == 1:
        return f"The learning rate is constant at {now}."
    if top == now:
        return f"The learning rate has risen from {start} to {now} {where}."
    if top == start:
        return f"The learning rate has fallen from {start} to {now} {where}."
    return f"The learning rate rose to {top} at epoch {peak['epoch']:.3g} and is {now} {where}."


def takeaway_weights(history: Sequence[Record]) -> str:
    """How large the weights are, whether they grow, and how many are next to or exactly nothing."""
    if not history:
        return NO_EPOCH
    first, last = history[0], history[-1]
    norm = _number(last["weight_norm"])
    start = _number(first["weight_norm"])
    if len(history) == 1 or norm == start:
        size = f"After epoch {last['epoch']} the weight norm is {norm}"
    else:
        moved = "grown" if last["weight_norm"] > first["weight_norm"] else "shrunk"
        size = f"The weight norm has {moved} from {start} (epoch {first['epoch']}) to {norm} (epoch {last['epoch']})"
    zero = f"{100 * last['zero_weights']:.1f} % exactly zero" if last["zero_weights"] > 0 else "none exactly zero"
    small = f"{100 * last['small_weights']:.1f} %"
    return f"{size}; {small} of the convolution weights are smaller than 0.001 in size, {zero}."


def _loss_verdict(history: Sequence[Record]) -> str:
    last, name = history[-1], history[-1]["eval_name"]
    lowest = min(history, key=lambda record: record["eval_loss"])
    if last["eval_loss"] > RISE * lowest["eval_loss"]:
        since = f"; the {name} loss was lowest after epoch {lowest['epoch']} ({_number(lowest['eval_loss'])})"
        if last["train_loss"] < lowest["train_loss"] and _has_risen_for_good(history):
            return f"{since} and has risen since while the train loss fell: overfitting"
        return f"{since}"
    if last["eval_loss"] < last["train_loss"]:
        harder = "noisy labels" if _has_label_noise(history) else "dropout and augmentation, where they are on,"
        return f", which is lower: train loss is a mean over the whole epoch, and {harder} make training harder"
    if len(history) > 1 and all(last[key] < history[-2][key] for key in ("train_loss", "eval_loss")):
        return "; both are still falling"
    return ""


def _has_risen_for_good(history: Sequence[Record]) -> bool:
    """Whether the held-out loss went up and stayed up. At a high learning rate it jumps from epoch to epoch, so three
    epochs in a row must be above the lowest, and their median above the lowest median of three."""
    losses = [record["eval_loss"] for record in history]
    medians = [statistics.median(losses[start:start + 3]) for start in range(len(losses) - 2)]
    return bool(medians) and min(losses[-3:]) > RISE * min(losses) and medians[-1] > RISE * min(medians)


def _has_label_noise(history: Sequence[Record]) -> bool:
    """Whether the labels trained on differ from the true ones, as far as the accuracies tell."""
    return any(record["train_accuracy"] != record["train_accuracy_true"] for record in history)


def _both_accuracies(last: Record) -> str:
    train, held_out = _percent(last["train_accuracy"]), _percent(last["eval_accuracy"])
    return f"Train accuracy is {train} and {last['eval_name']} accuracy {held_out}"


def _gap(last: Record) -> str:
    train, held_out, name = last["train_accuracy"], last["eval_accuracy"], last["eval_name"]
    gap = train - held_out
    if gap < 0:
        return (
            f"{name.capitalize()} accuracy is {_percent(held_out)}, {-gap:.1f} points above train accuracy "
            f"({_percent(train)}), which is measured during the epoch, while the network still learns, and with "
            f"dropout and augmentation, where they are on, making the images harder."
        )
    above = f"Train accuracy is {_percent(train)}, {gap:.1f} points above {name} accuracy ({_percent(held_out)})"
    if gap < LARGE_GAP:
        return f"{above}: a small generalization gap."
    if train < KNOWN:
        return f"{above}. It has not learned its training images yet, so with more epochs the gap may close."
    return f"{above}: the network knows its training images better than new ones (overfitting)."


def _noisy_accuracy(last: Record) -> str:
    noisy, true = last["train_accuracy"], last["train_accuracy_true"]
    accuracies = (
        f"Train accuracy (on the noisy labels) is {_percent(noisy)}, against the true labels {_percent(true)}, "
        f"and {last['eval_name']} accuracy {_percent(last['eval_accuracy'])}"
    )
    if noisy > true:
        return f"{accuracies}: the network is learning wrong labels by heart."
    return f"{accuracies}: the network follows the true labels more than the wrong ones."


def _number(value: float) -> str:
    return f"{value:.3g}"


def _percent(value: float) -> str:
    """Two decimals from 99 % on, where the interesting differences are."""
    return f"{value:.2f} %" if value >= 99 else f"{value:.1f} %"
