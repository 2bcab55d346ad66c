"""The tables of the Compare page: the summary, the last five epochs as the sources print them, all settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import numpy as np

from mnist_lab.config import ALL, KNOBS, ORIGIN_FIELDS
from mnist_lab.config_forms import differences, short_value
from mnist_lab.published import Published, rows_of
from mnist_lab.study_values import LAST
from mnist_lab.ui.compare_blocks import CAPTION, NOT_THERE, NOTICE, Block, Cell, Column, Said, Table, Text
from mnist_lab.ui.compare_data import TRAIN, Member, Variant

FIGURES = (
    Column("Test accuracy", 2, "Per cent of the test images after the last epoch, mean over the seeds."),
    Column("Spread", 2, "Standard deviation over the seeds, in points."),
    Column("Seeds", 0, "How many runs with different seeds the figures rest on."),
    Column("Lowest", 2, "The seed with the lowest test accuracy."),
    Column("Highest", 2, "The seed with the highest test accuracy."),
    Column("Best epoch", 2),
    Column("Train accuracy", 2, "Per cent of the training images during the last epoch, on the labels trained on."),
    Column("Test loss", 4, "Nats, after the last epoch."),
    Column("Parameters", 0),
    Column("Seconds", 0, "How long the training took, mean over the seeds. Machines and threads may differ."),
)
BEST = 5  # place of the figure whose name and help depend on where the epochs were tested
HEADLINE = 3  # figures that stand before the settings
PUBLISHED = (
    Column(
        "Source: best epoch, chosen on the test set", 2,
        "Published, one run: the best of many epochs looks better than the network is.",
    ),
    Column("Source: last five", 2, "Published, one run: the mean of the last five epochs."),
)
FIVE = (
    Column("Variant"), Column("Epoch", 0), Column("Train loss", 4, "Nats, without the penalty."),
    Column("Train accuracy", 2, "Per cent, on the labels trained on."), Column("Test loss", 4, "Nats."),
    Column("Test accuracy", 2, "Per cent."),
)
MEASURED = ("train_loss", "train_accuracy", "eval_loss", "eval_accuracy")


def differing(chosen: Sequence[Variant]) -> list[str]:
    """The settings in which any of the chosen differs from the first, in the order of the knobs."""
    found = {name for one in chosen[1:] for name in differences(chosen[0].config, one.config)} - set(ORIGIN_FIELDS)
    return [name for name in KNOBS if name in found]


def knob_names(knobs: Sequence[str]) -> list[str]:
    """The settings as a sentence names them: "weight decay", "L1 lambda"."""
    labels = [KNOBS[name].label for name in knobs]
    return [label if label[1:2].isdigit() else label[0].lower() + label[1:] for label in labels]


def shown_value(variant: Variant, knob: str) -> str:
    """A setting as a table shows it; a dash where it has no effect."""
    return short_value(knob, getattr(variant.config, knob)) if variant.config.matters(knob) else NOT_THERE


def _setting(variant: Variant, knob: str) -> Cell:
    """A setting in a table that is sorted by it: a number, if it is one; None where it has no effect."""
    if not variant.config.matters(knob):
        return None
    value, text = getattr(variant.config, knob), shown_value(variant, knob)
    if knob == "train_images" and value == ALL:
        return Said(variant.images(TRAIN)[0], text)
    return Said(value, text) if isinstance(value, int | float) and not isinstance(value, bool) else text


def summary_table(chosen: Sequence[Variant], called: Sequence[str], published: bool) -> list[Block]:
    """A row a variant: the settings that differ, then its figures. Raises `RunError`."""
    knobs = differing(chosen)
    figures = (*FIGURES[:BEST], _best_column(chosen, called), *FIGURES[BEST + 1 :])
    columns = (
        Column("Variant"), *figures[:HEADLINE],
        *(Column(KNOBS[name].label, None, KNOBS[name].help) for name in knobs), *figures[HEADLINE:],
        *(PUBLISHED if published else ()),
    )
    rows, marked = [], set()
    first = [_setting(chosen[0], knob) for knob in knobs]
    for line, (name, variant) in enumerate(zip(called, chosen, strict=True)):
        values, figures = [_setting(variant, knob) for knob in knobs], _figures(variant)
        # A dash can carry no mark, and says by itself that it is not as in the first row.
        marked |= {
            (line, 1 + HEADLINE + place)
            for place, value in enumerate(values) if value is not None and value != first[place]
        }
        theirs = _published(variant) if published else ()
        rows.append((name, *figures[:HEADLINE], *values, *figures[HEADLINE:], *theirs))
    table = Table(columns, rows, "compare_summary", "Summary of the chosen variants", frozenset(marked))
    return [table, Text(_about(chosen, knobs), CAPTION)]


def _best_column(chosen: Sequence[Variant], called: Sequence[str]) -> Column:
    """The column of the best epochs, which never goes without saying on which images they were chosen."""
    held_out = [name for name, variant in zip(called, chosen, strict=True) if variant.eval_name != "test"]
    sets = "validation" if len(held_out) == len(chosen) else "test or validation" if held_out else "test"
    where = f"on the {sets} set" if sets != "test or validation" else (
        f"on the test set, but for {', '.join(held_out)} on the validation set")
    return replace(
        FIGURES[BEST], name=f"{FIGURES[BEST].name}, chosen on the {sets} set",
        help=f"Mean over the seeds of each run's best epoch, chosen {where}: the best of many epochs looks better than "
             "the network is.",
    )


def _about(chosen: Sequence[Variant], knobs: Sequence[str]) -> str:
    if len(chosen) == 1:
        return "Choose another variant to see in which settings they differ."
    if not knobs:
        return "All have the same settings: whatever differs between them is noise."
    labels = knob_names(knobs)
    what = f"They differ in {labels[0]} alone" if len(labels) == 1 else (
        f"They differ in {len(labels)} settings: {', '.join(labels)}")
    return (
        f"{what}. Highlighted, and marked with ≠, is what is not as in the first row; a dash is for what has no effect."
    )


def _figures(variant: Variant) -> tuple[int | float | None, ...]:
    tests = _summaries(variant, lambda member: member.summary.get("test_accuracy"))
    return (
        _mean(tests), stdev(tests) if len(tests) > 1 else None, len(variant.members),
        min(tests, default=None), max(tests, default=None),
        _mean(_summaries(variant, lambda member: _best(variant, member))),
        _mean(_summaries(variant, lambda member: member.summary.get("train_accuracy"))),
        _mean(_summaries(variant, lambda member: member.summary.get("test_loss"))),
        variant.members[0].summary.get("parameters"),
        _mean(_summaries(variant, lambda member: member.seconds)),
    )


def _best(variant: Variant, member: Member) -> float | None:
    """The accuracy of the best epoch, on the images that the run's epochs were tested on. Raises `RunError`."""
    if variant.eval_name == "test":
        return member.summary.get("best_test_accuracy")
    return max((float(value) for value in member.history()["eval_accuracy"] if np.isfinite(value)), default=None)


