"""What is measured of a study's runs, one number for each seed."""

from __future__ import annotations

import numpy as np

from mnist_lab.claims import Side
from mnist_lab.evaluation import DISPUTED
from mnist_lab.runs.study import Study, StudyRun

LAST = 5  # epochs


def measured(run: StudyRun, labels: np.ndarray, measure: str) -> float:
    """One number of a run, by its name in `claims.MEASURES`; NaN if it has too few epochs for it."""
    if measure == "test at the end":
        return 100 * float(np.mean(run.digits == labels))
    if measure == "disputed":
        errors = np.flatnonzero(run.digits != labels)
        return 100 * float(np.isin(errors, list(DISPUTED)).mean()) if len(errors) else float("nan")
    history = run.history["train_accuracy" if measure == "train" else "eval_accuracy"].astype(float)
    epochs = history[-2 * LAST : -LAST] if measure == "test before" else history[-LAST:]
    if len(epochs) < LAST:
        return float("nan")
    return float(epochs.std(ddof=1) if measure == "wobble" else epochs.mean())


def values_of(study: Study, side: Side) -> dict[int, float]:
    """The measure of every seed's run of a setting; empty when the study has none of it."""
    names = [side.setting]
    if side.knobs:
        names = [name for name in study.settings() if side.matches(study.config(name))][:1]
    return {run.seed: measured(run, study.labels, side.measure) for name in names for run in study.of(name)}
