"""Is it real? What noise looks like, two variants, or many: the second part of the Compare page, as blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

import numpy as np

from mnist_lab.claims import MARGIN
from mnist_lab.counts import TwoNetworks
from mnist_lab.planning import plan
from mnist_lab.runs.record import RunError
from mnist_lab.runs.study import StudyRun
from mnist_lab.statistics import Difference, StatisticsError, a_a, holm_adjusted, widest_gap
from mnist_lab.ui.compare_blocks import CAPTION, NOTICE, WARNING, Block, Column, Folded, Heading, Picture, Table, Text
from mnist_lab.ui.compare_charts import Interval, rows_chart
from mnist_lab.ui.compare_data import JUDGED, TRAIN, Variant, compare, known_values, names, two_networks
from mnist_lab.ui.compare_tables import differing, knob_names
from mnist_lab.verdict_text import (
    WHAT_P_IS,
    a_a_verdict,
    difference_verdict,
    flip_text,
    many,
    mcnemar_verdict,
    number,
    plan_text,
    points,
    worth_showing,
)

ENOUGH = 4  # seeds, for two groups of two
MAX_WAYS = 1_000  # of dealing seeds into two groups: with ten there are 252
NOISE = (
    "Before you believe a difference, look at one that cannot be real: a setting against itself, its seeds dealt into "
    "two groups. The seed decides the first weights, the order of the images and which labels are wrong, so runs of "
    "one setting differ too."
)
COMPARED = (
    Column("Variant"), Column("Seeds", 0, "How many seeds the comparison rests on."),
    Column("Difference", 3, "Points, mean over the seeds."),
    Column("From", 3, "Lower end of the corrected interval; none where the seeds are too few for one."),
    Column("To", 3, "Upper end of the corrected interval."),
    Column("p", 4, "Of the t-test of this comparison alone.", tiny=True),
    Column(
        "p, corrected", 4,
        "By Holm, for the number of comparisons: below 0.05 the difference is more than chance explains.", tiny=True,
    ),
    Column("Verdict"),
)


def noise_candidates(variants: Sequence[Variant]) -> list[Variant]:
    """Those with enough seeds to be compared with themselves."""
    return [one for one in variants if len(one.members) >= ENOUGH]


def noise_default(chosen: Sequence[Variant], there: Sequence[Variant]) -> Variant | None:
    """Which setting is compared with itself before one is picked; None if none has enough seeds.

    A chosen one, else the one with the most seeds: of a study if there is one, so that a link shows the same on every
    computer, whatever was trained on it.
    """
    if of_chosen := noise_candidates(chosen):
        return of_chosen[0]
    return max(
        noise_candidates(there), default=None,
        key=lambda one: (isinstance(one.members[0].run, StudyRun), len(one.members)),
    )


def noise_part(variant: Variant | None, measure: str) -> list[Block]:
    """The A/A example. Raises `RunError`."""
    blocks: list[Block] = [Heading("What noise looks like"), Text(NOISE)]
    if variant is None:
        return [*blocks, Text(
            "No setting here has four seeds yet. Train one setting on the Train page with four different seeds, or "
            "run: python -m mnist_lab sweep --preset noisy-1000 --seeds 4", NOTICE,
        )]
    try:
        values = known_values(variant, measure)
        difference = a_a(values)
        gap, better, worse = widest_gap(values)
    except StatisticsError as error:
        return [*blocks, Text(str(error), NOTICE)]
    said = a_a_verdict(difference, f"“{variant.name}”", *_images(variant, measure))
    seeds = sorted(values)
    chart = rows_chart(
        [_group(values, seeds[::2]), _group(values, seeds[1::2])], f"{JUDGED[measure]} (%)",
        "Dots: one setting's seeds in two groups, with their means.", zero=False,
    )
    return [
        *blocks, Picture(chart, "compare_noise", said),
        Text(
            f"{_all_ways(values)} Two single runs of this one setting lie up to {gap:.2f} points apart (seed {better}: "
            f"{values[better]:.2f} %, seed {worse}: {values[worse]:.2f} %). Both sources ran each setting once."
        ),
    ]


def _group(values: Mapping[int, float], seeds: Sequence[int]) -> Interval:
    mean = fmean(values[seed] for seed in seeds)
    said = f"Seeds {', '.join(map(str, seeds))}: mean {mean:.2f} %"
    return Interval(said, mean, dots=tuple((values[seed], f"seed {seed}") for seed in seeds))


def _all_ways(values: Mapping[int, float]) -> str:
    """How far apart the means come out, however the seeds are dealt."""
    seeds = sorted(values)
    ways = list(combinations(seeds, len(seeds) // 2))
    if len(ways) > MAX_WAYS:
        return ""
    total = sum(values.values())
    rest = len(seeds) - len(seeds) // 2
    apart = [
        abs(sum(values[seed] for seed in way) / len(way) - (total - sum(values[seed] for seed in way)) / rest)
        for way in ways
    ]
    return (
        f"Dealt into two groups in every possible way, its means come out {min(apart):.2f} to {max(apart):.2f} points "
        f"apart, {float(np.median(apart)):.2f} in the middle."
    )


def real_part(chosen: Sequence[Variant], measure: str, reference: Variant) -> list[Block]:
    """The verdict on two, or on many against the reference, which is one of them. Raises `RunError`."""
    if len(chosen) < 2:
        return [Heading("Is it real?"), Text("Choose a second variant above to compare it with this one.", NOTICE)]
    called = dict(zip((one.key for one in chosen), names(chosen), strict=True))
    if len(chosen) == 2:
        return _two(chosen[0], chosen[1], [f"“{called[one.key]}”" for one in chosen], measure)
    return _many([one for one in chosen if one is not reference], reference, called, measure)


def _two(a: Variant, b: Variant, called: Sequence[str], measure: str) -> list[Block]:
    blocks: list[Block] = [Heading("Is it real?"), Text(_what_differs(a, b), CAPTION)]
    try:
        difference = compare(a, b, measure)
    except StatisticsError as error:
        blocks.append(Text(str(error), WARNING))
    else:
        said = difference_verdict(difference, *called, *a.images(measure))
        chart = rows_chart(
            [interval_of(difference, "First minus second")], f"Difference (points of {_short(measure)})",
            "The mean difference with its interval; circles are single seeds.",
        )
        # A phone has no room for both names in the chart.
        which = f"First: {called[0]}. Second: {called[1]}. Right of zero the first has the higher {_short(measure)}."
        blocks += [
            Picture(chart, "compare_pair"), Text(which, CAPTION), Text(said, lead="Verdict"),
            Text(_more(difference), CAPTION),
        ]
    return [*blocks, *_networks(a, b, called, measure)]


def interval_of(difference: Difference, name: str) -> Interval:
    """A difference as a row of a chart, with its own interval and the corrected one, as far as they are worth it."""
    own, corrected = (worth_showing(difference, one) for one in (difference.interval, difference.adjusted_interval))
    dots = zip(difference.differences, difference.seeds, strict=False)
    return Interval(
        name, difference.mean, *((own.low, own.high) if own else (None, None)),
        *((corrected.low, corrected.high) if corrected else (None, None)), decided=difference.decided,
        dots=tuple((value, f"seed {seed}") for value, seed in dots),
    )


def _short(measure: str) -> str:
    return "train accuracy" if measure == TRAIN else "test accuracy"


def _images(variant: Variant, measure: str) -> tuple[int, str]:
    images, kind = variant.images(measure)
    return images or 10_000, kind


def _what_differs(a: Variant, b: Variant) -> str:
    knobs = knob_names(differing([a, b]))
    if not knobs:
        return "Both have the same settings, so whatever differs is noise."
    if len(knobs) == 1:
        return f"They differ in one setting: {knobs[0]}."
    return f"They differ in {len(knobs)} settings, so no difference can be put down to one of them: {', '.join(knobs)}."


def _more(difference: Difference) -> str:
    """What else there is to know: the sign-flip test, and how many seeds it would take."""
    parts = [flip_text(difference)] if difference.kind == "paired" else [
        "They share fewer than two seeds, so all seeds of one are compared with all of the other (Welch's t-test), "
        "which sees less than pairs of equal seeds do."
    ]
    try:
        parts.append(plan_text(plan(difference, MARGIN)))
    except StatisticsError as error:
        parts.append(str(error))
    return " ".join(parts)


def _networks(a: Variant, b: Variant, called: Sequence[str], measure: str) -> list[Block]:
    """Seed by seed: the values, and McNemar on the same images."""
    if a.data.get("checksum") != b.data.get("checksum"):
        return []
    shared = sorted(set(a.seeds) & set(b.seeds))
    pairs = [(seed, seed) for seed in shared] or [(a.seeds[0], b.seeds[0])]
    values = a.values(measure), b.values(measure)
    rows, first, problems = [], None, []
    for seed, other in pairs:
        try:
            found = two_networks(a.member(seed), b.member(other))
        except (StatisticsError, RunError) as error:
            problems.append(str(error))
            continue
        first = first or (found, seed, other)
        rows.append(_network_row(seed, other, values[0][seed], values[1][other], found))
    blocks: list[Block] = [Heading("Image by image")]
    if first:
        found, seed, other = first
        said = mcnemar_verdict(found, f"{called[0]} (seed {seed})", f"{called[1]} (seed {other})")
        columns = (
            Column("Seed"), Column("First (%)", 2, called[0]), Column("Second (%)", 2, called[1]),
            Column("Difference", 2, "Points."), Column("Only first right", 0, "Images."),
            Column("Only second right", 0, "Images."), Column("McNemar p", 4, "Exact, two-sided.", tiny=True),
        )
        table = Table(columns, rows, "compare_seeds", "The two variants seed by seed")
        blocks += [Text(said), table, Text(WHAT_P_IS, CAPTION)]
    return [*blocks, *(Text(problem, WARNING) for problem in dict.fromkeys(problems))]


def _network_row(seed: int, other: int, a: float, b: float, found: TwoNetworks) -> tuple:
    return (str(seed) if seed == other else f"{seed} and {other}", a, b, a - b, found.only_a, found.only_b, found.p)


def _many(others: Sequence[Variant], reference: Variant, called: Mapping[str, str], measure: str) -> list[Block]:
    compared, problems = [], []
    for one in others:
        try:
            compared.append((called[one.key], compare(one, reference, measure)))
        except StatisticsError as error:
            problems.append(f"{called[one.key]} is left out. {error}")
    blocks: list[Block] = [Heading(f"Each minus “{called[reference.key]}”")]
    if compared:
        blocks += forest(
            [name for name, _ in compared], [difference for _, difference in compared],
            f"“{called[reference.key]}”", _images(reference, measure), f"Difference (points of {_short(measure)})",
            "compare_forest",
        )
    return [*blocks, *(Text(problem, WARNING) for problem in problems)]


def forest(
    called: Sequence[str], differences: Sequence[Difference], reference: str, images: tuple[int, str], x_title: str,
    key: str, corrected: bool = False,
) -> list[Block]:
    """Differences to a reference as a chart, a table and in words; `corrected` if Holm's correction has been made."""
    found = list(differences) if corrected else holm_adjusted(differences)
    chart = rows_chart(
        [interval_of(one, name) for name, one in zip(called, found, strict=True)], x_title,
        f"Forest plot: differences to {reference} with their intervals.",
    )
    rows = [_compared(name, one) for name, one in zip(called, found, strict=True)]
    words = tuple(
        Text(difference_verdict(one, f"“{name}”", reference, *images)) for name, one in zip(called, found, strict=True)
    )
    return [
        Picture(chart, key, _forest_takeaway(called, found, reference)),
        Text(
            "Orange diamonds are more than chance explains, blue circles are not. Thick lines: the 95 % interval of "
            "one comparison alone. Thin lines: corrected for all of them together (Holm), which is what decides, since "
            "one in twenty comparisons of nothing at all would stand out alone. Grey circles: single seeds.", CAPTION,
        ),
        Table(COMPARED, rows, f"{key}_table", f"Differences to {reference}"), Text(WHAT_P_IS, CAPTION),
        Folded("All of them in words", words),
    ]


