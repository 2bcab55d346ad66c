"""What the statistics say, in plain words: one sentence each. Pure functions.

Names of runs and settings are put in as they are given: escape them first where they are shown as Markdown.
"""

from __future__ import annotations

from mnist_lab.planning import Plan
from mnist_lab.statistics import Accuracy, Difference, Interval, TwoNetworks

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TEST_IMAGES = 10_000
WIDEST = 100  # points: no two accuracies are further apart
CLOSE = 1  # points: an interval within that of zero says something even of two seeds
WHAT_P_IS = (
    "p is how often chance alone would give a difference at least as large if in truth there were none. A small p "
    "makes chance a poor explanation."
)


def number(count: int) -> str:
    """A small whole number as a word: "five"; from 11 on in digits."""
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else f"{count:,}"


def article(digit: int) -> str:
    """What stands before a digit: "a" 7, "an" 8."""
    return "an" if digit == 8 else "a"


def many(count: int, what: str) -> str:
    """A number with its noun: "one seed", "five seeds"."""
    return f"{number(count)} {what}{'s' * (count != 1)}"


def points(value: float) -> str:
    """A difference of two percentages, with its sign: "+0.25 points"."""
    return f"{signed(value)} points"


def signed(value: float) -> str:
    """A number with its sign: two decimals, three for what is below 0.01, "0" for what is below 0.0005."""
    if abs(value) < 0.0005:
        return "0"
    return f"{value:+.{2 if abs(value) >= 0.01 else 3}f}".replace("-", "−")


def interval_text(difference: Difference) -> str:
    """The interval that decides: "95 % interval −0.03 to +0.11", and for how many comparisons it was corrected."""
    interval = worth_showing(difference, difference.adjusted_interval)
    if interval is None:
        return "no interval: all seeds gave the same difference" if difference.adjusted_interval is None else (
            "too few seeds for an interval worth showing")
    corrected = f", corrected for {difference.family} comparisons" if difference.family > 1 else ""
    return f"{100 * difference.level:g} % interval {signed(interval.low)} to {signed(interval.high)}{corrected}"


def worth_showing(difference: Difference, interval: Interval | None) -> Interval | None:
    """One of the difference's intervals; None without one, and for one that only says that the seeds are too few.

    With two seeds a 95 % interval is as long as 18 times their spread, and corrected for many comparisons it has
    thousands of points, which no accuracy can have. One that leaves out zero, or is short, says something all the same.
    """
    if interval is None or 0 not in interval:
        return interval
    longest = CLOSE if difference.degrees < 2 else WIDEST
    return interval if max(-interval.low, interval.high) <= longest else None


def p_text(p: float) -> str:
    """A p-value in a sentence: "p = 0.271", "p < 0.0001"."""
    found = p_number(p)
    return f"p {found}" if found.startswith("<") else f"p = {found}"


def p_number(p: float) -> str:
    """A p-value in a table: "0.271", "< 0.0001", never "0"."""
    return "< 0.0001" if p < 0.0001 else f"{p:.3g}" if p < 0.9995 else "1"


def images_text(difference: float, images: int = TEST_IMAGES, kind: str = "test") -> str:
    """What a difference in points amounts to: "25 more of the 10,000 test images right than"."""
    count = abs(difference) * images / 100
    if difference == 0:
        return f"exactly as many of the {images:,} {kind} images right as"
    if count < 0.5:
        return f"as many of the {images:,} {kind} images right, to within one, as"
    return f"{count:,.0f} {'more' if difference > 0 else 'fewer'} of the {images:,} {kind} images right than"


def accuracy_verdict(accuracy: Accuracy) -> str:
    """One network's accuracy with its interval, and what that is about."""
    interval, wrong = accuracy.interval, accuracy.images - accuracy.correct
    return (
        f"{accuracy.percent:.2f} % of {accuracy.images:,} images are right ({wrong:,} wrong); on other digits of the "
        f"same kind expect {interval.low:.2f} to {interval.high:.2f} % ({100 * interval.level:g} % Wilson interval)."
    )


def mcnemar_verdict(two: TwoNetworks, a: str = "A", b: str = "B", alpha: float = 0.05) -> str:
    """Two trained networks on the same images; never about their settings, and the sentence says so."""
    only = "this compares two trained networks, not their settings, which with another seed give other networks"
    if two.only_a == two.only_b == 0:
        alike = two.same_digits == two.images
        how = "give the same answer to every image" if alike else "get exactly the same images right"
        return f"{a} and {b} {how} ({two.images:,} in all), so there is no difference to judge; {only}."
    verb = "is" if two.only_a == 1 else "are"
    counts = f"Of {two.images:,} images, {two.only_a:,} {verb} right only with {a} and {two.only_b:,} only with {b}"
    lead, leader = abs(two.more_images), a if two.more_images > 0 else b
    ahead = f"{leader} is ahead by {lead:,} image{'s' * (lead != 1)}" if lead else "neither is ahead"
    judged = "more than a fair coin would give" if two.p < alpha else "which a fair coin could give as well"
    return f"{counts}: {ahead}, {judged} (exact McNemar {p_text(two.p)}); {only}."