def _summaries(variant: Variant, get: Callable[[Any], float | None]) -> list[float]:
    return [value for member in variant.members if (value := get(member)) is not None]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _published(variant: Variant) -> tuple[float | None, float | None]:
    """The row of the variant's own name; its aliases are in the table of the last five epochs."""
    row = rows_of(variant.preset).get(variant.preset) if variant.preset else None
    return (row.best, row.mean_of_last_five) if row else (None, None)


def last_five_table(chosen: Sequence[Variant], called: Sequence[str], published: bool) -> list[Block]:
    """The last five epochs as the sources print them, means over the seeds. Raises `RunError`."""
    rows: list[tuple] = []
    for name, variant in zip(called, chosen, strict=True):
        rows += [(name, *line) for line in _last_epochs(variant)]
        if published and variant.preset:
            for row_name, row in rows_of(variant.preset).items():
                rows += [(f"{row_name}, published", *line) for line in _printed(row, variant.config.epochs)]
    if not rows:
        return [Text("None of them has finished an epoch.", NOTICE)]
    table = Table(FIVE, rows, "compare_last_five", "The last five epochs of the chosen variants")
    text = (
        "As the sources print them. Ours are means over the seeds; our train loss is an epoch's mean, penalty left out."
    )
    if published:
        text += (" Theirs are one run each; their train loss is that of the last batch, penalty included, so the two "
                 "cannot be compared. Where a source printed no epochs, its row is their mean.")
    return [table, Text(text, CAPTION)]


def _last_epochs(variant: Variant) -> list[tuple]:
    """Epoch and the four measures, for the last five epochs that all seeds have."""
    histories = [member.history() for member in variant.members]
    epochs = min(len(history["train_loss"]) for history in histories)
    return [
        (epoch, *(_seen([history[name][epoch - 1] for history in histories]) for name in MEASURED))
        for epoch in range(max(1, epochs - LAST + 1), epochs + 1)
    ]


def _seen(values: Sequence[np.float32]) -> float | None:
    known = [float(value) for value in values if np.isfinite(value)]
    return fmean(known) if known else None


def _printed(row: Published, epochs: int) -> list[tuple]:
    if not row.last_five:
        return [(None, None, None, None, row.mean_of_last_five)]
    first = epochs - len(row.last_five) + 1
    return [(first + at, *line) for at, line in enumerate(row.last_five)]


def settings_table(chosen: Sequence[Variant], called: Sequence[str]) -> Table:
    """Every setting that has an effect in any of them, a column a variant; where they differ is marked."""
    used = [
        name for name in KNOBS
        if name not in ORIGIN_FIELDS and any(variant.config.matters(name) for variant in chosen)
    ]
    rows = [(KNOBS[name].label, *(shown_value(variant, name) for variant in chosen)) for name in used]
    marked = {
        (line, place) for line, row in enumerate(rows) for place in range(2, len(row)) if row[place] != row[1]
    }
    columns = (Column("Setting"), *(Column(name) for name in called))
    return Table(columns, rows, "compare_settings", "All settings of the chosen variants", frozenset(marked))
