"""Statistics of counted images: how sure one network's accuracy is, and whether two networks differ.

Part of statistics.py, which passes it on. scipy is imported where it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

LEVEL = 0.95


class StatisticsError(ValueError):
    """There is nothing to compute from. The message is a sentence that says what is missing."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, which cover the true value in a share `level` of all repetitions, or more."""

    low: float
    high: float
    level: float = LEVEL

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """`correct` of `images` images, as a share with its Wilson interval, both in per cent."""

    correct: int
    images: int
    interval: Interval

    @property
    def percent(self) -> float:
        return 100 * self.correct / self.images


def wilson(correct: int, images: int, level: float = LEVEL) -> Accuracy:
    """The accuracy of one trained network and its interval (Wilson 1927, JASA 22; without continuity correction).

    The interval is about other images of the same kind, not about other seeds. Raises `StatisticsError`.
    """
    from scipy import stats

    if not 0 <= correct <= images or images == 0:
        raise StatisticsError(f"{correct} of {images} images cannot be right: count again.")
    found = stats.binomtest(int(correct), int(images)).proportion_ci(level, method="wilson")
    interval = Interval(100 * float(found.low), 100 * float(found.high), level)
    return Accuracy(correct=int(correct), images=int(images), interval=interval)


@dataclass(frozen=True, kw_only=True)
class TwoNetworks:
    """Two trained networks on the same images: how many both, one or neither got right, and McNemar's exact p.

    `same_digits` counts the images on which both gave the same answer, right or wrong; None if only counts are known.
    """

    both_right: int
    only_a: int
    only_b: int
    both_wrong: int
    p: float
    same_digits: int | None = None

    @property
    def images(self) -> int:
        return self.both_right + self.only_a + self.only_b + self.both_wrong

    @property
    def more_images(self) -> int:
        """How many images more A gets right than B; negative when B is ahead."""
        return self.only_a - self.only_b

    @property
    def points(self) -> float:
        """The same in points of accuracy."""
        return 100 * self.more_images / self.images


def mcnemar(labels: ArrayLike, digits_a: ArrayLike, digits_b: ArrayLike) -> TwoNetworks:
    """Exact McNemar for the answers (int [N]) of two networks to the same N images. Raises `StatisticsError`."""
    labels, a, b = (np.asarray(values) for values in (labels, digits_a, digits_b))
    if labels.ndim != 1 or labels.size == 0 or not labels.shape == a.shape == b.shape:
        raise StatisticsError(
            f"McNemar needs answers to the same images: there are {a.size:,} and {b.size:,} answers to "
            f"{labels.size:,} images."
        )
    right_a, right_b = a == labels, b == labels
    counts = [int(np.sum(x & y)) for x in (right_a, ~right_a) for y in (right_b, ~right_b)]
    return replace(mcnemar_counts(*counts), same_digits=int(np.sum(a == b)))


def mcnemar_counts(both_right: int, only_a: int, only_b: int, both_wrong: int) -> TwoNetworks:
    """The same from the four counts. The p is that of a fair coin (McNemar 1947, Psychometrika 12; exact, two-sided).

    Only the images that one network alone gets right count; with none the p is 1.
    """
    from scipy import stats

    if min(both_right, only_a, only_b, both_wrong) < 0:
        raise StatisticsError("A count of images cannot be negative.")
    unlike = only_a + only_b
    p = float(stats.binomtest(only_a, unlike, 0.5).pvalue) if unlike else 1.0
    return TwoNetworks(both_right=both_right, only_a=only_a, only_b=only_b, both_wrong=both_wrong, p=p)
