"""Wilson's interval and exact McNemar: published examples, simulation under the null, properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.counts import StatisticsError, mcnemar, mcnemar_counts, wilson


# Newcombe 1998, Statistics in Medicine 17, table I, method 3 (Wilson's score interval without continuity correction).
@pytest.mark.parametrize(("correct", "images", "low", "high"), [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
])
def test_wilson_published(correct, images, low, high):
    interval = wilson(correct, images).interval
    assert (interval.low / 100, interval.high / 100) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_the_sources_accuracy():
    """SOURCES.md: 99.4 % of 10,000 images, 99.23 to 99.53."""
    found = wilson(9_940, 10_000)
    assert found.percent == 99.4
    assert (found.interval.low, found.interval.high) == pytest.approx((99.23, 99.53), abs=0.005)


@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_wilson_contains_the_estimate_and_mirrors_right_and_wrong(counts, level):
    correct, images = counts
    found, mirrored = wilson(correct, images, level), wilson(images - correct, images, level)
    assert 0 <= found.interval.low <= found.percent + 1e-9 and found.percent - 1e-9 <= found.interval.high <= 100
    assert mirrored.interval.low == pytest.approx(100 - found.interval.high, abs=1e-9)
    if correct < images:
        more = wilson(correct + 1, images, level).interval
        assert more.low > found.interval.low and more.high > found.interval.high


def test_wilson_covers_as_often_as_stated_on_average():
    rng = np.random.default_rng(0)
    right = rng.binomial(10_000, 0.994, 1_000)
    intervals = {count: wilson(count, 10_000).interval for count in set(right.tolist())}
    covered = np.mean([99.4 in intervals[count] for count in right.tolist()])
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / 1_000) + 0.005)  # counts are discrete


@pytest.mark.parametrize(("correct", "images"), [(-1, 10), (11, 10), (0, 0)])
def test_wilson_refuses_impossible_counts(correct, images):
    with pytest.raises(StatisticsError, match="cannot be right"):
        wilson(correct, images)


# The first: vignette "Exact McNemar's Test and Matching Confidence Intervals" of R's exact2x2. The second: S. Aoki,
# Gunma University, McNemar-test-r.html, approval of a cabinet in two months (binom.test: p-value = 0.45). The third:
# approval of the prime minister in two surveys, Agresti 1990, Categorical Data Analysis, p. 350.
@pytest.mark.parametrize(("both", "only_a", "only_b", "neither", "p"), [
    (21, 9, 2, 12, pytest.approx(0.06543, abs=5e-6)),
    (48, 28, 35, 53, pytest.approx(0.45, abs=5e-4)),
    (794, 150, 86, 570, pytest.approx(3.7e-5, abs=5e-7)),
])
def test_mcnemar_published(both, only_a, only_b, neither, p):
    found = mcnemar_counts(both, only_a, only_b, neither)
    assert found.p == p and found.images == both + only_a + only_b + neither
    assert found.more_images == only_a - only_b


def test_mcnemars_p_is_about_that_of_agrestis_chi_squared():
    """Agresti gives z squared = 17.36 for 150 and 86; its p is asymptotic."""
    z_squared = (150 - 86) ** 2 / (150 + 86)
    assert z_squared == pytest.approx(17.36, abs=5e-3)
    assert mcnemar_counts(794, 150, 86, 570).p == pytest.approx(math.erfc(math.sqrt(z_squared / 2)), rel=0.25)


def test_mcnemar_counts_answers():
    found = mcnemar([0, 1, 2, 3, 4, 5], [0, 1, 2, 9, 9, 9], [0, 9, 9, 3, 9, 8])
    assert (found.both_right, found.only_a, found.only_b, found.both_wrong) == (1, 2, 1, 2)
    assert found.same_digits == 2 and found.points == pytest.approx(100 / 6)


def test_mcnemar_takes_the_arrays_of_a_study():
    labels = np.arange(100, dtype=np.uint8) % 10
    digits = labels.copy()
    digits[:7] = 9 - digits[:7]
    found = mcnemar(labels, labels, digits)
    assert (found.only_a, found.only_b, found.p) == (7, 0, pytest.approx(2 / 2**7))


def test_identical_networks_do_not_differ():
    labels = [1, 2, 3]
    same, rights = mcnemar(labels, [1, 2, 9], [1, 2, 9]), mcnemar(labels, [1, 2, 9], [1, 2, 8])
    assert same.p == rights.p == 1 and (same.same_digits, rights.same_digits) == (3, 2)


@pytest.mark.parametrize(("labels", "a", "b"), [([], [], []), ([1, 2], [1], [1, 2]), ([1], [1, 2], [1, 2])])
def test_mcnemar_refuses_other_images(labels, a, b):
    with pytest.raises(StatisticsError, match="same images"):
        mcnemar(labels, a, b)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(StatisticsError, match="negative"):
        mcnemar_counts(5, -1, 0, 0)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 9_000))
def test_mcnemar_is_symmetric_and_deaf_to_what_both_share(only_a, only_b, both):
    one, other = mcnemar_counts(both, only_a, only_b, 3), mcnemar_counts(0, only_b, only_a, 0)
    assert one.p == pytest.approx(other.p) and one.more_images == -other.more_images
    if only_a > only_b:
        assert mcnemar_counts(both, only_a + 1, only_b, 3).p <= one.p


def test_mcnemar_errs_no_more_than_stated():
    """Two networks of one quality, which make about 60 errors each and share half of them."""
    rng = np.random.default_rng(1)
    unlike = rng.binomial(10_000, 0.006, 3_000)
    firsts = rng.binomial(unlike, 0.5)
    counts = set(zip(firsts.tolist(), unlike.tolist(), strict=True))
    p = {(a, n): mcnemar_counts(0, a, n - a, 0).p for a, n in counts}
    false = np.mean([p[a, n] <= 0.05 for a, n in zip(firsts.tolist(), unlike.tolist(), strict=True)])
    assert false <= 0.05
