"""Ghost batches: one batch, frozen, cut into more and more of them; and one digit among changing batch mates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from mnist_lab.runs.library import Library
from mnist_lab.ui import microscope_charts as charts
from mnist_lab.ui import microscope_data as data
from mnist_lab.ui import microscope_text as text
from mnist_lab.ui.microscope_charts import Curves, Points
from mnist_lab.ui.microscope_data import BatchMates
from mnist_lab.ui.microscope_show import checksum, network, show_chart
from mnist_lab.ui.microscope_state import BATCH, DIGIT, NORM, SPLITS, url
from mnist_lab.ui.run_find import FoundRun

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mnist_lab.trainer import Batch

MOST_SPLITS = 32
MEANS = Points(
    x_title="Channel", y_title="Mean", series=charts.STATISTICS,
    description="Points: the mean of every channel, of each ghost batch and as kept from training.",
)
VARIANCES = replace(
    MEANS, y_title="Variance",
    description="Points: the variance of every channel, of each ghost batch and as kept from training.",
)
LOGITS = Points(
    x_title="Digit", y_title="Logit", series=charts.MODES, side_by_side=True, height=280,
    description="Points: one image's logit for each digit, among several sets of batch mates, in both modes.",
)
SCATTER = Curves(
    x_title="Ghost batches (log scale)", y_title="Scatter (std. dev.)", x_format="d", log_x=True,
    x_domain=(1, MOST_SPLITS), x_values=data.SPLITS,
    description="Line chart: how far the ghost batches' means scatter, in standard deviations, by their number.",
)
SCATTER_HELP = (
    "How far a ghost batch's mean typically lies from the mean of the whole batch, over all channels of the layer, "
    "in standard deviations. Means of fewer images scatter more: of half as many, about 1.4 times as much. The dotted "
    "line is where the slider is."
)
HELP = (
    "In training a norm takes its mean and variance from the batch at hand; ghost batch norm from each part of it by "
    "itself. What it keeps is a running average, and evaluation uses that."
)
MATES_HELP = (
    "The same image, with the same weights, in the same place of a batch whose other images change. Dropout is off, so "
    "that nothing but the norms makes a difference."
)


def render_ghosts(run: FoundRun, library: Library) -> None:
    """Draw this part of the page."""
    from mnist_lab.microscope_ghosts import norm_names

    source = data.whose(checksum(run))
    with st.spinner("Getting the batches ready …"):
        module = network(run, library)
        names = norm_names(module)
        found = data.batches(run.config, source) if names else []
    if not names:
        st.info(
            "This run has no batch norm: no image can tell which others are in its batch, in training or in "
            "evaluation. Look at a run with batch norm or ghost batch norm."
        )
        return
    number, splits, name = _controls(run, names, found)
    _statistics(run, module, source, number, splits, name)
    _mates(run, module, source, number, splits, found[number])
    if text.SOURCES[source]:
        st.caption(text.SOURCES[source])


def _controls(run: FoundRun, names: list[str], batches: list[Batch]) -> tuple[int, int, str]:
    """The number of the batch, from 0, of the splits, and the norm layer."""
    own = run.config.num_splits if run.config.norm == "ghost" else 1
    splits = url.number(SPLITS, 1, MOST_SPLITS, own)
    number = url.number(BATCH, 1, len(batches), 1)
    name = url.one_of(NORM, names, names[0])
    left, middle, right = st.columns(3)
    with left:
        url.slide(
            "Ghost batches", SPLITS, 1, MOST_SPLITS, splits,
            help=f"Into how many parts the batch is cut; 1 is plain batch norm. This run was trained with {own}.",
        )
    with middle:
        url.slide("Batch", BATCH, 1, len(batches), number, help="The first batches that the run was trained on.")
    with right:
        url.choose("Norm layer", NORM, names, name)
    return number - 1, splits, name


def _statistics(run: FoundRun, module: nn.Module, source: str, number: int, splits: int, name: str) -> None:
    with st.spinner("Cutting the batch …"):
        found = data.ghosts(module, run.config, source, number, splits, name)
    left, right = st.columns(2)
    for place, look, each, kept, says in (
        (left, MEANS, found.means, found.running_mean, text.means_text(found)),
        (right, VARIANCES, found.variances, found.running_var, text.variances_text(found)),
    ):
        with place:
            chart = charts.points_chart(look, _rows(each, kept))
            show_chart(f"{look.y_title} of each channel", HELP, f"ghosts_{look.y_title.lower()}", chart, says)
    with st.spinner("Cutting it into fewer and more …"):
        curve = [(count, data.ghosts(module, run.config, source, number, count, name).scatter) for count in data.SPLITS]
    chart = charts.curves_chart(SCATTER, curve, mark=splits)
    images = len(data.batches(run.config, source)[number].labels)
    says = text.ghosts_text(found, splits, images)
    show_chart("How far the means scatter", SCATTER_HELP, "scatter", chart, says)


def _mates(run: FoundRun, module: nn.Module, source: str, number: int, splits: int, batch: Batch) -> None:
    from mnist_lab.ui.pictures import digit_uri

    st.markdown("**One digit among its batch mates**", help=MATES_HELP)
    place = url.number(DIGIT, 1, len(batch.labels), 1) - 1
    label = int(batch.true_labels[place])
    left, right = st.columns([1, 3])
    with left:
        url.slide("Image of the batch", DIGIT, 1, len(batch.labels), place + 1)
        st.image(digit_uri(_picture(batch.images[place]), 5), width=140, alt=f"Image {place + 1}, a {label}")
        st.caption(f"Image {place + 1} of the batch, a {label}.")
    with right:
        with st.spinner("Changing its batch mates …"):
            found = data.mates(module, run.config, source, number, splits, place)
        show_chart(
            "Its ten logits", MATES_HELP, "mates", charts.points_chart(LOGITS, _logit_rows(found)),
            text.mates_text(found, label),
        )


def _picture(image: Tensor):
    """A normalised image [1, 28, 28] as uint8 [28, 28]."""
    from mnist_lab.data.augment import MEAN, STD

    return ((image[0] * STD + MEAN).clamp(0, 1) * 255).round().byte().numpy()


def _rows(each: Tensor, kept: Tensor) -> list[tuple[int, str, float, str]]:
    rows = [
        (channel, charts.GHOST, value, f"Ghost batch {ghost + 1}, channel {channel}: {value:.3g}")
        for ghost, values in enumerate(each.tolist()) for channel, value in enumerate(values)
    ]
    return rows + [
        (channel, charts.RUNNING, value, f"Kept from training, channel {channel}: {value:.3g}")
        for channel, value in enumerate(kept.tolist())
    ]


def _logit_rows(found: BatchMates) -> list[tuple[int, str, float, str]]:
    return [
        (digit, series, value, f"{series}, batch mates {number + 1}, digit {digit}: {value:.2f}")
        for series, logits in ((charts.TRAINING, found.training), (charts.EVALUATION, found.evaluation))
        for number, values in enumerate(logits.tolist()) for digit, value in enumerate(values)
    ]
