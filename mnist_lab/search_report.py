"""The flagship's recipe part by part, as a section of the README of pretrained/: what helped by how much.

The settings are `studies.SEARCH`. They are compared on the validation split; what their runs do on the test set, which
every run is tested on at its end, is not looked at.
"""

from __future__ import annotations

from mnist_lab.config import KNOBS
from mnist_lab.config_forms import differences, short_value
from mnist_lab.data.sizes import TRAIN_IMAGES, validation_size
from mnist_lab.runs.study import Study
from mnist_lab.small_data import NOTHING, mean_and_spread, table
from mnist_lab.statistics import Difference, StatisticsError, holm_adjusted, paired
from mnist_lab.verdict_text import many, number, points, signed, worth_showing

BASE = "search-best"
"""The recipe as it is, which the others are compared with."""


def search_section(search: Study | None) -> list[str]:
    """The section of the report; empty without the study, or without a run of the recipe as it is."""
    if search is None or BASE not in search.settings():
        return []
    return ["## What helped the flagship", _intro(search), _table(search), _ends_with(search)]


def validated(search: Study, setting: str) -> dict[int, float]:
    """Per cent of the validation split after the last epoch, by seed."""
    return {run.seed: float(run.history["eval_accuracy"][-1]) for run in search.of(setting)}


def effects(search: Study) -> dict[str, Difference]:
    """Every other setting minus the recipe as it is, corrected (Holm) for all of them together."""
    found = {}
    for setting in search.settings():
        if setting != BASE:
            try:
                found[setting] = paired(validated(search, setting), validated(search, BASE))
            except StatisticsError:
                continue  # fewer than two seeds in common so far
    return dict(zip(found, holm_adjusted(list(found.values())), strict=True))


def _intro(search: Study) -> str:
    return (
        "Preset “best” with one part of its recipe changed in each row, on the validation split: "
        f"{validation_size(TRAIN_IMAGES):,} images of the training set that it is not trained on. Accuracy in per "
        f"cent after the last epoch, mean ± standard deviation over up to {many(search.planned, 'seed')}, and points "
        "more than the recipe as it is with the same seeds."
    )


def _table(search: Study) -> str:
    found, recipe = effects(search), search.config(BASE)
    rows = []
    for setting in search.settings():
        values = validated(search, setting)
        if setting == BASE:
            what = "the recipe as it is"
        else:
            changed = differences(search.config(setting), recipe)
            what = ", ".join(f"{KNOBS[name].label}: {short_value(name, new)}" for name, (new, _) in changed.items())
        rows.append((what, mean_and_spread(list(values.values())), str(len(values)), _effect(found.get(setting))))
    return table(("changed", "validation accuracy", "seeds", "points, and their interval"), rows)


def _effect(difference: Difference | None) -> str:
    if difference is None:
        return NOTHING
    interval = worth_showing(difference, difference.adjusted_interval)
    if interval is None:
        return signed(difference.mean)
    effect = f"{signed(difference.mean)} ({signed(interval.low)} to {signed(interval.high)})"
    return f"**{effect}**" if difference.decided else effect


def _ends_with(search: Study) -> str:
    found = effects(search)
    if not found:
        return ""
    decided = sum(one.decided for one in found.values())
    ahead = max(one.mean for one in found.values())
    return (
        f"Of {many(len(found), 'comparison')}, corrected together, {number(decided)} {'is' if decided == 1 else 'are'} "
        "more than chance explains (bold). "
        + (f"The change that is furthest ahead of the recipe is so by {points(ahead)} on average." if ahead > 0 else
           "No change is ahead of the recipe on average.")
    )
