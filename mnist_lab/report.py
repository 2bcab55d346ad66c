"""pretrained/README.md, generated from the studies and the shipped runs. No figure in it is typed by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from mnist_lab.claims import MARGIN, MEASURES, Claim, Side
from mnist_lab.planning import plan
from mnist_lab.presets import ALIASES, WEIGHT_DECAY
from mnist_lab.published import NOTES, PUBLISHED, SOURCES
from mnist_lab.runs.record import RunSummary
from mnist_lab.runs.study import Study, StudyRun
from mnist_lab.search_report import search_section
from mnist_lab.small_data import small_data_section, table
from mnist_lab.statistics import StatisticsError, a_a, paired, widest_gap
from mnist_lab.study_values import values_of
from mnist_lab.variant_tables import flagship_section, variants_section
from mnist_lab.verdict_sentences import detail
from mnist_lab.verdict_text import WHAT_P_IS, a_a_verdict, many, plan_text
from mnist_lab.verdicts import Verdict, judge

NAMED = 16
"""Settings that lack seeds are named one by one up to so many."""
USUAL = "test"
"""The measure of most claims, which the text names once."""


def report(
    study: Study, records: Sequence[RunSummary], best: Study | None = None, small: Study | None = None,
    scan: Study | None = None, search: Study | None = None, made_by: str = "",
) -> str:
    """The README of pretrained/ as Markdown.

    Args:
        study: "sources", with as many seeds as there are so far.
        records: the runs that ship.
        best, small, scan, search: the studies of those names ("small-data"), where there are any.
        made_by: the command that writes this file.
    """
    written = f"This file is written by `{made_by}` from the records in this folder. " if made_by else ""
    studies = [one for one in (study, best, search, small, scan) if one is not None]
    parts = [
        "# Pretrained networks and the study behind them",
        f"{written}No figure in it is typed by hand; the sources' own are in `mnist_lab/published.py`.",
        _commands(studies),
        *variants_section(study, records), _sources_text(),
        *([] if best is None else flagship_section(best, records)),
        *search_section(search),
        "## What noise looks like", noise_text(study),
        *small_data_section(small, scan),
        "## The sources' claims", *claims_text(judge(study, small)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _commands(studies: Sequence[Study]) -> str:
    lines = ["Made by, and made again with:", ""]
    for one in studies:
        machines = sorted({_machine(run) for run in one.runs})
        made = "; ".join([f"{len(one.runs)} runs", *machines, *_still_to_come(one)])
        lines.append(f"- {one.title}: `{one.command}` ({made})")
    return "\n".join(lines)


def _still_to_come(study: Study) -> list[str]:
    there = {name: len(study.of(name)) for name in study.settings()}
    short = {name: count for name, count in there.items() if count < study.planned}
    if not short:
        return []
    if len(set(there.values())) == 1:
        counts = f"{there[next(iter(there))]} for each setting"
    elif len(short) > NAMED:
        counts = f"{min(there.values())} to {max(there.values())} for each setting"
    else:
        counts = f"for {', '.join(f'{name} {count}' for name, count in short.items())}"
    return [f"not complete yet, of {many(study.planned, 'seed')} there are {counts}"]


def _machine(run: StudyRun) -> str:
    made = run.made_on
    threads = made.get("threads")
    # Studies that were collected before the precision was kept have none.
    kind = ", ".join(made[key] for key in ("device", "precision") if made.get(key)) or "unknown device"
    on = f"{kind}, {threads} thread{'s' * (threads != 1)} a run"
    return on + (f", torch {made['torch']}" if made.get("torch") else "")


def _sources_text() -> str:
    lines = []
    for source, name in SOURCES.items():
        lines += [f"Source {source}: {name}. What its notebook shows and its write-up does not say:", ""]
        lines += [f"- {note}" for note in NOTES[source]] + [""]
    return "\n".join(lines).rstrip()


def noise_text(study: Study) -> str:
    """How far apart runs of one and the same setting come out, and how many seeds it takes to see past that."""
    sentences = []
    for norm, ghost in (("a-bn", "a-gbn"), ("b-bn", "b-gbn")):
        sentences += _attempts(
            lambda norm=norm: _gap(study, norm),
            lambda norm=norm: a_a_verdict(a_a(_last(study, norm)), norm, len(study.labels)),
            lambda norm=norm, ghost=ghost: _seeds_needed(study, ghost, norm),
        )
    return "\n".join(f"- {sentence}" for sentence in sentences) or "Not yet measured: it takes at least two seeds."


def _attempts(*sentences: Callable[[], str]) -> list[str]:
    """Those sentences for which the study has enough seeds."""
    found = []
    for sentence in sentences:
        try:
            found.append(sentence())
        except StatisticsError:
            continue
    return found


def _gap(study: Study, setting: str) -> str:
    values = _last(study, setting)
    gap, better, worse = widest_gap(values)
    return (
        f"{setting}, last epoch: two single runs of the same setting differ by up to {gap:.2f} points (seed {better}: "
        f"{values[better]:.2f} %, seed {worse}: {values[worse]:.2f} %)."
    )


def _last(study: Study, setting: str) -> dict[int, float]:
    return values_of(study, Side(setting, "test at the end"))


def _seeds_needed(study: Study, a: str, b: str) -> str:
    text = plan_text(plan(paired(_last(study, a), _last(study, b)), MARGIN), len(study.labels))
    return f"{a} against {b}, last epoch: {text[0].lower()}{text[1:]}"


def claims_text(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts, one paragraph each, under a heading for each source."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    overview = table(
        ("source", "claim", "verdict"),
        [(verdict.claim.source, verdict.claim.text.rstrip("."), verdict.label) for verdict in verdicts],
    )
    parts = [
        f"Compared over shared seeds is the {MEASURES[USUAL]}, unless a claim names another measure. The intervals are "
        "corrected for the number of comparisons put to one source, and where one setting is set against all others, "
        f"for its rivals. The rules are at the top of `mnist_lab/verdicts.py`. {WHAT_P_IS} Of "
        f"{many(len(verdicts), 'claim')}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}.",
        overview,
    ]
    for source in SOURCES:
        parts.append(f"### Source {source}")
        parts += [claim_text(verdict) for verdict in verdicts if verdict.claim.source == source]
    return parts


def claim_text(verdict: Verdict) -> str:
    """A claim, its verdict, the sentence with the numbers, the source's own figures, and what has to be known."""
    claim = verdict.claim
    implied = " (implied)" if claim.implied else ""
    lines = [f"**{claim.text}**{implied} **{verdict.label.capitalize()}.** {verdict.sentence}"]
    lines += [note for note in (measure_text(claim), rows_text(claim), alias_text(claim), claim.note) if note]
    text = " ".join(lines)
    return "\n".join([text, "", *(f"- {detail(one)}" for one in verdict.compared)]).rstrip()


