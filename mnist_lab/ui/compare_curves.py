"""Curves and tables of the chosen variants: the first part of the Compare page, as blocks. No Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from mnist_lab.published import rows_of
from mnist_lab.ui.chart_data import LOSS_FLOOR, finite
from mnist_lab.ui.compare_blocks import CAPTION, NOTICE, Block, Heading, Picture, Text
from mnist_lab.ui.compare_charts import curves_chart
from mnist_lab.ui.compare_data import Variant, names
from mnist_lab.ui.compare_tables import last_five_table, summary_table
from mnist_lab.verdict_text import many

Series = dict[int, dict[int, float]]
"""epoch -> seed -> value"""


@dataclass(frozen=True)
class Measure:
    """A number of the history, as it is drawn.

    `within` is what it is called within a sentence, `unit` is "" for a number without one, `scale` is a factor,
    `ends` are the words for the two ends. `chance` says whether the seed or the computer has a part in it.
    """

    name: str
    within: str
    unit: str = ""
    number: str = ".3~g"
    scale: float = 1
    log: bool = False
    ends: tuple[str, str] = ("highest", "lowest")
    chance: bool = True

    @property
    def axis(self) -> str:
        more = [self.unit] * bool(self.unit) + ["log scale"] * self.log
        return f"{self.name} ({', '.join(more)})" if more else self.name


NORM = "L2"  # which norm it is: it says so on the axis, but is no unit
MEASURES = {
    "eval_accuracy": Measure("Test accuracy", "test accuracy", "%", ".2f"),
    "eval_loss": Measure("Test loss", "test loss", "nats", log=True),
    "train_accuracy": Measure("Train accuracy", "train accuracy", "%", ".2f"),
    "train_accuracy_true": Measure(
        "Train accuracy against the true labels", "train accuracy against the true labels", "%", ".2f",
    ),
    "train_loss": Measure("Train loss", "train loss", "nats", log=True),
    "penalty": Measure("L1 penalty", "L1 penalty", "nats"),
    "learning_rate": Measure("Learning rate", "learning rate", chance=False),
    "weight_norm": Measure("Weight norm", "weight norm", NORM),
    "small_weights": Measure(
        "Weights below 0.001 in size", "share of weights below 0.001 in size", "%", ".1f", 100,
    ),
    "zero_weights": Measure("Weights that are exactly 0", "share of weights that are exactly 0", "%", ".1f", 100),
    "images_per_second": Measure("Training speed", "training speed", "images per second", ",.0f"),
    "seconds": Measure(
        "Time since the start", "time since the start", "seconds", ",.0f", ends=("longest", "shortest"),
    ),
}
# Which of a source's four figures an epoch a measure is.
PRINTED = {"train_loss": 0, "train_accuracy": 1, "eval_loss": 2, "eval_accuracy": 3}


def curves_part(chosen: Sequence[Variant], measure: str, published: bool) -> list[Block]:
    """The overlaid curves and both tables. Raises `RunError` when a history cannot be read."""
    called = names(chosen)
    blocks: list[Block] = [Heading("Curves")]
    blocks += _curves(chosen, called, measure, published)
    blocks += [Heading("Summary"), *summary_table(chosen, called, published)]
    blocks += [Heading("The last five epochs"), *last_five_table(chosen, called, published)]
    return blocks


def _curves(chosen: Sequence[Variant], called: Sequence[str], measure: str, published: bool) -> list[Block]:
    look = MEASURES[measure]
    series = [series_of(variant, measure) for variant in chosen]
    if not any(series):
        return [Text(f"None of them has a value of the {look.within}.", NOTICE)]
    means, band, dots = [], [], []
    for name, one in zip(called, series, strict=True):
        for epoch, values in one.items():
            means.append({"epoch": epoch, "series": name, "value": fmean(values.values())})
            if len(values) > 1:
                low, high = min(values.values()), max(values.values())
                band.append({"epoch": epoch, "series": name, "low": low, "high": high})
            dots += [{"epoch": epoch, "series": name, "seed": seed, "value": value} for seed, value in values.items()]
    crosses = [
        {"series": name, **row}
        for name, variant in zip(called, chosen, strict=True) if published for row in _published(variant, measure)
    ]
    chart = curves_chart(
        called, means, band, dots, crosses, y_title=look.axis, number=look.number, log=look.log,
        epochs=max(variant.config.epochs for variant in chosen),
    )
    said = curves_takeaway(called, series, look)
    return [Picture(chart, "compare_curves", said), *_reading(chosen, called, measure, band, crosses, published)]


def _reading(
    chosen: Sequence[Variant], called: Sequence[str], measure: str, band: list, crosses: list, published: bool
) -> list[Block]:
    """How to read the chart, and what is not alike in it."""
    parts = ["A line is the mean of a variant's seeds, a dot one seed; the band goes from the lowest seed to the "
             "highest." if band else "Each has one seed, so each line is one run."]
    if crosses:
        parts.append("Crosses are what the sources published, from one run each"
                     + (": the mean of the last five epochs where they printed no more."
                        if any(row["row"].endswith("mean") for row in crosses) else "."))
    elif published:
        parts.append("The sources published no figures for this measure of these variants.")
    held_out = [name for name, variant in zip(called, chosen, strict=True) if variant.eval_name != "test"]
    if held_out and measure.startswith("eval_"):
        parts.append(f"For {', '.join(held_out)} the test during training is on validation images, not on test images.")
    if len({variant.data.get("checksum") for variant in chosen}) > 1:
        parts.append("Not all of them were tested on the same images, so their test figures are not comparable.")
    return [Text(" ".join(parts), CAPTION)]


def series_of(variant: Variant, measure: str) -> Series:
    """The measure after every epoch that has one, by seed, in the unit it is drawn in. Raises `RunError`."""
    look, found = MEASURES[measure], {}
    for member in variant.members:
        for epoch, value in enumerate(member.history()[measure].tolist(), start=1):
            shown = finite(value, scale=look.scale, floor=LOSS_FLOOR if look.log else None)
            if shown is not None:
                found.setdefault(epoch, {})[member.seed] = shown
    return dict(sorted(found.items()))


def curves_takeaway(called: Sequence[str], series: Sequence[Series], look: Measure) -> str:
    """Who ends highest and lowest, and how far seeds of one variant lie apart there."""
    ends = {
        name: (max(one), list(one[max(one)].values())) for name, one in zip(called, series, strict=True) if one
    }
    means = {name: fmean(values) for name, (_, values) in ends.items()}
    top, bottom = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    high, low = (_said(means[name], look) for name in (top, bottom))
    if high == low:
        return f"At the end the {look.within} is {high} for {'all of them' if len(means) > 1 else top}."
    most, least = look.ends
    text = f"At the end {top} has the {most} {look.within}, {high}, and {bottom} the {least}, {low}"
    if not look.chance:
        return f"{text}."
    apart = {name: max(values) - min(values) for name, (_, values) in ends.items() if len(values) > 1}
    if not apart:
        return f"{text}. With one seed each, that may be luck."
    widest = max(apart, key=apart.__getitem__)
    if not apart[widest]:
        return f"{text}.{' Seeds of one variant do not differ in it.' * (len(apart) == len(means))}"
    return (
        f"{text}; but seeds of one variant alone lie up to {_said(apart[widest], look, 'points')} apart ({widest}, "
        f"{many(len(ends[widest][1]), 'seed')})."
    )


def _said(value: float, look: Measure, per_cent: str = "%") -> str:
    """A value with its unit; a difference of percentages is in points."""
    unit = per_cent if look.unit == "%" else "" if look.unit == NORM else look.unit
    return f"{_figure(value, look)} {unit}".rstrip()


def _figure(value: float, look: Measure) -> str:
    if look.unit == "%":
        # The share of a few weights is not said as 0.00, which would be none.
        return f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"
    if value >= 1_000:
        return f"{value:,.0f}"
    if look.number.startswith(","):
        return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
    return f"{value:.3g}".replace("e-0", "e-")


def _published(variant: Variant, measure: str) -> list[dict]:
    """A source's figures for a variant: of its last five epochs, or their mean at the last of them."""
    place, rows = PRINTED.get(measure), []
    if variant.preset is None or place is None:
        return rows
    for name, row in rows_of(variant.preset).items():
        first = variant.config.epochs - len(row.last_five) + 1
        rows += [{"epoch": first + at, "value": line[place], "row": name} for at, line in enumerate(row.last_five)]
        if not row.last_five and measure == "eval_accuracy":
            rows.append({"epoch": variant.config.epochs, "value": row.mean_of_last_five, "row": f"{name}, mean"})
    return rows
