"""Statistics of seeds against published examples, by simulation under the null, and by their properties."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from operator import mul

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.statistics import (
    StatisticsError,
    a_a,
    against,
    holm,
    holm_adjusted,
    paired,
    unpaired,
    widest_gap,
)

# Hours of sleep gained by ten patients with two drugs: Cushny & Peebles 1905, used by Student 1908 (Biometrika 6) for
# the first t-test. The figures below are those that R prints for `t.test` on its data set `sleep`.
SLEEP_1 = dict(enumerate([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
SLEEP_2 = dict(enumerate([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))
# Heights of cross-fertilised minus self-fertilised maize, in eighths of an inch: Darwin 1876, in Fisher 1935, The
# Design of Experiments, sections 17 (t = 2.148) and 21 (863 of 32,768 sign patterns as large on either side).
MAIZE = dict(enumerate([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]))

accuracy = st.integers(9_000, 10_000).map(lambda right: right / 100)
samples = st.dictionaries(st.integers(0, 12), accuracy, min_size=2, max_size=12)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def zeros(values):
    return dict.fromkeys(values, 0.0)


def test_paired_is_students_own_example():
    found = paired(SLEEP_1, SLEEP_2)
    assert found.mean == pytest.approx(-1.58) and found.degrees == 9
    assert found.mean / found.standard_error == pytest.approx(-4.0621, abs=5e-5)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert (found.interval.low, found.interval.high) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert found.decided


def test_unpaired_is_welchs_test():
    found = unpaired(SLEEP_1, SLEEP_2)
    assert found.degrees == pytest.approx(17.776, abs=5e-4) and found.p == pytest.approx(0.07939, abs=5e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
    assert not found.decided and found.flip_p is None and found.flip_floor is None


def test_sign_flips_are_fishers_count():
    found = paired(MAIZE, zeros(MAIZE))
    assert found.mean / found.standard_error == pytest.approx(2.148, abs=5e-4)
    assert found.flip_p == pytest.approx(2 * 863 / 2**15, abs=1e-12)


@pytest.mark.parametrize(("n", "floor"), [(2, 0.5), (5, 0.0625), (10, 2 / 1024)])
def test_sign_flips_have_a_floor(n, floor):
    found = paired({seed: 99 + seed / 100 for seed in range(n)}, dict.fromkeys(range(n), 90.0))
    assert found.flip_floor == floor and found.flip_p == pytest.approx(floor)


def sign_flips_of_whole_numbers(counts: list[int]) -> float:
    patterns = list(itertools.product((-1, 1), repeat=len(counts)))
    sums = [abs(sum(map(mul, signs, counts))) for signs in patterns]
    return sum(one >= abs(sum(counts)) for one in sums) / len(patterns)


@given(
    st.lists(st.tuples(st.integers(9_900, 9_960), st.integers(9_900, 9_960)), min_size=2, max_size=8), st.booleans(),
)
def test_patterns_as_far_from_zero_are_counted_whatever_the_binary_fractions(pairs, last_five):
    """Accuracies are whole numbers of images, or means of five of them, kept as float32: ties are the rule."""
    divisor = 500 if last_five else 100
    a, b = ({seed: float(np.float32(pair[side] / divisor)) for seed, pair in enumerate(pairs)} for side in (0, 1))
    assert paired(a, b).flip_p == pytest.approx(sign_flips_of_whole_numbers([one - other for one, other in pairs]))


def test_many_sign_flips_are_drawn_not_counted():
    rng = np.random.default_rng(1)
    found = paired(dict(enumerate(rng.normal(0.3, 1, 40))), dict.fromkeys(range(40), 0.0))
    assert found.flip_p == pytest.approx(found.p, abs=0.02)  # both tests of the same thing, with much data


# ETH Zurich, Applied Multivariate Statistics, multTesting.R: two rejected at 5 % by multtest's Holm.
# HDLSSkST's example of Holm (1979): the third and the last are rejected. p = 0.01 stands on its limit of 0.05/5.
@pytest.mark.parametrize(("ps", "adjusted", "rejected"), [
    ([0.011, 0.02, 0.005, 0.13, 0.04], [0.044, 0.06, 0.025, 0.13, 0.08], [0, 2]),
    ([0.50, 0.01, 0.001, 0.69, 0.02, 0.05, 0.0025], [1, 0.05, 0.007, 1, 0.08, 0.15, 0.015], [2, 6]),
    ([0.01, 0.04, 0.20, 0.03, 0.005, 0.07], [0.05, 0.12, 0.2, 0.12, 0.03, 0.14], [4]),
])
def test_holm_published(ps, adjusted, rejected):
    assert holm(ps) == pytest.approx(adjusted)
    assert [index for index, p in enumerate(holm(ps)) if p < 0.05 - 1e-12] == rejected


@given(p_values)
def test_holm_keeps_order_and_is_between_the_plain_and_bonferroni(ps):
    adjusted = holm(ps)
    for p, q in zip(ps, adjusted, strict=True):
        assert p <= q <= min(1, len(ps) * p)
    for i, j in zip(range(len(ps)), range(1, len(ps)), strict=False):
        assert (ps[i] < ps[j]) <= (adjusted[i] <= adjusted[j])


def test_the_t_interval_covers_and_the_sign_flips_err_no_more_than_stated():
    rng, repetitions = np.random.default_rng(2), 2_000
    missed = flipped = 0
    for differences in rng.normal(0.3, 0.08, (repetitions, 5)):
        found = paired(dict(enumerate(99 + differences)), dict.fromkeys(range(5), 99.0))
        missed += 0.3 not in found.interval
    for differences in rng.normal(0, 0.08, (300, 8)):
        flipped += paired(dict(enumerate(differences)), dict.fromkeys(range(8), 0.0)).flip_p <= 0.05
    assert missed / repetitions == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / repetitions))
    assert flipped / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_welch_errs_about_as_often_as_stated_with_unequal_spreads():
    rng, repetitions = np.random.default_rng(3), 2_000
    false = sum(
        unpaired(dict(enumerate(rng.normal(99, 0.05, 5))), dict(enumerate(rng.normal(99, 0.15, 8)))).decided
        for _ in range(repetitions)
    )
    assert false / repetitions <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repetitions)


def test_holm_errs_in_any_of_a_family_no_more_than_stated():
    """Eight settings against one of the same quality, which makes the eight depend on each other."""
    rng, repetitions = np.random.default_rng(4), 800
    plain = corrected = 0
    for _ in range(repetitions):
        values = [dict(enumerate(row)) for row in rng.normal(99, 0.08, (9, 5))]
        family = [paired(one, values[0]) for one in values[1:]]
        plain += any(one.decided for one in family)
        corrected += any(one.decided for one in holm_adjusted(family))
    assert corrected / repetitions <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repetitions)
    assert plain / repetitions > 0.12  # what the correction is for


def test_an_a_a_comparison_errs_no_more_than_stated():
    rng = np.random.default_rng(5)
    false = sum(a_a(dict(enumerate(rng.normal(99.4, 0.08, 10)))).decided for _ in range(1_000))
    assert false / 1_000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_000)


@given(st.lists(st.tuples(samples, samples), min_size=1, max_size=8))
def test_holms_intervals_and_his_p_agree(pairs):
    family = holm_adjusted([paired(dict.fromkeys(range(3), 95.0) | a, dict.fromkeys(range(3), 95.5) | b)
                            for a, b in pairs])
    for one in family:
        assert one.family == len(pairs) and one.adjusted_p >= one.p
        if one.interval is None:
            assert one.adjusted_interval is None and not one.decided
        elif abs(one.adjusted_p - 0.05) > 1e-9:
            assert one.decided == (one.adjusted_p < 0.05)
            assert one.adjusted_interval.low <= one.interval.low <= one.mean <= one.interval.high
            assert one.adjusted_interval.high >= one.interval.high


@given(samples, samples)
def test_swapping_the_sides_changes_the_sign_and_nothing_else(a, b):
    for compare in (paired, unpaired):
        try:
            one, other = compare(a, b), compare(b, a)
        except StatisticsError:
            continue
        assert other.mean == pytest.approx(-one.mean) and other.p == pytest.approx(one.p)
        assert one.decided == other.decided and one.identical == other.identical
        if one.interval is not None:
            assert one.mean in one.interval
            assert (-other.interval.high, -other.interval.low) == pytest.approx((one.interval.low, one.interval.high))


@given(samples, st.floats(0.5, 0.98), st.floats(0.001, 0.019))
def test_a_higher_level_makes_a_wider_interval(values, level, more):
    low, high = against(values, 95.0, level), against(values, 95.0, level + more)
    if low.interval is not None:
        assert high.interval.low < low.interval.low and high.interval.high > low.interval.high


def test_only_shared_seeds_are_paired():
    found = paired({0: 99.5, 1: 99.4, 2: 99.6, 9: 10.0}, {2: 99.5, 1: 99.4, 0: 99.2, 7: 98.0})
    assert found.seeds == (0, 1, 2) and found.differences == pytest.approx((0.3, 0.0, 0.1))


def test_identical_runs_are_said_to_be_identical():
    same = {0: 99.5, 1: 99.41, 2: 99.6}
    found = paired(same, dict(same))
    assert found.identical and not found.decided and (found.p, found.flip_p) == (1, 1) and found.interval is None


def test_a_difference_without_spread_decides_nothing():
    """As float32 they differ in the last digit, and t would be enormous."""
    a, b = ({seed: float(np.float32(99.41 + 0.13 * seed + shift)) for seed in range(5)} for shift in (0.2, 0.0))
    found = paired(a, b)
    assert found.spread == 0 and found.interval is None and not found.decided and not found.identical
    assert found.mean == pytest.approx(0.2, abs=1e-4) and found.p == 1 and found.flip_p == 0.0625
    still = unpaired(dict.fromkeys(range(5), 99.4), dict.fromkeys(range(3), 99.2))
    assert still.interval is None and not still.decided and still.mean == pytest.approx(0.2)


def test_in_a_family_what_has_no_spread_is_not_decided_and_the_rest_is():
    clear = paired({0: 99.0, 1: 99.01, 2: 98.99, 3: 99.0}, dict.fromkeys(range(4), 90.0))
    still = paired(dict.fromkeys(range(4), 99.0), dict.fromkeys(range(4), 90.0))
    assert [one.decided for one in holm_adjusted([still, clear, still])] == [False, True, False]
    assert holm_adjusted([]) == []


def test_in_a_family_the_first_that_is_not_decided_ends_it():
    """Each has p = 0.03: the smallest fails against 0.05/5, so the last is not decided at 0.05 either."""
    one = paired({0: 0.10, 1: 0.02, 2: 0.07, 3: 0.01, 4: 0.09}, dict.fromkeys(range(5), 0.0))
    assert 0.02 < one.p < 0.05 and one.decided
    assert not any(found.decided for found in holm_adjusted([one] * 5))


def test_what_is_missing_of_a_family_counts_with_it():
    one, two = paired(SLEEP_1, SLEEP_2), paired({0: 1.0, 1: 1.1, 2: 0.9}, dict.fromkeys(range(3), 0.0))
    whole = holm_adjusted([one, two, *[paired({0: 1.0, 1: -1.0}, {0: 0.0, 1: 0.0})] * 3])
    assert [found.p for found in whole[2:]] == [1, 1, 1]
    assert holm_adjusted([one, two], missing=3) == whole[:2] != holm_adjusted([one, two])


def test_families_have_one_level():
    one, other = paired(SLEEP_1, SLEEP_2), paired(SLEEP_1, SLEEP_2, level=0.9)
    with pytest.raises(StatisticsError, match="levels"):
        holm_adjusted([one, other])


@pytest.mark.parametrize(("call", "message"), [
    (lambda: paired({1: 99.0}, {1: 98.0, 2: 97.0}), "only one is in both"),
    (lambda: paired({1: 99.0, 3: 99.0}, {2: 98.0, 4: 97.0}), "none is in both"),
    (lambda: paired({1: 99.0, 3: math.nan}, {1: 98.0, 3: 97.0}), "seed 3 has no result"),
    (lambda: paired({1: 99.0, 3: 99.0}, {1: None, 3: 97.0}), "seed 1 has no result"),
    (lambda: unpaired({1: 99.0, 3: math.inf}, {1: 98.0, 3: 97.0}), "seed 3 has no result"),
    (lambda: unpaired({1: 99.0}, {1: 98.0, 3: 97.0}), "at least two"),
    (lambda: against({1: 99.0}, 99.4), "at least two"),
    (lambda: a_a({1: 99.0, 2: 99.0, 3: 99.0}), "two and two"),
    (lambda: widest_gap({1: 99.0}), "at least two"),
    (lambda: widest_gap({1: 99.0, 2: math.nan}), "seed 2 has no result"),
])
def test_what_cannot_be_computed_is_refused_with_a_reason(call, message):
    with pytest.raises(StatisticsError, match=message):
        call()


def test_a_a_uses_disjoint_seeds_and_all_of_them():
    found = a_a({3: 99.0, 5: 99.2, 8: 99.1, 9: 99.4, 11: 99.3})
    assert (found.kind, found.n_a, found.n_b) == ("unpaired", 3, 2)
    assert found.mean == pytest.approx((99.0 + 99.1 + 99.3) / 3 - (99.2 + 99.4) / 2)


def test_widest_gap_names_the_runs():
    assert widest_gap({3: 99.0, 5: 99.5, 8: 99.1}) == (pytest.approx(0.5), 5, 3)


def test_statistics_come_without_torch_and_without_scipy():
    code = (
        "import sys, mnist_lab.statistics, mnist_lab.planning, mnist_lab.verdict_text;"
        "assert not {'torch', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
