"""What is left of a run that ended: its result, the table, the weights, downloads and what to do next."""

from __future__ import annotations

import json

import streamlit as st

from mnist_lab.config import RunConfig
from mnist_lab.runs.onnx_export import missing_packages, to_onnx
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import LOGITS, WEIGHTS, RunError, RunRecord
from mnist_lab.ui import charts, microscope_state, mistakes_state, run_text, state
from mnist_lab.ui.live_chart import live_chart
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.run_find import FoundRun

TABLE_EPOCHS = 5  # as in the tables of both sources
MAX_SEED = 2**31 - 1


def render_result(run: FoundRun) -> None:
    """The headline of a run that ended, or why there is none."""
    if run.state == "failed" and run.progress.last is not None:
        st.error(plain(run.progress.last.message))
        if run.progress.last.traceback:
            with st.expander("Technical details, for whoever mends it"):
                st.code(run.progress.last.traceback, language=None)
    if run.progress.history:
        _metrics(run)
        if best := run_text.best_text(run.progress.history):
            st.caption(best)


def _metrics(run: FoundRun) -> None:
    last, record = run.progress.history[-1], run.record
    summary = record.summary if record else {}
    with st.container(horizontal=True, gap="large"):
        if last["eval_name"] == "test":
            # A run stopped after an epoch without a test was tested once more when it ended.
            seen = summary.get("test_accuracy") if last["eval_accuracy"] is None else last["eval_accuracy"]
            st.metric("Test accuracy, last epoch", run_text.percent(seen), width="content")
        else:
            st.metric("Test accuracy", run_text.percent(summary.get("test_accuracy")), width="content")
            st.metric("Validation accuracy, last epoch", run_text.percent(last["eval_accuracy"]), width="content")
        st.metric("Train accuracy, last epoch", run_text.percent(last["train_accuracy"]), width="content")
        if run.progress.started:
            st.metric("Parameters", f"{run.progress.started.parameters:,}", width="content")
        st.metric("Time", run_text.duration((record and record.timings["seconds"]) or last["seconds"]), width="content")


def render_actions(run: FoundRun, queue: RunQueue, owner_hash: str | None) -> None:
    """What comes below the charts of a run that ended."""
    if run.progress.history:
        table, weights = st.columns(2)
        with table:
            _table(run)
        with weights:
            _histogram(run)
    if run.state == "interrupted":
        _resume(run, queue, owner_hash)
    _next(run)
    if run.record:
        _downloads(run.record)


def _table(run: FoundRun) -> None:
    lines = run.progress.history[-TABLE_EPOCHS:]
    name = lines[-1]["eval_name"].capitalize()
    st.markdown(f"**Last {len(lines)} epochs**" if len(lines) > 1 else "**The one epoch**")
    st.table(
        [
            {
                "Epoch": str(line["epoch"]),
                "Train loss": f"{line['train_loss']:.4f}", "Train accuracy": run_text.percent(line["train_accuracy"]),
                f"{name} loss": "–" if line["eval_loss"] is None else f"{line['eval_loss']:.4f}",
                f"{name} accuracy": run_text.percent(line["eval_accuracy"]),
            }
            for line in lines
        ],
        border="horizontal", hide_index=True,
    )


def _histogram(run: FoundRun) -> None:
    last = run.progress.history[-1]
    st.markdown("**Weights after the last epoch**")
    if last["histograms"]:
        layer = st.selectbox("Layer", list(last["histograms"]), key="run_layer")
        live_chart(charts.weight_histogram_chart(last, layer), "weight_histogram", "This layer has no weights.")
        st.caption("Each bar counts the layer's weights of about that size. A pull towards zero narrows the heap.")


def _resume(run: FoundRun, queue: RunQueue, owner_hash: str | None) -> None:
    mine = queue.may_change(run.id, owner_hash)
    reason = None if mine else "Only the browser that started this run can resume it."
    if st.button("Resume", key="run_resume", type="primary", disabled=not mine, help=reason):
        try:
            queue.submit(resume_id=run.id)
        except RunError as error:
            st.error(plain(str(error)))
        else:
            state.rerun()


def _next(run: FoundRun) -> None:
    again = run.config.replace(seed=(run.config.seed + 1) % (MAX_SEED + 1))
    seed = "another seed" if "seed" in state.locks() else f"seed {again.seed}"  # a class gives it out
    with st.container(horizontal=True):
        st.button(
            "Run again with another seed", key="run_again", on_click=_start, args=(again,),
            help=f"The same settings with {seed}: how much of the result is chance?",
        )
        st.button(
            "Use these settings", key="run_settings", on_click=state.set_config, args=(run.config,),
            help="Puts the settings of this run into the controls, to change them and start again.",
        )
        if run.record and (run.record.folder / LOGITS).exists():
            mistakes_state.url.link("See its mistakes", mistakes_state.RUN, run.id)
        if run.progress.history:
            microscope_state.url.link("Look inside", microscope_state.RUN, run.id)


def _start(config: RunConfig) -> None:
    try:
        state.start_run(config)
    except RunError as error:
        state.notify(str(error))


def _downloads(record: RunRecord) -> None:
    st.markdown("**Downloads**")
    with st.container(horizontal=True):
        st.download_button(
            "History (CSV)", record.history_csv, f"{record.id}.csv", "text/csv", on_click="ignore", key="get_history",
            disabled=not record.history,
        )
        st.download_button(
            "Settings and summary (JSON)", lambda: json.dumps(record.public_dict(), indent=2) + "\n",
            f"{record.id}.json", "application/json", on_click="ignore", key="get_config",
        )
        # The two below are made from files: the page is drawn again, and says so if the run was deleted meanwhile.
        has_weights = (record.folder / WEIGHTS).exists()
        st.download_button(
            "Weights (safetensors)", (record.folder / WEIGHTS).read_bytes, f"{record.id}.safetensors",
            on_click="rerun", key="get_weights", disabled=not has_weights,
        )
        missing = missing_packages()
        st.download_button(
            "Network (ONNX)", lambda: to_onnx(record), f"{record.id}.onnx", on_click="rerun", key="get_onnx",
            disabled=bool(missing) or not has_weights,
            help="The trained network for other programs. Making the file takes some seconds.",
        )
    if missing:
        st.caption(f"The ONNX file needs more on the server: `pip install {' '.join(missing)}`.")
