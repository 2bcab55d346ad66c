"""The small-data study and the finer scan as tables: what regularization does where there is something to cure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from mnist_lab.config import ALL, RunConfig
from mnist_lab.config_forms import title
from mnist_lab.runs.study import Study, StudyRun
from mnist_lab.statistics import Difference, StatisticsError, holm_adjusted, paired
from mnist_lab.verdict_text import difference_verdict, many, signed

NOTHING = "–"
BASE = "BN"
"""What the other settings are compared with: batch norm alone."""
CHANCE = 10
"""Per cent that guessing among ten digits gets right."""
LEARNED = 2 * CHANCE
"""Per cent of its training images: a run that gets fewer right has not learned, whatever luck guessing has with few."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def mean_and_spread(values: Sequence[float], decimals: int = 2) -> str:
    """Mean ± standard deviation; the value alone for one, a dash for none."""
    if not values:
        return NOTHING
    spread = f" ± {stdev(values):.{decimals}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{decimals}f}{spread}"


def label(config: RunConfig) -> str:
    """A setting without its network, images and noise: "BN · L1 1e-3"."""
    return title(config.replace(train_images=ALL, label_noise=0.0)).partition(" · ")[2]


Cell = tuple[int | str, float]
"""How many training images, and which share of their labels is wrong."""


def cells(study: Study) -> dict[Cell, dict[str, dict[int, float]]]:
    """Test accuracy (per cent, last epoch) by images and noise, then setting, then seed; in the study's order."""
    found: dict[Cell, dict[str, dict[int, float]]] = {}
    for run in study.runs:
        place = found.setdefault((run.config.train_images, run.config.label_noise), {})
        right = 100 * float((run.digits == study.labels).mean())
        place.setdefault(label(run.config), {})[run.seed] = right
    return found


def differences(study: Study) -> dict[tuple[Cell, str], Difference]:
    """Every setting minus batch norm alone on the same images and noise, corrected (Holm) for all of them together.

    Those with fewer than two seeds in common with it are left out.
    """
    found = {}
    for cell, settings in cells(study).items():
        for name, values in settings.items():
            if name != BASE and BASE in settings:
                try:
                    found[cell, name] = paired(values, settings[BASE])
                except StatisticsError:
                    continue
    return dict(zip(found, holm_adjusted(list(found.values())), strict=True))


def small_data_section(small: Study | None, scan: Study | None) -> list[str]:
    """The section of the report; empty without the studies."""
    parts = []
    if small is not None and small.runs:
        parts += ["## Few images, wrong labels", _intro(small), _accuracies(small), near_chance(small), _gains(small)]
    if scan is not None and scan.runs:
        parts += ["## A finer scan", _scan(scan), near_chance(scan)]
    return [part for part in parts if part]


def no_regularizers(study: Study) -> set[str]:
    """The settings without a norm: batch norm alone with something taken away, not with a regularizer added."""
    return {label(run.config) for run in study.runs if run.config.norm == "none"}


def near_chance(study: Study) -> str:
    """How many runs of which settings ended as little more than guesses, and what that means; empty if none did."""
    runs: dict[str, list[StudyRun]] = {}
    for run in study.runs:
        runs.setdefault(label(run.config), []).append(run)
    lost = {name: [run for run in those if run.history["train_accuracy"][-1] < LEARNED] for name, those in runs.items()}
    found = [f"{len(lost[name])} of the {len(those)} runs of “{name}” {_fate(lost[name])}"
             for name, those in runs.items() if lost[name]]
    if not found:
        return ""
    return (
        f"{', and '.join(found)}: they got under {LEARNED} % of their training images right, and guessing gets "
        f"{CHANCE} %. A mean with such runs in it tells how often the network learned, more than how well."
    )


def _fate(runs: Sequence[StudyRun]) -> str:
    """Whether they had learned something before they ended like that; if not, with which learning rate."""
    if any(run.history["train_accuracy"].max() >= LEARNED for run in runs):
        return "ended near chance"
    rates = ", ".join(f"{rate:g}" for rate in sorted({run.config.learning_rate for run in runs}))
    return f"never got far from chance with a learning rate of {rates}"


def _intro(study: Study) -> str:
    counts = sorted({len(values) for settings in cells(study).values() for values in settings.values()})
    seeds = many(counts[-1], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    return (
        f"Test accuracy in per cent of {len(study.labels):,} test images after the last epoch, mean ± standard "
        f"deviation over {seeds}."
    )


def _columns(study: Study) -> list[str]:
    return list(dict.fromkeys(name for settings in cells(study).values() for name in settings))


def _place(cell: Cell) -> tuple[str, str]:
    images, noise = cell
    return (images if images == ALL else f"{images:,}", f"{100 * noise:g} %")


def _accuracies(study: Study) -> str:
    names = _columns(study)
    rows = [
        (*_place(cell), *(mean_and_spread(list(settings.get(name, {}).values()), 1) for name in names))
        for cell, settings in cells(study).items()
    ]
    return table(("images", "wrong labels", *names), rows)


def _gains(study: Study) -> str:
    found, others = differences(study), no_regularizers(study)
    regularizers = {key: one for key, one in found.items() if key[1] not in others}
    if not regularizers:
        return "Differences to batch norm alone: not yet measured, it takes at least two shared seeds."
    names = [name for name in _columns(study) if name != BASE]
    rows = [
        (*_place(cell), *(_gain(found.get((cell, name))) for name in names)) for cell in cells(study)
    ]
    (cell, name), most = max(regularizers.items(), key=lambda item: item[1].mean)
    images, noise = _place(cell)
    best = difference_verdict(most, name, f"{BASE} alone", len(study.labels))
    decided = [one for one in regularizers.values() if one.decided]
    helped = sum(one.mean > 0 for one in decided)
    left_out = "".join(f" Not counted: “{other}”, which is not a regularizer." for other in sorted(others))
    return "\n\n".join([
        f"Points more than batch norm alone with the same seeds; bold where the interval, corrected for all "
        f"{len(found)} comparisons, leaves out zero: {helped} gains and {len(decided) - helped} losses.{left_out}",
        table(("images", "wrong labels", *names), rows),
        f"The largest gain, with {images} images and {noise} wrong labels: {best}",
    ])


def _gain(difference: Difference | None) -> str:
    if difference is None:
        return NOTHING
    return f"**{signed(difference.mean)}**" if difference.decided else signed(difference.mean)


def _scan(study: Study) -> str:
    rows = [
        (f"{images} images, {noise}", name, mean_and_spread(list(values.values()), 1), str(len(values)))
        for cell, settings in cells(study).items() for images, noise in [_place(cell)]
        for name, values in settings.items()
    ]
    return table(("images and wrong labels", "setting", "test accuracy", "seeds"), rows)
