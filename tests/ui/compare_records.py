"""Runs and studies made by hand for the Compare page."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from mistakes_records import CONFIG, make_run
from studies import SOURCES, make_study

from mnist_lab.runs.record import HISTORY, RUN
from mnist_lab.runs.study import save_study
from mnist_lab.studies import ARMS, SMALL

LABELS = np.arange(200) % 10
MEANS = dict.fromkeys(SOURCES, 99.3) | {"b-gbn": 99.6, "b-l1-bn": 99.1}


def trained(root: Path, id: str, wrong: int, *, seed: int = 0, status: str = "finished", **options):
    """A run that read the first `wrong` of 200 images wrong; `options` go to `make_run`, `config` changes CONFIG."""
    config = CONFIG.replace(seed=seed, **options.pop("config", {}))
    errors = {index: int(9 - LABELS[index]) for index in range(wrong)}
    record = make_run(root, id, LABELS, errors, config=config, **options)
    path = root / id / RUN
    values = json.loads(path.read_text())
    values["status"] = status
    values["summary"] |= {"test_accuracy": 100 - wrong / 2, "train_accuracy": 98.0, "test_loss": 0.1}
    values["timings"] |= {"seconds": 1.25 + seed}
    path.write_text(json.dumps(values))
    line = json.loads((root / id / HISTORY).read_text()) | {"eval_accuracy": 100 - wrong / 2}
    (root / id / HISTORY).write_text(json.dumps(line) + "\n")
    return record


def with_studies(pretrained: Path, small: bool = True) -> None:
    """The study "sources", in which b-gbn is better and b-l1-bn worse than the rest, and a small "small-data"."""
    save_study(make_study(MEANS), pretrained / "study")
    if small:
        arms = {name: ARMS[name] for name in ("bn", "l1-1e-3", "gbn-4")}
        settings = {
            f"{images}-30-{name}": SMALL.replace(train_images=images, label_noise=0.3, **changes)
            for images in (300, 1_000) for name, changes in arms.items()
        }
        means = {name: 88.0 if "l1" in name else 80.0 for name in settings}
        save_study(make_study(means, settings=settings, name="small-data"), pretrained / "study")

