"""How many seeds it takes: what a paired comparison over n seeds can see, from the spread that was observed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mnist_lab.statistics import LEVEL, Difference, Interval, StatisticsError

POWER = 0.8
MOST_SEEDS = 10_000
"""More than anybody trains; a question that needs more has no answer here."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What it would take to show a difference of `points`: so many `seeds` of each setting; None is over 10,000.

    `at_least` and `at_most` are the same for the ends of the spread's own `spread_interval`: a standard deviation
    from five seeds is known only to a factor of two or three. `detectable` is the difference, in points, that the
    comparison as it is would have shown with probability `power`.
    """

    points: float
    power: float
    spread: float
    spread_interval: Interval
    seeds: int | None
    at_least: int | None
    at_most: int | None
    seeds_now: int
    detectable: float


def plan(difference: Difference, points: float, power: float = POWER) -> Plan:
    """How many seeds would show a true difference of `points`, given the spread of a paired difference.

    Raises:
        StatisticsError: the difference is unpaired or has no spread to go by.
    """
    if difference.spread is None:
        raise StatisticsError("How many seeds it takes is worked out for settings that share seeds; these do not.")
    if difference.spread == 0:
        raise StatisticsError("All seeds gave the same difference, so there is no spread to plan by: train more seeds.")
    n, level = len(difference.differences), difference.level
    spreads = spread_interval(difference.spread, n, level)
    needed = [seeds_needed(spread, points, power, level) for spread in (difference.spread, spreads.low, spreads.high)]
    return Plan(
        points=points, power=power, spread=difference.spread, spread_interval=spreads, seeds=needed[0],
        at_least=needed[1], at_most=needed[2], seeds_now=n, detectable=detectable(difference.spread, n, power, level),
    )


def chance_to_show(points: float, spread: float, seeds: int, level: float = LEVEL) -> float:
    """Probability that the t-interval over so many shared seeds leaves out zero, if the true difference is `points`.

    `spread` is the standard deviation of the paired differences. By the noncentral t distribution (Cohen 1988,
    Statistical Power Analysis for the Behavioral Sciences, chapter 2), both tails.
    """
    from scipy.special import ncfdtr, stdtrit

    limit = stdtrit(seeds - 1, (1 + level) / 2)
    # t squared is F, whose noncentral form covers both tails at once. It is nan where it is too small for a float.
    missed = float(ncfdtr(1, seeds - 1, seeds * (points / spread) ** 2, limit**2))
    return 1.0 if math.isnan(missed) else 1 - missed


def seeds_needed(spread: float, points: float, power: float = POWER, level: float = LEVEL) -> int | None:
    """The fewest shared seeds that show a true difference of `points` with probability `power`; None is over 10,000."""
    if points == 0 or spread <= 0:
        raise StatisticsError("A number of seeds can be worked out for a difference and a spread that are not zero.")
    low, high = 1, MOST_SEEDS
    if chance_to_show(points, spread, high, level) < power:
        return None
    while high - low > 1:  # the chance grows with the seeds, so halving finds the first that is enough
        middle = (low + high) // 2
        low, high = (low, middle) if chance_to_show(points, spread, middle, level) >= power else (middle, high)
    return high


def detectable(spread: float, seeds: int, power: float = POWER, level: float = LEVEL) -> float:
    """The true difference, in points, that so many shared seeds show with probability `power`."""
    from scipy import optimize

    high = 1.0
    while chance_to_show(high, 1.0, seeds, level) < power:
        high *= 2
    return spread * float(optimize.brentq(lambda points: chance_to_show(points, 1.0, seeds, level) - power, 0, high))


def spread_interval(spread: float, seeds: int, level: float = LEVEL) -> Interval:
    """Interval of a standard deviation estimated from so many seeds (chi-squared, for normal differences)."""
    from scipy.special import chdtri

    degrees, tail = seeds - 1, (1 - level) / 2
    low, high = float(chdtri(degrees, tail)), float(chdtri(degrees, 1 - tail))
    return Interval(spread * (degrees / low) ** 0.5, spread * (degrees / high) ** 0.5, level)
