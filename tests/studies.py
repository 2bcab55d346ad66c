"""Studies made up for tests: `from studies import make_study`. Tests are no package, as with strategies.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mnist_lab.config import RunConfig
from mnist_lab.presets import PRESETS
from mnist_lab.runs.record import RunSummary
from mnist_lab.runs.study import MEASURES, Study, StudyRun

SOURCES = [name for name in PRESETS if name.startswith(("a-", "b-"))]
LABELS = (np.arange(10_000) % 10).astype(np.uint8)


def make_run(setting: str, seed: int, config: RunConfig, test: Sequence[float], train: Sequence[float]) -> StudyRun:
    """A run with these accuracies (per cent) in its last epochs; the epochs before get the first of them."""
    epochs = config.epochs
    curves = {
        name: np.pad(np.asarray(values, np.float32), (epochs - len(values), 0), mode="edge")
        for name, values in (("eval_accuracy", test), ("train_accuracy", train))
    }
    digits = LABELS.copy()
    wrong = round((100 - test[-1]) * len(LABELS) / 100)
    digits[seed : seed + wrong] = 9 - digits[seed : seed + wrong]
    return StudyRun(
        setting=setting, seed=seed, config=config.replace(seed=seed), digits=digits,
        made_on={"device": "cpu", "threads": 1, "torch": "2.15.0"},
        history={name: curves.get(name, np.zeros(epochs, np.float32)) for name in MEASURES},
        summary={
            "parameters": 9_920, "trainable_parameters": 9_920, "epochs": epochs, "seconds": 100.0 + seed,
            "test_accuracy": 100 * float(np.mean(digits == LABELS)), "best_test_accuracy": float(max(test)),
            "train_accuracy": float(train[-1]),
        },
    )


def make_study(
    means: Mapping[str, float], seeds: int = 5, spread: float = 0.03, train: Mapping[str, float] | None = None,
    settings: Mapping[str, RunConfig] | None = None, name: str = "sources", rng_seed: int = 0,
    shape: Callable[[str, np.ndarray], np.ndarray] = lambda setting, wobble: wobble,
) -> Study:
    """A study whose settings have these true test accuracies; runs differ by `spread`, and seeds have luck in common.

    `shape` may change what is added to the last ten epochs of a setting (float [10]).
    """
    rng = np.random.default_rng(rng_seed)
    luck = rng.normal(0, 0.1, seeds)
    settings = settings or {setting: PRESETS[setting].config for setting in means}
    runs = [
        make_run(
            setting, seed, settings[setting],
            mean + luck[seed] + rng.normal(0, spread) + shape(setting, rng.normal(0, 0.02, 10)),
            np.full(10, (train or {}).get(setting, 98.0) + rng.normal(0, spread)),
        )
        for setting, mean in means.items() for seed in range(seeds)
    ]
    return Study(
        name=name, title=f"The study {name}", command=f"python -m mnist_lab study {name}", planned=5, runs=runs,
        data={"source": "folder", "checksum": "x", "test_images": 10_000}, labels=LABELS,
    )


def make_summary(name: str, accuracy: float, folder) -> RunSummary:
    """The record of a shipped run."""
    return RunSummary(
        id=name, folder=folder / name, name=name, config=PRESETS[name].config, preset=name, status="finished",
        versions={"torch": "2.15.0"}, timings={"started": "2026-01-01T00:00:00+00:00", "ended": None, "seconds": 9.0},
        data={}, summary={"test_accuracy": accuracy},
    )


