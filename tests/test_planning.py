"""How many seeds it takes: published powers, simulation, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.planning import chance_to_show, detectable, plan, seeds_needed, spread_interval
from mnist_lab.statistics import StatisticsError, paired, unpaired

spreads = st.floats(0.01, 5)
points = st.floats(0.01, 5)


# Numbers of pairs for a paired t-test, two-sided at 5 %, from G*Power 3 (Faul et al. 2007): effects (Cohen's d) 0.2,
# 0.5 and 0.8 with a power of 0.8 take 199, 34 and 15.
@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_seeds_needed_published(effect, pairs):
    assert seeds_needed(1.0, effect) == pairs
    assert chance_to_show(effect, 1.0, pairs) >= 0.8 > chance_to_show(effect, 1.0, pairs - 1)


def test_the_chance_is_that_of_the_interval_by_simulation():
    rng = np.random.default_rng(0)
    shown = [
        paired(dict(enumerate(row)), dict.fromkeys(range(5), 0.0)).decided for row in rng.normal(0.1, 0.08, (3_000, 5))
    ]
    assert np.mean(shown) == pytest.approx(chance_to_show(0.1, 0.08, 5), abs=0.03)


def test_a_certain_thing_is_certain():
    """Where scipy's distribution underflows to nan."""
    assert chance_to_show(0.5395, 1.0, 5_000) == 1


def test_no_difference_is_shown_as_often_as_stated():
    assert chance_to_show(0.0, 0.08, 5) == pytest.approx(0.05)


@given(points, spreads, st.integers(2, 200))
def test_more_seeds_and_larger_differences_are_easier(points, spread, seeds):
    chance = chance_to_show(points, spread, seeds)
    assert 0.05 - 1e-9 <= chance <= 1
    assert chance_to_show(points, spread, seeds + 1) >= chance - 1e-9
    assert chance_to_show(2 * points, spread, seeds) >= chance - 1e-9
    assert chance_to_show(-points, spread, seeds) == chance


@given(spreads, st.integers(2, 50))
def test_detectable_and_seeds_needed_are_each_others_inverse(spread, seeds):
    least = detectable(spread, seeds)
    assert seeds_needed(spread, 1.001 * least) <= seeds < seeds_needed(spread, 0.999 * least)


def test_spread_interval_is_chi_squareds():
    """A textbook factor: with five values the standard deviation is known to 0.599 to 2.874 times what was found."""
    found = spread_interval(0.08, 5)
    assert (found.low / 0.08, found.high / 0.08) == pytest.approx((0.599, 2.874), abs=5e-4)


def test_a_plan_says_what_the_seeds_at_hand_can_show():
    values = {0: 99.40, 1: 99.48, 2: 99.35, 3: 99.44, 4: 99.39}
    found = plan(paired(values, dict.fromkeys(values, 99.4)), 0.1)
    assert found.seeds_now == 5 and found.spread == pytest.approx(np.std(list(values.values()), ddof=1))
    assert found.at_least < found.seeds == seeds_needed(found.spread, 0.1) < found.at_most
    assert found.detectable == pytest.approx(detectable(found.spread, 5))


def test_a_plan_for_next_to_nothing_has_no_number():
    values = {0: 90.0, 1: 99.0, 2: 95.0}
    found = plan(paired(values, dict.fromkeys(values, 95.0)), 0.001)
    assert (found.seeds, found.at_least, found.at_most) == (None, None, None)


def test_a_plan_needs_a_spread_of_pairs():
    a, b = {0: 99.0, 1: 99.0}, {0: 98.0, 1: 98.0}
    with pytest.raises(StatisticsError, match="no spread"):
        plan(paired(a, b), 0.1)
    with pytest.raises(StatisticsError, match="share seeds"):
        plan(unpaired(a, {2: 98.0, 3: 98.1}), 0.1)
    with pytest.raises(StatisticsError, match="not zero"):
        seeds_needed(0.1, 0.0)
