"""What a run's history tells of its weights and its penalty, epoch by epoch. Plain Python: no torch.

A record is one epoch of the history (`events.Epoch` as a dict).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]


def layers(history: Sequence[Record]) -> list[str]:
    """The layers that the history has histograms of, in the order they run."""
    return list(history[-1]["histograms"]) if history else []


def penalty_share(record: Record) -> float | None:
    """The L1 penalty's share (0 to 1) of the whole loss after an epoch; None where there is no number to divide.

    The data loss is the mean over the epoch, the penalty that of the weights at its end.
    """
    whole = record["train_loss"] + record["penalty"]
    return record["penalty"] / whole if 0 < whole < math.inf else None


def squared_norm(record: Record, layer: str | None = None) -> float:
    """The sum of the squares of one layer's weights, or of all convolutions', from their histograms.

    Every weight is taken for the middle of its bin, which puts the norm within about 1 % of the true one.
    """
    histograms = record["histograms"]
    return sum(_square_sum(histograms[name]) for name in ([layer] if layer else histograms))


def effective_learning_rate(learning_rate: float, squared: float) -> float | None:
    """lr / |w|^2: how far a step turns weights in front of a norm, whose length changes nothing; None for no weights.

    With w made c times as long, the gradient is 1/c as long and one radian c times as far: a step of the same learning
    rate turns w by 1/c^2 of the angle. van Laarhoven 2017, arXiv 1706.05350.
    """
    return learning_rate / squared if squared > 0 else None


def _square_sum(histogram: Mapping[str, Sequence[float]]) -> float:
    edges = histogram["edges"]
    bins = zip(edges[:-1], edges[1:], histogram["counts"], strict=True)
    return sum(count * ((low + high) / 2) ** 2 for low, high, count in bins)
