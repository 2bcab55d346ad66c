"""The sentences: they name images, seeds and intervals, and never say more than the numbers do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.planning import plan
from mnist_lab.statistics import a_a, holm_adjusted, mcnemar_counts, paired, unpaired, wilson
from mnist_lab.verdict_text import (
    a_a_verdict,
    accuracy_verdict,
    difference_verdict,
    flip_text,
    mcnemar_verdict,
    p_number,
    p_text,
    plan_text,
    signed,
    worth_showing,
)

BASE = {0: 99.40, 1: 99.48, 2: 99.35, 3: 99.44, 4: 99.39}


def shifted(*by):
    return {seed: value + shift for (seed, value), shift in zip(BASE.items(), by, strict=True)}


def test_a_clear_difference():
    found = paired(shifted(0.24, 0.27, 0.25, 0.22, 0.27), BASE)
    assert difference_verdict(found, "GBN", "BN") == (
        "On average GBN gets 25 more of the 10,000 test images right than BN with the same five seeds (+0.25 points, "
        "95 % interval +0.22 to +0.28): more than chance explains."
    )


def test_an_unclear_difference():
    text = difference_verdict(paired(BASE, shifted(0.1, -0.05, 0.12, -0.08, 0.06)), "GBN", "BN")
    assert "3 fewer of the 10,000 test images right than BN" in text
    assert text.endswith("chance alone could do that, so it is not decided.")


def test_what_counts_alone_and_not_among_many():
    one = paired(shifted(0.02, 0.10, 0.06, 0.05, 0.09), BASE)
    assert one.decided
    text = difference_verdict(holm_adjusted([one] * 10)[0])
    assert "corrected for 10 comparisons" in text and "alone it would count, but among 10 comparisons" in text


def test_no_difference_at_all_and_one_without_spread():
    assert difference_verdict(paired(BASE, BASE), "A", "B") == (
        "A and B get exactly the same number of test images right with the same five seeds: there is no difference."
    )
    still = difference_verdict(paired(shifted(*[0.1] * 5), BASE))
    assert "10 more" in still and "no interval" in still and "takes more seeds" in still


def test_a_difference_of_less_than_an_image():
    text = difference_verdict(paired(shifted(0.01, -0.01, 0.01, -0.01, 0.01), BASE), "GBN", "BN")
    assert text.startswith(
        "On average GBN gets as many of the 10,000 test images right, to within one, as BN with the same five seeds "
        "(+0.002 points"
    )


def test_other_images_other_seeds_and_other_measures():
    train = difference_verdict(paired(shifted(*[0.1, 0.11, 0.1, 0.1, 0.1]), BASE), images=60_000, kind="training")
    assert "61 more of the 60,000 training images" in train
    assert "with different seeds (5 and 3)" in difference_verdict(unpaired(BASE, {7: 99.0, 8: 99.1, 9: 99.2}))
    wobble = difference_verdict(paired(BASE, shifted(0.1, 0.2, 0.1, 0.2, 0.1)), images=None, kind="spread of epochs")
    assert wobble.startswith("On average the spread of epochs is 0.140 points lower with A than with B")


def test_mcnemar_speaks_of_networks_never_of_settings():
    for counts in ((9_900, 60, 20, 20), (9_900, 31, 29, 40), (9_900, 30, 30, 40), (9_900, 0, 0, 100)):
        assert "two trained networks, not their settings" in mcnemar_verdict(mcnemar_counts(*counts), "run 1", "run 2")
    clear = mcnemar_verdict(mcnemar_counts(9_900, 60, 20, 20), "run 1", "run 2")
    assert "60 are right only with run 1 and 20 only with run 2: run 1 is ahead by 40 images, more than a fair" in clear
    other = mcnemar_verdict(mcnemar_counts(9_900, 20, 21, 20), "run 1", "run 2")
    assert "run 2 is ahead by 1 image, which a fair coin could give as well" in other
    assert "neither is ahead" in mcnemar_verdict(mcnemar_counts(9_900, 30, 30, 40))
    assert "1 is right only with A and 2 only with B" in mcnemar_verdict(mcnemar_counts(9_997, 1, 2, 0))
    assert "no difference to judge" in mcnemar_verdict(mcnemar_counts(9_900, 0, 0, 100))


def test_accuracy():
    assert accuracy_verdict(wilson(9_940, 10_000)) == (
        "99.40 % of 10,000 images are right (60 wrong); on other digits of the same kind expect 99.23 to 99.53 % "
        "(95 % Wilson interval)."
    )


def test_a_a_is_called_noise_whatever_it_shows():
    text = a_a_verdict(a_a(BASE), "b-bn")
    assert "8 of the 10,000 test images (0.08 points) apart: that is noise, and the 95 % interval " in text
    assert text.endswith(", which includes zero, says so.")
    alarm = a_a({0: 99.0, 1: 99.5, 2: 99.01, 3: 99.51, 4: 99.0, 5: 99.5})
    assert alarm.decided and "false alarm, as one in 20" in a_a_verdict(alarm)
    assert "exactly the same" in a_a_verdict(a_a(dict.fromkeys(range(4), 99.0)))


def test_two_seeds_are_too_few_for_an_interval_that_says_anything():
    two = paired({0: 90.0, 1: 94.0}, {0: 88.0, 1: 89.0})
    assert two.interval.high > 20 and not two.decided
    assert difference_verdict(two, "GBN", "BN") == (
        "On average GBN gets 350 more of the 10,000 test images right than BN with the same two seeds (+3.50 points, "
        "too few seeds for an interval worth showing): chance alone could do that, so it is not decided."
    )
    assert worth_showing(two, two.interval) is None
    alike = paired({0: 90.0, 1: 90.01}, {0: 90.0, 1: 90.0})
    assert "95 % interval −0.06 to +0.07" in difference_verdict(alike), "so short a one says that there is little"
    three = holm_adjusted([paired({0: 90.0, 1: 95.0, 2: 80.0}, {0: 88.0, 1: 80.0, 2: 85.0})] * 48)[0]
    assert three.adjusted_interval.high > 100, "no accuracy can be that much higher"
    assert "too few seeds for an interval" in difference_verdict(three) and worth_showing(three, three.interval)
    sure = paired({0: 90.0, 1: 90.01}, {0: 88.0, 1: 88.0})
    assert sure.decided and "95 % interval +1.94 to +2.07" in difference_verdict(sure)
    noise = a_a_verdict(a_a({0: 90.0, 1: 89.0, 2: 90.1, 3: 93.0}), "b-bn")
    assert noise.endswith("that is noise, with too few seeds for an interval worth showing.")


def test_sign_flips_come_with_their_floor():
    text = flip_text(paired(shifted(0.24, 0.27, 0.25, 0.22, 0.27), BASE))
    assert "cannot be below 2/2^5 = 0.0625, so it cannot decide alone" in text
    assert "a share of p = 0.0625 gives a mean at least as far from zero" in text
    ten = {seed: 99.0 + seed / 100 for seed in range(10)}
    assert "alone" not in flip_text(paired(ten, dict.fromkeys(ten, 98.0)))
    assert "share seeds" in flip_text(unpaired(BASE, BASE))


def test_plan():
    text = plan_text(plan(paired(shifted(0.1, -0.05, 0.12, -0.08, 0.06), BASE), 0.1))
    assert text.startswith("To show a true difference of 0.1 points (10 images) in 80 % of all studies takes about")
    assert "about nine seeds of each setting (between 5 and 55" in text
    assert "five seeds at hand can show 0.15 points" in text


@pytest.mark.parametrize(("value", "text"), [
    (0.25, "+0.25"), (-0.031, "−0.03"), (0.0049, "+0.005"), (-0.00049, "0"), (0.0, "0"), (12.345, "+12.35"),
])
def test_signed(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(("p", "text"), [
    (0.27, "p = 0.27"), (1.0, "p = 1"), (0.00003, "p < 0.0001"), (0.04, "p = 0.04"), (0.0, "p < 0.0001"),
])
def test_p(p, text):
    assert p_text(p) == text and p_number(p) == text.removeprefix("p ").removeprefix("= ")


@given(st.lists(st.integers(-60, 60), min_size=2, max_size=8))
def test_the_sentence_agrees_with_the_numbers(images):
    """One sentence; who is ahead by how many images; decided exactly if the interval leaves out zero."""
    seeds = range(len(images))
    found = paired({seed: 99 + images[seed] / 100 for seed in seeds}, dict.fromkeys(seeds, 99.0))
    text = difference_verdict(found, "A", "B")
    assert text.endswith(".") and ". " not in text and "\n" not in text
    assert ("more than chance explains" in text) == found.decided
    if abs(found.mean) > 0.01:
        way = "more" if found.mean > 0 else "fewer"
        assert f"A gets {abs(100 * found.mean):,.0f} {way} of the 10,000 test images right than B" in text
