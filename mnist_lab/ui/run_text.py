"""What is said about a run, in words. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.config_forms import AUGMENTATION, differences, short_value, title
from mnist_lab.events import Started
from mnist_lab.presets import DEFAULT_PRESET, PRESETS
from mnist_lab.ui.chart_data import tested
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.run_model import Progress

# Color names are those of Streamlit's badges.
STATES = {
    "queued": ("Waiting", "gray"),
    "running": ("Running", "blue"),
    "finished": ("Finished", "green"),
    "stopped": ("Stopped", "orange"),
    "failed": ("Failed", "red"),
    "interrupted": ("Interrupted", "orange"),
}

# The knobs that `config_forms.title` speaks of.
TITLED = (
    "network", "norm", "num_splits", "freeze_gamma", "l1", "l1_kind", "weight_decay", "dropout", "train_images",
    "label_noise", *AUGMENTATION, "interpolation",
)


def duration(seconds: float) -> str:
    """A time span in words: "8 s", "1 min 20 s", "2 h 5 min"."""
    whole = max(round(seconds), 0)
    minutes, hours = whole // 60, whole // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def percent(value: float | None) -> str:
    """An accuracy (per cent) with two decimals; a dash when there is none."""
    return "–" if value is None else f"{value:.2f} %"


def waiting_text(position: int) -> str:
    """What a run in line waits for; `position` is 1 for the next to start."""
    if position <= 1:
        return "Next in line: it starts when a run before it has ended."
    return f"Number {position} in line: it starts when {position} runs before it have ended."


def status_text(progress: Progress, config: RunConfig) -> str:
    """Where a run that has been started is: what it prepares, or epoch, step, speed and time left."""
    if progress.started is None:
        return progress.preparing.message + "." if progress.preparing else "Starting."
    epochs = progress.started.epochs
    epoch = min(len(progress.history) + 1, epochs)
    where = f"Epoch {epoch} of {epochs}"
    step = progress.step
    if step is None:
        return f"{where} · first steps"
    number = step.step if step.epoch == epoch else 0
    return (
        f"{where} · step {number:,} of {progress.started.steps_per_epoch:,} · "
        f"{step.images_per_second:,.0f} images per second · about {duration(step.seconds_left)} left"
    )


def ended_text(state: str, progress: Progress, epochs: int) -> str:
    """How a run ended and what is kept of it; `epochs` is how many were planned."""
    done = len(progress.history)
    where = f"After epoch {done} of {epochs}." if done else "Before its first epoch ended."
    if state == "finished":
        return f"All {epochs} epochs are done." if epochs > 1 else "Its one epoch is done."
    if state == "interrupted":
        return f"{where} The lab was closed or the computer switched off. The run can " + (
            "go on from there." if done else "be started again."
        )
    if state == "failed":
        return where + (" The history up to there is kept." if done else "")
    if done:
        return f"{where} The weights and the history up to there are kept."
    return f"{where} {'Only its settings are' if progress.started else 'Nothing of it is'} kept."


def network_text(started: Started, config: RunConfig) -> str:
    """The network's size and what it is trained on and with."""
    trainable = ""
    if started.trainable_parameters != started.parameters:
        trainable = f" ({started.trainable_parameters:,} of them trained, the others frozen)"
    threads = f" with {started.threads} thread{'s' * (started.threads != 1)}" if started.device == "cpu" else ""
    device = {"cpu": "the processor (CPU)", "cuda": "the GPU (CUDA)", "mps": "the GPU (Apple)"}
    where = device.get(started.device.split(":")[0], started.device)
    return (
        f"Network {config.network.upper()}: {started.parameters:,} parameters{trainable} · "
        f"on {where}{threads}, in {started.precision}"
    )


def data_text(data: Mapping[str, Any], config: RunConfig) -> str:
    """Where the images come from, how many there are, and which of them the run is judged on."""
    source = {
        "folder": "MNIST",
        "download": "MNIST",
        "sample": "the bundled sample of MNIST",
    }.get(data.get("source"), plain(str(data.get("source"))))
    changed = data.get("changed_labels")
    wrong = f", {changed:,} of them with a wrong label on purpose" if changed else ""
    tests = f"{data.get('test_images', 0):,} test images"
    judged = f"{_tested_text(config)} tested on {tests}"
    if data.get("eval_name") == "validation":
        judged = (
            f"{_tested_text(config)} tested on images held out for that (validation); the {tests} are used once, at "
            "the end"
        )
    return f"{data.get('train_images', 0):,} training images of {source}{wrong} · {judged}"


def _tested_text(config: RunConfig) -> str:
    """Which epochs a test follows, with the verb: "every 3rd epoch and the last are"."""
    every = config.eval_every
    if 1 in (every, config.epochs):
        return "each epoch is"
    if every >= config.epochs:
        return "the last epoch is"
    ending = "th" if every // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(every % 10, "th")
    return f"every {every}{ending} epoch and the last are"


def sample_warning(data: Mapping[str, Any]) -> str | None:
    """The banner of a run on the bundled sample; None for one on MNIST itself."""
    if data.get("source") != "sample":
        return None
    return (
        "This run uses the small sample that comes with the lab (4,000 training and 1,000 test images), because the "
        "whole of MNIST was not there. Figures on it are not comparable with runs on MNIST."
    )


def settings_text(config: RunConfig, preset: str | None) -> str:
    """The settings of a run: its preset or a short description, and what else differs from that preset or "fast"."""
    known = PRESETS.get(preset or "")
    base, said = (known, ()) if known else (PRESETS[DEFAULT_PRESET], TITLED)
    changed = " · ".join(
        f"{KNOBS[name].label}: {short_value(name, new)}"
        for name, (_, new) in differences(base.config, config).items()
        if name not in said and config.matters(name)  # a knob may matter in the preset alone
    )
    if known:
        return f'Preset "{known.title}"' + (f" with {changed}" if changed else "")
    short = base.title.partition(":")[0]
    return title(config) + (f' · unlike "{short}": {changed}' if changed else "")


def best_text(history: tuple[Mapping[str, Any], ...]) -> str | None:
    """The best epoch, with the warning that belongs to it; None before the first test."""
    seen = tested(history)
    if not seen:
        return None
    best, last = max(seen, key=lambda line: line["eval_accuracy"]), seen[-1]
    name = last["eval_name"]
    if best["eval_accuracy"] == last["eval_accuracy"]:
        return f"The last epoch was also the best on the {name} set."
    return (
        f"Best epoch: {percent(best['eval_accuracy'])} after epoch {best['epoch']}, chosen on the {name} set. Picking "
        "the best of many epochs makes a result look better than it is, so the last epoch is what counts."
    )


def when_text(started: str) -> str:
    """A start time (ISO 8601, UTC) as the server's own date and time."""
    return f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M}"
