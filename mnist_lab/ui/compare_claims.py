"""The sources' claims and the small-data study: the last two parts of the Compare page, as blocks. No Streamlit."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from statistics import fmean

from mnist_lab import verdicts
from mnist_lab.claims import MARGIN, MEASURES
from mnist_lab.data.sizes import TRAIN_IMAGES
from mnist_lab.published import NOTES, SOURCES
from mnist_lab.report import alias_text, measure_text, rows_text
from mnist_lab.small_data import BASE, Cell, cells, differences, near_chance, no_regularizers
from mnist_lab.statistics import Difference
from mnist_lab.studies import STUDIES
from mnist_lab.ui.chart_specs import GREY, shade
from mnist_lab.ui.compare_blocks import (
    CAPTION,
    NOTICE,
    Block,
    Column,
    Folded,
    Heading,
    Picture,
    Pictures,
    Table,
    Text,
)
from mnist_lab.ui.compare_charts import heat_chart, rows_chart
from mnist_lab.ui.compare_find import Found
from mnist_lab.ui.compare_real import forest, interval_of
from mnist_lab.verdict_sentences import detail
from mnist_lab.verdict_text import WHAT_P_IS, difference_verdict, signed
from mnist_lab.verdicts import Verdict

ICONS = {verdicts.SUPPORTED: "✅", verdicts.CONTRADICTED: "❌", verdicts.UNDECIDED: "❔", verdicts.UNMEASURED: "⏳"}
EVEN, LESS, MORE = (0xF7, 0xF7, 0xF7), (0xB3, 0x58, 0x06), (0x21, 0x66, 0xAC)
HEAT_WIDTH = 255  # pixels


def claims_part(sources: Found | None, small: Found | None) -> list[Block]:
    """The verdicts on what both sources claim."""
    blocks: list[Block] = [Heading("The sources' claims")]
    if sources is None:
        return [*blocks, _missing("sources", "The verdicts are computed from runs of every variant with five seeds.")]
    found = judged(sources, small)
    counts = Counter(verdict.outcome for verdict in found)
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ICONS if counts[outcome])
    blocks += [
        Text(
            f"Two published exercises ran each setting once and drew conclusions. Held against the lab's own study, "
            f"{len(sources.study.runs)} runs of {len(sources.study.settings())} settings, their {len(found)} claims "
            f"are: {summary}."
        ),
        *_incomplete(sources),
        Text(
            "What counts is the mean of the last five epochs, where a claim does not say otherwise, over the seeds "
            "that two settings share, and its 95 % interval, corrected for the number of comparisons put to one "
            f"source. “No difference” means within {MARGIN:g} points. The rules were fixed before the study had run; "
            "mnist_lab/verdicts.py has them, and says what was changed since and why. "
            f"{WHAT_P_IS}", CAPTION,
        ),
    ]
    for source, name in SOURCES.items():
        blocks += _of_source(source, name, [one for one in found if one.claim.source == source])
    return blocks


@lru_cache(maxsize=4)
def judged(sources: Found, small: Found | None) -> tuple[Verdict, ...]:
    """The verdicts, computed once for a study."""
    return tuple(verdicts.judge(sources.study, small.study if small else None))


def _missing(name: str, why: str) -> Text:
    return Text(f"{why} That study is not here. Make it: python -m mnist_lab study {name}", NOTICE)


def _incomplete(found: Found) -> list[Block]:
    study = found.study
    plan = STUDIES.get(study.name)
    wanted = len(plan.settings if plan else study.settings()) * study.planned
    if len(study.runs) >= wanted:
        return []
    return [Text(
        f"The study is not complete: {len(study.runs)} of its {wanted} runs are there so far, so what it says is "
        "preliminary.", NOTICE,
    )]


def _of_source(source: str, name: str, found: list[Verdict]) -> list[Block]:
    notes = tuple(Text(note) for note in NOTES[source])
    rows = {
        (one.a, one.b): interval_of(one.difference, f"{one.a.name} minus {one.b.name}{_measure(one.a.measure)}")
        for verdict in found for one in verdict.compared if one.b is not None and one.a.measure != "wobble"
    }
    blocks: list[Block] = [
        Heading(f"Source {source}"), Text(name, CAPTION),
        Folded("What its notebook shows and its write-up does not say", notes),
    ]
    if rows:
        decided = sum(row.decided for row in rows.values())
        about = f"The comparisons behind source {source}'s claims."
        chart = rows_chart(list(rows.values()), "Difference (points)", about)
        said = f"{decided} of the {len(rows)} comparisons behind the claims show more than chance explains."
        blocks.append(Folded("The comparisons behind the claims", (
            Picture(chart, f"compare_claims_{source.lower()}", said),
            Text("Orange diamonds are more than chance explains, blue circles are not. Thick lines: the interval of "
                 "one comparison alone; thin lines: corrected, which decides. Grey circles: single seeds.", CAPTION),
        )))
    return [*blocks, *(_claim(verdict) for verdict in found)]


def _measure(measure: str) -> str:
    return f" ({MEASURES[measure].partition(',')[0]})" if measure != "test" else ""


def _claim(verdict: Verdict) -> Folded:
    claim = verdict.claim
    implied = " (Implied by its table.)" if claim.implied else ""
    more = [text for text in (measure_text(claim), rows_text(claim), alias_text(claim), claim.note) if text]
    details = tuple(Text(detail(one), CAPTION) for one in verdict.compared)
    return Folded(
        f"{ICONS[verdict.outcome]} {claim.text}{implied} {verdict.label.capitalize()}.",
        (Text(verdict.sentence, lead=verdict.label.capitalize()), *(Text(text) for text in more), *details),
    )


def small_part(small: Found | None, scan: Found | None) -> list[Block]:
    """Where regularization matters: heat maps of the small-data study, and the finer scan."""
    blocks: list[Block] = [Heading("Few images, wrong labels"), Text(
        "On 60,000 clean images a network this small hardly overfits, so a regularizer has little to cure. With a few "
        "hundred images, some of them with a wrong label, it can learn the mistakes by heart, unless something holds "
        "it back."
    )]
    if small is None:
        blocks.append(_missing("small-data", "The heat maps show what each regularizer changes there."))
    else:
        blocks += [*_incomplete(small), *_heat_maps(small)]
    if scan is not None:
        blocks += _scan(scan)
    return blocks


@lru_cache(maxsize=4)
def gains(found: Found) -> dict[tuple[Cell, str], Difference]:
    """Every setting minus batch norm alone on the same images, computed once for a study."""
    return differences(found.study)


@lru_cache(maxsize=4)
def accuracies(found: Found) -> dict[Cell, dict[str, dict[int, float]]]:
    """`small_data.cells`, computed once for a study."""
    return cells(found.study)


def _heat_maps(small: Found) -> list[Block]:
    found, places = gains(small), list(accuracies(small))
    if not found:
        return [Text("Not yet measured: it takes at least two seeds that a setting shares with batch norm.", NOTICE)]
    reach = max(abs(one.mean) for one in found.values())
    maps = []
    for number, name in enumerate(dict.fromkeys(name for _, name in found)):
        rows = [_cell(place, found.get((place, name)), reach) for place in places]
        rows.sort(key=lambda row: row["decided"])  # drawn last, so that no neighbour hides a part of the frame
        maps.append(Picture(heat_chart(rows, name), f"compare_heat_{number}", width=HEAT_WIDTH))
    return [
        Text("Each map is one regularizer: test accuracy minus that of batch norm alone, in points, with the same "
             "seeds. Blue: better. Orange: worse. The color grows with the root of the difference, so that small ones "
             "show. A frame: more than chance explains, corrected for all comparisons. In brackets: not decided.",
             CAPTION),
        Pictures(tuple(maps), "compare_heat"), Text(_heat_takeaway(small)),
        Folded("Test accuracy of every setting", (_accuracies(small),)),
    ]


def _cell(place: Cell, one: Difference | None, reach: float) -> dict:
    images, noise = place
    count = TRAIN_IMAGES if isinstance(images, str) else images
    where = {"images": f"{count:,}", "count": count, "noise": f"{100 * noise:g} %", "share": noise}
    if one is None:
        nothing = {"text": "–", "fill": "transparent", "ink": GREY, "decided": False, "label": "not measured"}
        return where | nothing
    # The root: a network without any norm is so much worse that all else would be white beside it.
    share = math.sqrt(abs(one.mean) / reach) if reach else 0.0
    text = f"{one.mean:+.1f}".replace("-", "−") if abs(one.mean) >= 0.05 else "0.0"
    said = f"{where['images']} images, {where['noise']} wrong labels: {signed(one.mean)} points"
    return {
        **where, **shade(share, EVEN, MORE if one.mean > 0 else LESS),
        "text": text if one.decided else f"({text})", "decided": one.decided,
        "label": f"{said}, {'more than chance explains' if one.decided else 'not decided'}",
    }


@lru_cache(maxsize=4)  # it goes through all the runs of the study
def _heat_takeaway(small: Found) -> str:
    others = no_regularizers(small.study)
    found = {key: one for key, one in gains(small).items() if key[1] not in others} or gains(small)
    decided = [one for one in found.values() if one.decided]
    helped = sum(one.mean > 0 for one in decided)
    # Two seeds may show any gain: one that is more than chance explains comes before a larger one that is not.
    (place, name), most = max(found.items(), key=lambda item: (item[1].decided and item[1].mean > 0, item[1].mean))
    images, noise = place
    said = difference_verdict(most, f"“{name}”", f"“{BASE}” alone", len(small.study.labels))
    return (
        f"Of {len(found)} comparisons, {helped} show a gain and {len(decided) - helped} a loss that is more than "
        f"chance explains. The largest {'such gain' if helped else 'mean difference'}, with {images:,} images and "
        f"{100 * noise:g} % wrong labels: {said}"
        + "".join(f" Not counted: “{other}”, which is not a regularizer." for other in sorted(others))
        + f" {near_chance(small.study)}".rstrip()
    )


def _accuracies(small: Found) -> Table:
    by_place = accuracies(small)
    called = list(dict.fromkeys(name for settings in by_place.values() for name in settings))
    columns = (
        Column("Training images", 0), Column("Wrong labels (%)", 0),
        *(Column(name, 1, "Test accuracy in per cent, mean over the seeds.") for name in called),
    )
    rows = [
        (images, 100 * noise, *(fmean(settings[name].values()) if name in settings else None for name in called))
        for (images, noise), settings in by_place.items()
    ]
    return Table(columns, rows, "compare_small", "Test accuracy by images, noise and setting")


def _scan(scan: Found) -> list[Block]:
    found = gains(scan)
    if not found:
        return []
    (images, noise), _ = next(iter(found))
    return [
        Heading(f"How strong? A scan at {images:,} images with {100 * noise:g} % wrong labels"), *_incomplete(scan),
        *forest(
            [name for _, name in found], list(found.values()), f"“{BASE}” alone", (len(scan.study.labels), "test"),
            "Difference (points of test accuracy)", "compare_scan", corrected=True,
        ),
    ]
