"""pretrained/README.md, generated from the studies and the shipped runs. No figure in it is typed by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from mnist_lab.claims import MARGIN, Claim, Side
from mnist_lab.planning import plan
from mnist_lab.presets import ALIASES, WEIGHT_DECAY
from mnist_lab.published import NOTES, PUBLISHED, SOURCES, Published, rows_of
from mnist_lab.runs.record import RunSummary
from mnist_lab.runs.study import Study, StudyRun
from mnist_lab.small_data import mean_and_spread, small_data_section, table
from mnist_lab.statistics import StatisticsError, a_a, paired, widest_gap
from mnist_lab.verdict_text import WHAT_P_IS, a_a_verdict, many, plan_text
from mnist_lab.verdicts import Verdict, detail, judge, values_of

NOTHING = "–"
NAMED = 16
"""Settings that lack seeds are named one by one up to so many."""


def report(
    study: Study, records: Sequence[RunSummary], best: Study | None = None, small: Study | None = None,
    scan: Study | None = None, made_by: str = "",
) -> str:
    """The README of pretrained/ as Markdown.

    Args:
        study: "sources", with as many seeds as there are so far.
        records: the runs that ship.
        best, small, scan: the studies of those names ("small-data"), where there are any.
        made_by: the command that writes this file.
    """
    written = f"This file is written by `{made_by}` from the records in this folder. " if made_by else ""
    studies = [one for one in (study, best, small, scan) if one is not None]
    parts = [
        "# Pretrained networks and the study behind them",
        f"{written}No figure in it is typed by hand; the sources' own are in `mnist_lab/published.py`.",
        _commands(studies),
        "## The variants", _variants_intro(study), variants_table(study, records), _sources_text(),
        *([] if best is None else ["## The flagship", flagship_table(best)]),
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
    on = f"{made.get('device', 'unknown device')}, {threads} thread{'s' * (threads != 1)} a run"
    return on + (f", torch {made['torch']}" if made.get("torch") else "")


def _variants_intro(study: Study) -> str:
    return (
        "Test accuracies in per cent of "
        f"{len(study.labels):,} test images. The sources give one run each. Ours: mean ± standard deviation over the "
        "seeds, after the last epoch. *Best epoch, chosen on the test set* is what the sources report as their result: "
        "the best of many epochs, so it looks better than the network is. The shipped run is that of seed 0, not "
        "the best one."
    )


def variants_table(study: Study, records: Sequence[RunSummary]) -> str:
    """One line a configuration and one more for each alias under which a source has a row."""
    shipped = {run.id: run for run in records}
    rows = []
    for setting in study.settings():
        rows.append(_variant_row(setting, study.of(setting), rows_of(setting).get(setting), shipped.get(setting)))
        rows += [
            (f"{alias}: another name of {setting}", *_published(row), *[NOTHING] * 7)
            for alias, row in rows_of(setting).items() if alias != setting
        ]
    head = (
        "variant", "source: best epoch", "source: mean of last five", "ours: last epoch", "lowest to highest",
        "ours: best epoch, chosen on the test set", "seeds", "parameters", "seconds a run", "shipped run",
    )
    return table(head, rows)


def _variant_row(
    setting: str, runs: list[StudyRun], row: Published | None, shipped: RunSummary | None
) -> tuple[str, ...]:
    last, seconds = _figures(runs, "test_accuracy"), _figures(runs, "seconds")
    ours = shipped.summary.get("test_accuracy") if shipped else None
    return (
        setting, *_published(row), mean_and_spread(last), f"{min(last):.2f} to {max(last):.2f}" if last else NOTHING,
        mean_and_spread(_figures(runs, "best_test_accuracy")), str(len(runs)), _parameters(runs),
        f"{fmean(seconds):.0f}" if seconds else NOTHING, NOTHING if ours is None else f"{ours:.2f}",
    )


def _published(row: Published | None) -> tuple[str, str]:
    return (f"{row.best:.2f}", f"{row.mean_of_last_five:.2f}") if row else (NOTHING, NOTHING)


def _figures(runs: Sequence[StudyRun], name: str) -> list[float]:
    return [run.summary[name] for run in runs if run.summary.get(name) is not None]


def _parameters(runs: Sequence[StudyRun]) -> str:
    total, trained = (_figures(runs, name)[:1] for name in ("parameters", "trainable_parameters"))
    if not total:
        return NOTHING
    return f"{total[0]:,}" + (f" ({trained[0]:,} trained)" if trained and trained != total else "")


def _sources_text() -> str:
    lines = []
    for source, name in SOURCES.items():
        lines += [f"Source {source}: {name}. What its notebook shows and its write-up does not say:", ""]
        lines += [f"- {note}" for note in NOTES[source]] + [""]
    return "\n".join(lines).rstrip()


def flagship_table(best: Study) -> str:
    """The flagship's seeds one by one, and their mean."""
    head = ("setting", "seed", "last epoch", "best epoch, chosen on the test set", "parameters", "seconds")
    rows = []
    for setting in best.settings():
        runs = best.of(setting)
        rows += [(setting, str(run.seed), *_flagship_cells([run])) for run in runs]
        rows.append((setting, f"all {len(runs)}, mean", *_flagship_cells(runs)))
    return table(head, rows)


def _flagship_cells(runs: Sequence[StudyRun]) -> tuple[str, ...]:
    return (
        mean_and_spread(_figures(runs, "test_accuracy")), mean_and_spread(_figures(runs, "best_test_accuracy")),
        _parameters(runs), mean_and_spread(_figures(runs, "seconds"), 0),
    )


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
        "By the mean of the last five epochs, over shared seeds; the intervals are corrected for the number of "
        "comparisons put to one source, and where one setting is said to be the best, for its rivals. The rules are at "
        f"the top of `mnist_lab/verdicts.py`. {WHAT_P_IS} Of "
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
    lines += [note for note in (rows_text(claim), alias_text(claim), claim.note) if note]
    text = " ".join(lines)
    return "\n".join([text, "", *(f"- {detail(one)}" for one in verdict.compared)]).rstrip()


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
