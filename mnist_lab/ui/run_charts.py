"""The charts of one run, each with its sentence."""

from __future__ import annotations

import streamlit as st

from mnist_lab.ui import charts, takeaways
from mnist_lab.ui.live_chart import live_chart
from mnist_lab.ui.run_find import FoundRun

TEST_IMAGES = 10_000


def draw_charts(run: FoundRun) -> None:
    """Draw every chart of a run as far as it has come, at the same places at every call."""
    progress, epochs = run.progress, run.config.epochs
    history, points = progress.history, progress.points
    data = progress.started.data if progress.started else {}
    eval_name = data.get("eval_name", "test")
    left, right = st.columns(2)
    with left:
        _chart(
            "Loss", "loss", takeaways.takeaway_loss(history),
            charts.loss_chart(history, points, epochs=epochs, penalty=run.config.l1 > 0, eval_name=eval_name),
            "The loss appears here after the first steps.",
        )
    with right:
        _chart(
            "Accuracy", "accuracy",
            takeaways.takeaway_accuracy(history, eval_images=data.get("eval_images", TEST_IMAGES)),
            charts.accuracy_chart(
                history, epochs=epochs, label_noise=run.config.label_noise > 0, eval_name=eval_name
            ),
            "The accuracy appears here after the first epoch.",
        )
    _small_charts(history, points, epochs)


def _small_charts(history, points, epochs: int) -> None:
    first, second, third = st.columns(3)
    with first:
        _chart(
            "Learning rate", "learning_rate", takeaways.takeaway_learning_rate(history, points),
            charts.learning_rate_chart(history, points, epochs=epochs),
            "The learning rate appears here after the first steps.",
        )
    with second:
        _chart(
            "Size of the weights", "weight_norm", takeaways.takeaway_weights(history),
            charts.weight_norm_chart(history, epochs=epochs), "Appears after the first epoch.",
        )
    with third:
        _chart(
            "Weights near zero", "small_weights", "",
            charts.small_weights_chart(history, epochs=epochs), "Appears after the first epoch.",
        )


def _chart(heading: str, key: str, takeaway: str, chart: charts.Chart | None, placeholder: str) -> None:
    st.markdown(f"**{heading}**")
    live_chart(chart, key, placeholder)
    st.caption(takeaway)
