"""The charts of one run, each under a heading and over a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import streamlit as st

from mnist_lab.config import RunConfig
from mnist_lab.ui import charts, takeaways
from mnist_lab.ui.charts import Chart
from mnist_lab.ui.live_chart import live_chart
from mnist_lab.ui.run_model import Progress

TEST_IMAGES = 10_000  # until the run has said how many it is tested on
SOON, AFTER_AN_EPOCH = "Appears after the first steps.", "Appears after the first epoch."
NO_EPOCH = "There is nothing to draw: no epoch has ended."
HELP = {
    "loss": (
        "How wrong the network is, averaged over the images: 0 when it is sure and right every time, 2.3 when it "
        "guesses. Training lowers the train loss; the test loss shows whether that helps on digits never trained on. "
        "The pale line is the train loss within an epoch. The L1 penalty, where there is one, is what the sum of the "
        "weights adds to what is lowered."
    ),
    "accuracy": (
        "The share of digits read correctly: of those trained on, and of those kept for the test. The grey area "
        "between the two is the generalization gap."
    ),
    "learning_rate": "How far each step moves the weights. The schedule changes it during the run.",
    "weight_norm": (
        "The weights are the numbers that the network learns. This is the size of all of them together: the root of "
        "the sum of their squares."
    ),
    "small_weights": (
        "The share of the convolution weights next to zero (below 0.001 in size) and at zero exactly. Such a weight "
        "does next to nothing. An L1 penalty makes them many."
    ),
}


@dataclass(frozen=True)
class _Charts:
    """What is drawn of a run at one moment: the charts, and the sentences under them."""

    loss: Chart | None
    accuracy: Chart | None
    learning_rate: Chart | None
    weight_norm: Chart | None
    small_weights: Chart | None
    says: dict[str, str]


def draw_charts(progress: Progress, config: RunConfig, live: bool = True) -> None:
    """Draw every chart of a run as far as it has come, at the same places at every call. `live`: more may come."""
    made = _make(progress, config)
    later = AFTER_AN_EPOCH if live else NO_EPOCH
    left, right = st.columns(2)
    with left:
        _chart("Loss", "loss", made.loss, SOON)
        st.caption(made.says["loss"])
    with right:
        _chart("Accuracy", "accuracy", made.accuracy, later)
        st.caption(made.says["accuracy"])
    left, right = st.columns([1, 2])
    with left:
        _chart("Learning rate", "learning_rate", made.learning_rate, SOON)
        st.caption(made.says["learning_rate"])
    with right:
        first, second = st.columns(2)
        with first:
            _chart("Size of the weights", "weight_norm", made.weight_norm, later)
        with second:
            _chart("Weights near zero", "small_weights", made.small_weights, later)
        st.caption(made.says["weights"])


def _chart(heading: str, key: str, chart: Chart | None, placeholder: str) -> None:
    st.markdown(f"**{heading}**", help=HELP[key])
    live_chart(chart, key, placeholder)


@lru_cache(maxsize=64)
def _make(progress: Progress, config: RunConfig) -> _Charts:
    """Made once for all browsers that look at the same moment of a run."""
    history, points, epochs = progress.history, progress.points, config.epochs
    data = progress.started.data if progress.started else {}
    common = {"epochs": epochs, "eval_name": data.get("eval_name", "test"), "eval_every": config.eval_every}
    return _Charts(
        loss=_columns(charts.loss_chart(history, points, penalty=config.l1 > 0, **common)),
        accuracy=_columns(charts.accuracy_chart(history, label_noise=config.label_noise > 0, **common)),
        learning_rate=_columns(charts.learning_rate_chart(history, points, epochs=epochs)),
        weight_norm=_columns(charts.weight_norm_chart(history, epochs=epochs)),
        small_weights=_columns(charts.small_weights_chart(history, epochs=epochs)),
        says=_say(progress, data.get("eval_images", TEST_IMAGES)),
    )


def _say(progress: Progress, eval_images: int) -> dict[str, str]:
    history = progress.history
    if not history:  # the placeholders say enough
        return dict.fromkeys(("loss", "accuracy", "learning_rate", "weights"), "")
    return {
        "loss": takeaways.takeaway_loss(history),
        "accuracy": takeaways.takeaway_accuracy(history, eval_images=eval_images),
        "learning_rate": takeaways.takeaway_learning_rate(history, progress.points),
        "weights": takeaways.takeaway_weights(history),
    }


def _columns(chart: Chart | None) -> Chart | None:
    """The same chart with its rows as Arrow tables, which cost Streamlit 0.1 ms a time instead of 3."""
    if chart is None:
        return None
    return Chart(chart.spec, {name: pa.Table.from_pylist(rows) for name, rows in chart.data.items()})