def _forest_takeaway(called: Sequence[str], found: Sequence[Difference], reference: str) -> str:
    decided = [(name, one) for name, one in zip(called, found, strict=True) if one.decided]
    if not decided:
        which = "The one difference" if len(found) == 1 else f"None of the {many(len(found), 'difference')}"
        return f"{which} to {reference} is {'not ' * (len(found) == 1)}more than chance explains."
    name, most = max(decided, key=lambda pair: abs(pair[1].mean))
    count = f"{number(len(decided)).capitalize()} of {many(len(found), 'difference')}"
    if len(decided) == len(found):
        count = "The one difference" if len(found) == 1 else f"All {many(len(found), 'difference')}"
    way = "above" if most.mean > 0 else "below"
    largest = f"{points(abs(most.mean)).lstrip('+')} {way} it"
    return (
        f"{count} to {reference} {'is' if len(decided) == 1 else 'are'} more than chance explains; the largest is "
        f"“{name}”, {largest}."
    )


def _compared(name: str, one: Difference) -> tuple:
    interval = worth_showing(one, one.adjusted_interval)
    verdict = "more than chance" if one.decided else "identical" if one.identical else "not decided"
    return (
        name, min(one.n_a, one.n_b) if one.n_b else one.n_a, one.mean, interval.low if interval else None,
        interval.high if interval else None, one.p, one.adjusted_p, verdict,
    )
