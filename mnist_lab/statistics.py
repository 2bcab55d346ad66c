"""Is it real? Intervals and tests for accuracies of runs, seeds and settings. Numbers only: words in verdict_text.py.

Which question is answered by what:
- How sure is the accuracy of one trained network? `wilson` (counts.py).
- Do two trained networks differ on the same images? `mcnemar` (counts.py). It says nothing of their settings: another
  seed gives another network.
- Do two settings differ? `paired`, over the seeds that both were trained with; `unpaired` when they share none.
  The t-interval decides. With many pairs at once, `holm_adjusted` first.
- What does noise alone look like? `a_a`: one setting against itself, with other seeds.

Values are accuracies in per cent, differences are in points, unless said otherwise; nothing depends on that.
scipy is imported where it is needed. The t distribution is taken from scipy.special: scipy.stats' own tests take a
thousand times as long, which a forest plot of all pairs would feel, and half a second to import.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mnist_lab.counts import (
    LEVEL,
    Accuracy,
    Interval,
    StatisticsError,
    TwoNetworks,
    mcnemar,
    mcnemar_counts,
    wilson,
)

__all__ = [
    "LEVEL", "Accuracy", "Difference", "Interval", "StatisticsError", "TwoNetworks", "a_a", "against", "holm",
    "holm_adjusted", "mcnemar", "mcnemar_counts", "paired", "unpaired", "widest_gap", "wilson",
]

EXACT_FLIPS = 16
"""Up to so many differences every pattern of signs is tried (65,536); of more, as many are drawn at random."""

NO_SPREAD = 1e-6
"""Values that differ by less than this share of their size are the same number, stored as float32."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A minus B: a mean over seeds, what it is uncertain by, and whether that decides.

    `kind` is "paired", "unpaired" or "one-sample". `seeds` are the shared ones, `differences` one a seed (empty when
    unpaired); `n_a` and `n_b` count the seeds of each side. `spread` is the standard deviation of the paired
    differences, None when unpaired. `p` is the t-test's, two-sided.

    When there is no spread at all, t has no answer: the intervals are None, `p` is 1, and nothing is decided.

    `family` is how many differences are looked at together (1: this one alone); `adjusted_p` and `adjusted_interval`
    are then Holm's, otherwise the plain ones. `grain` is what the values are only known to (see `NO_SPREAD`).
    """

    kind: str
    mean: float
    standard_error: float
    degrees: float
    p: float
    n_a: int
    n_b: int
    seeds: tuple[int, ...] = ()
    differences: tuple[float, ...] = ()
    spread: float | None = None
    grain: float = 0.0
    level: float = LEVEL
    family: int = 1
    adjusted_p: float = 1.0
    adjusted_level: float = LEVEL

    @property
    def identical(self) -> bool:
        """Both sides have the same value for every seed."""
        return self.standard_error == 0 and self.mean == 0

    @cached_property
    def interval(self) -> Interval | None:
        """The t-interval of this difference alone; None without spread."""
        return self._interval(self.level)

    @cached_property
    def adjusted_interval(self) -> Interval | None:
        """The interval that decides: it leaves out zero exactly if Holm's procedure rejects "no difference".

        Never narrower than `interval`, so each covers its own difference at least as often; and over the whole
        family, one that leaves out a zero which is true comes up with a probability of at most 1 - level.
        """
        return self._interval(self.adjusted_level)

    @property
    def decided(self) -> bool:
        """Whether the difference is more than chance explains."""
        return self.adjusted_interval is not None and 0 not in self.adjusted_interval

    @cached_property
    def flip_p(self) -> float | None:
        """The exact sign-flip permutation p, two-sided (Fisher 1935, The Design of Experiments, section 21).

        If the setting did nothing, each difference might as well have had the other sign. None when unpaired. Exact
        up to `EXACT_FLIPS` seeds. It cannot be below `flip_floor`, so with five seeds it decides nothing alone.
        """
        if not self.differences:
            return None
        n, sum_of_all = len(self.differences), abs(sum(self.differences))
        exact = n <= EXACT_FLIPS
        if exact:
            signs = 1.0 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        else:
            signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(2**EXACT_FLIPS, n))
        # scipy's permutation_test calls sums equal to within a share of what they are. Here ties are the rule (whole
        # numbers of images), and where the sum is near zero that is too strict for fractions kept in binary.
        as_far = np.count_nonzero(np.abs(signs @ self.differences) >= sum_of_all - n * self.grain)
        return as_far / len(signs) if exact else (as_far + 1) / (len(signs) + 1)

    @property
    def flip_floor(self) -> float | None:
        """The smallest value that `flip_p` can take with so many seeds: 2/2^n."""
        return 2.0 ** (1 - len(self.differences)) if self.differences else None

    def _interval(self, level: float) -> Interval | None:
        from scipy.special import stdtrit

        if self.standard_error == 0:
            return None
        half = self.standard_error * float(stdtrit(self.degrees, (1 + level) / 2))
        return Interval(self.mean - half, self.mean + half, level)


def paired(a: Mapping[int, float], b: Mapping[int, float], level: float = LEVEL) -> Difference:
    """A minus B over the seeds they share (Student 1908), which are the ones that chance dealt the same cards.

    Args:
        a, b: the value of each seed's run.
    Raises:
        StatisticsError: fewer than two shared seeds, or a value that is no number.
    """
    seeds = sorted(a.keys() & b.keys())
    if len(seeds) < 2:
        raise StatisticsError(
            f"Two settings are compared over shared seeds, and {'only one' if seeds else 'none'} is in both: "
            "train both with at least two of the same seeds."
        )
    values_a, values_b = _numbers(a, seeds), _numbers(b, seeds)
    differences = values_a - values_b
    return _from_differences("paired", seeds, differences, _size(values_a, values_b), level)


def against(values: Mapping[int, float], constant: float, level: float = LEVEL) -> Difference:
    """One setting minus a fixed number, such as a figure to reach. Raises `StatisticsError` as `paired` does."""
    seeds = sorted(values)
    if len(seeds) < 2:
        raise StatisticsError("One seed does not show how much seeds differ: train the setting with at least two.")
    numbers = _numbers(values, seeds)
    return _from_differences("one-sample", seeds, numbers - constant, _size(numbers, constant), level)


def _from_differences(
    kind: str, seeds: Sequence[int], differences: np.ndarray, size: float, level: float
) -> Difference:
    n = len(differences)
    if np.ptp(differences) <= NO_SPREAD * size:
        differences = np.full(n, differences.mean() if abs(differences.mean()) > NO_SPREAD * size else 0.0)
        spread = 0.0
    else:
        spread = float(differences.std(ddof=1))
    mean, error = float(differences.mean()), spread / math.sqrt(n)
    p = _two_sided(mean, error, n - 1)
    return Difference(
        kind=kind, mean=mean, standard_error=error, degrees=n - 1, p=p, n_a=n, n_b=n if kind == "paired" else 0,
        seeds=tuple(seeds), differences=tuple(differences.tolist()), spread=spread, grain=NO_SPREAD * size, level=level,
        adjusted_p=p, adjusted_level=level,
    )


def _two_sided(mean: float, error: float, degrees: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(degrees, -abs(mean) / error)) if error else 1.0


def unpaired(a: Mapping[int, float], b: Mapping[int, float], level: float = LEVEL) -> Difference:
    """A minus B when they share no seeds (Welch 1947, Biometrika 34): the spreads of both sides count in full.

    Raises `StatisticsError` for fewer than two seeds on a side, or a value that is no number.
    """
    if min(len(a), len(b)) < 2:
        raise StatisticsError("One seed does not show how much seeds differ: train each setting with at least two.")
    values_a, values_b = _numbers(a, sorted(a)), _numbers(b, sorted(b))
    mean, size = float(values_a.mean() - values_b.mean()), _size(values_a, values_b)
    if max(np.ptp(values_a), np.ptp(values_b)) <= NO_SPREAD * size:
        mean, error, degrees = mean if abs(mean) > NO_SPREAD * size else 0.0, 0.0, len(a) + len(b) - 2
    else:
        square_a, square_b = values_a.var(ddof=1) / len(a), values_b.var(ddof=1) / len(b)
        error = math.sqrt(square_a + square_b)
        degrees = float(error**4 / (square_a**2 / (len(a) - 1) + square_b**2 / (len(b) - 1)))
    p = _two_sided(mean, error, degrees)
    return Difference(
        kind="unpaired", mean=mean, standard_error=error, degrees=degrees, p=p, n_a=len(a), n_b=len(b),
        level=level, adjusted_p=p, adjusted_level=level,
    )


def _numbers(values: Mapping[int, float], seeds: Sequence[int]) -> np.ndarray:
    bad = [seed for seed in seeds if values[seed] is None or not math.isfinite(values[seed])]
    if bad:
        raise StatisticsError(
            f"The run with seed {bad[0]} has no result: it failed or has not ended. Train it again, or leave it out."
        )
    return np.array([values[seed] for seed in seeds], dtype=float)


def _size(*values: np.ndarray | float) -> float:
    return max(float(np.max(np.abs(part))) for part in values)


def a_a(values: Mapping[int, float], level: float = LEVEL) -> Difference:
    """One setting against itself: every other seed against the rest. Whatever it shows is noise.

    The two sides share no seed, so it is `unpaired`. Raises `StatisticsError` for fewer than four seeds.
    """
    seeds = sorted(values)
    if len(seeds) < 4:
        raise StatisticsError("A setting is compared with itself over disjoint seeds: at least two and two are needed.")
    first, second = seeds[::2], seeds[1::2]
    return unpaired({seed: values[seed] for seed in first}, {seed: values[seed] for seed in second}, level)


def widest_gap(values: Mapping[int, float]) -> tuple[float, int, int]:
    """How far apart two single runs of one setting come out: (points, better seed, worse seed).

    What one run each can show as a "difference" although the setting is the same. Raises `StatisticsError`.
    """
    if len(values) < 2:
        raise StatisticsError("One seed does not show how much seeds differ: train the setting with at least two.")
    _numbers(values, sorted(values))
    best, worst = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    return values[best] - values[worst], best, worst


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979, Scandinavian Journal of Statistics 6).

    Rejecting all that are at most alpha errs in any of them with a probability of at most alpha, however they depend.
    """
    order = sorted(range(len(ps)), key=ps.__getitem__)
    adjusted, largest = [1.0] * len(ps), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - place) * ps[index]))
        adjusted[index] = largest
    return adjusted


def holm_adjusted(differences: Sequence[Difference], missing: int = 0) -> list[Difference]:
    """The same differences, corrected for being shown together; their levels must be equal.

    With them belong as many that are `missing`, because they are not measured yet: they count, with a p of 1.

    The interval of the one with the r-th smallest p of m is taken at 1 - alpha/(m - r + 1), up to and including the
    first whose interval has zero in it; from there on at that same level. So intervals and Holm's p agree.
    """
    if not differences:
        return []
    level, m = differences[0].level, len(differences) + missing
    if any(one.level != level for one in differences):
        raise StatisticsError("Intervals of different levels cannot be corrected together.")
    adjusted, result, steps = holm([*(one.p for one in differences), *[1.0] * missing]), list(differences), m
    stopped = False
    for index in sorted(range(len(differences)), key=lambda index: differences[index].p):
        one = replace(
            differences[index], family=m, adjusted_p=adjusted[index], adjusted_level=1 - (1 - level) / steps,
        )
        stopped = stopped or not one.decided
        steps -= not stopped
        result[index] = one
    return result