def measure_text(claim: Claim) -> str:
    """What is compared, for a claim whose measure is not the usual one."""
    sides = [claim.a, *(other for _, other in claim.pairs)]
    measures = list(dict.fromkeys(MEASURES[side.measure] for side in sides))
    return "" if measures == [MEASURES[USUAL]] else f"Measured by: {', against '.join(measures)}."


def rows_text(claim: Claim) -> str:
    """The published figures that a claim rests on, in the measure it is about where the source printed that."""
    names = [name for name in claim.source_rows() if name in PUBLISHED]
    if claim.a.measure == "train":
        figures = [
            f"{name} {fmean(epoch[1] for epoch in PUBLISHED[name].last_five):.2f} (train accuracy, last five)"
            for name in names if PUBLISHED[name].last_five
        ]
    else:
        figures = [
            f"{name} {PUBLISHED[name].best:.2f} (best epoch), {PUBLISHED[name].mean_of_last_five:.2f} (last five)"
            for name in names
        ]
    return f"The source: {'; '.join(figures)}." if figures else ""


def alias_text(claim: Claim) -> str:
    """For rows that say L2 and ran without: that they say nothing of L2, and what two runs of one setting do."""
    aliases = [name for name in claim.source_rows() if name in ALIASES]
    if not aliases:
        return ""
    text = (
        "The source ran its L2 rows with weight_decay=0, so they say nothing of L2: "
        f"{', '.join(f'{alias} is {ALIASES[alias]}' for alias in aliases)}"
    )
    same = [name for name in claim.source_rows() if ALIASES.get(name, name) == ALIASES[aliases[0]]]
    if len(same) == 2 and claim.a.measure == "test":
        first, second = (PUBLISHED[name].mean_of_last_five for name in same)
        apart = f"{abs(first - second):.2f} points apart (last five)"
        text += f", and the two rows are two runs of one configuration, {apart}"
    real = f" Here L2 is a real weight decay of {WEIGHT_DECAY['a']:g}." if "l2" in claim.a.setting else ""
    return f"{text}.{real}"