def difference_verdict(
    difference: Difference, a: str = "A", b: str = "B", images: int | None = TEST_IMAGES, kind: str = "test"
) -> str:
    """Two settings over seeds: by how many images they differ, how sure that is, and whether it decides.

    Args:
        difference: A minus B, in points.
        images, kind: what the accuracy was measured on ("test" or "training" images); with no `images`, `kind` names
            a measure that is not a share of images.
    """
    found = amount_text(difference, a, b, images, kind)
    return f"{found}: there is no difference." if difference.identical else f"{found}: {chance_text(difference)}."


def amount_text(difference: Difference, a: str, b: str, images: int | None = TEST_IMAGES, kind: str = "test") -> str:
    """The first half of the verdict: how large the difference is, over which seeds, with its interval."""
    seeds = _seeds(difference)
    if difference.identical:
        same = f"the same number of {kind} images right" if images else f"the same {kind}"
        return f"{a} and {b} get exactly {same} with {seeds}"
    found = f"{points(difference.mean)}, {interval_text(difference)}"
    if images is None:
        way = f"{abs(difference.mean):.3f} points {'higher' if difference.mean > 0 else 'lower'}"
        return f"On average the {kind} is {way} with {a} than with {b} for {seeds} ({found})"
    return f"On average {a} gets {images_text(difference.mean, images, kind)} {b} with {seeds} ({found})"


def chance_text(difference: Difference) -> str:
    """The second half: what chance has to say."""
    if difference.decided:
        return "more than chance explains"
    if difference.adjusted_interval is None:
        return "the very same difference every time does not show how much it varies, so it takes more seeds to decide"
    if 0 not in difference.interval:
        return (
            f"alone it would count, but among {difference.family} comparisons one such easily comes up by chance, so "
            "it is not decided"
        )
    return "chance alone could do that, so it is not decided"


def _seeds(difference: Difference) -> str:
    if difference.kind == "paired":
        return f"the same {many(difference.n_a, 'seed')}"
    if difference.kind == "one-sample":
        return many(difference.n_a, "seed")
    return f"different seeds ({difference.n_a} and {difference.n_b})"


def a_a_verdict(
    difference: Difference, name: str = "this setting", images: int = TEST_IMAGES, kind: str = "test"
) -> str:
    """A setting against itself: what came out, and that it is noise whatever it is."""
    if difference.identical:
        return f"{name} against itself, with other seeds: exactly the same accuracy."
    count = abs(difference.mean) * images / 100
    apart = "less than one" if count < 0.5 else f"{count:,.0f}"
    noun = f"of the {images:,} {kind} images ({abs(difference.mean):.2f} points)"
    if difference.decided:
        return (
            f"{name} against itself, with other seeds, is {apart} {noun} apart and the interval leaves out zero: a "
            f"false alarm, as one in {round(1 / (1 - difference.level))} such comparisons gives."
        )
    found = f"{name} against itself, with other seeds, is {apart} {noun} apart: that is noise"
    if worth_showing(difference, difference.interval):
        return f"{found}, and the {interval_text(difference)}, which includes zero, says so."
    return f"{found}." if difference.interval is None else f"{found}, with {interval_text(difference)}."


def flip_text(difference: Difference) -> str:
    """The exact permutation p, what it is, and its floor; why it cannot decide alone with few seeds."""
    if difference.flip_p is None or difference.flip_floor is None:
        return "Signs can be flipped only for settings that share seeds."
    n = len(difference.differences)
    alone = ", so it cannot decide alone" if difference.flip_floor > 1 - difference.level else ""
    return (
        "Exact sign-flip test: without a true difference each seed's could as well have the other sign. Of all ways to "
        f"choose the signs, a share of {p_text(difference.flip_p)} gives a mean at least as far from zero; with "
        f"{many(n, 'seed')} it cannot be below 2/2^{n} = {difference.flip_floor:.4g}{alone}."
    )


def plan_text(plan: Plan, images: int = TEST_IMAGES) -> str:
    """How many seeds would show a difference of `plan.points`, and what the seeds at hand can show."""
    share = f"{100 * plan.power:g} %"
    wanted = f"{plan.points:g} points ({plan.points * images / 100:,.0f} images)"
    seeds = "more than 10,000 seeds" if plan.seeds is None else f"about {many(plan.seeds, 'seed')}"
    most = "over 10,000" if plan.at_most is None else f"{plan.at_most:,}"
    least = "over 10,000" if plan.at_least is None else f"{plan.at_least:,}"
    between = "" if plan.at_least is None else f" (between {least} and {most}, as the spread itself is only estimated)"
    return (
        f"To show a true difference of {wanted} in {share} of all studies takes {seeds} of each setting{between}; the "
        f"{many(plan.seeds_now, 'seed')} at hand can show {plan.detectable:.2f} points."
    )
