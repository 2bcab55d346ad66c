"""A study on disk: every run of many settings and seeds, compact enough to ship.

`<name>.json` says what was run, with each run's settings, summary and timings; `<name>.npz` holds the digits that
each run's last epoch read in the test images and its history. No images, no weights: those are in the run folders
that the study was collected from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_lab.config import ConfigError, RunConfig
from mnist_lab.config_forms import from_dict
from mnist_lab.events import Epoch
from mnist_lab.runs.library import STUDY, pretrained_root
from mnist_lab.runs.record import RunRecord
from mnist_lab.runs.writer import write_atomically

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 1
MEASURES = tuple(f.name for f in fields(Epoch) if f.name not in ("epoch", "eval_name", "histograms"))
SUMMARY = (
    "parameters", "trainable_parameters", "epochs", "seconds", "test_accuracy", "test_loss", "best_test_accuracy",
    "best_epoch", "train_accuracy",
)


class StudyError(Exception):
    """A study that is not there, or cannot be read. The message says what to do."""


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """One run of a study.

    `history` maps a measure (the numbers of `events.Epoch`, in its units) to float32 [epochs], NaN where an epoch
    did not measure it; `digits` uint8 [test images] is what the last epoch's network answered. `made_on` has the
    device, threads, precision and versions that the numbers depend on; runs of earlier studies have no precision in it.
    """

    setting: str
    seed: int
    config: RunConfig
    summary: dict[str, Any]
    made_on: dict[str, Any]
    history: dict[str, np.ndarray]
    digits: np.ndarray

    @property
    def id(self) -> str:
        """The id of the run in the sweep's folder."""
        return f"{self.setting}-seed-{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Study:
    """The runs that are there so far; `planned` is how many seeds each setting is to have in the end.

    `labels` uint8 [test images] are those of the test set with `data["checksum"]`. `command` makes the runs.
    """

    name: str
    title: str
    command: str
    planned: int
    data: dict[str, Any]
    runs: list[StudyRun]
    labels: np.ndarray

    @cached_property
    def _by_setting(self) -> dict[str, list[StudyRun]]:
        found: dict[str, list[StudyRun]] = {}
        for run in sorted(self.runs, key=lambda run: run.seed):
            found.setdefault(run.setting, []).append(run)
        return found

    def settings(self) -> list[str]:
        """The settings' names, in the study's order."""
        return list(dict.fromkeys(run.setting for run in self.runs))

    def of(self, setting: str) -> list[StudyRun]:
        """The runs of a setting, by seed; empty when there are none."""
        return list(self._by_setting.get(setting, ()))

    def config(self, setting: str) -> RunConfig:
        """A setting's config, with the seed of its first run. Raises `StudyError` for one that has no run."""
        if setting not in self._by_setting:
            raise StudyError(f"The study {self.name} has no run of {setting!r}.")
        return self._by_setting[setting][0].config


def collect(
    name: str, title: str, command: str, settings: Sequence[str], seeds: Sequence[int], records: dict[str, RunRecord]
) -> Study:
    """The study of those records (id -> record) that are finished runs of the settings and seeds.

    Raises `StudyError` when they did not all see the same images.
    """
    import numpy as np

    runs, data, labels = [], {}, np.zeros(0, np.uint8)
    for setting in settings:
        for seed in seeds:
            record = records.get(f"{setting}-seed-{seed}")
            if record is None or record.status != "finished":
                continue
            answers = record.test_logits()
            seen = {key: record.data[key] for key in ("source", "checksum", "test_images")}
            if data and seen["checksum"] != data["checksum"]:
                raise StudyError(f"{record.id} saw other images than the runs before it: they are no one study.")
            data, labels = seen, answers.labels.astype(np.uint8)
            runs.append(StudyRun(
                setting=setting, seed=seed, config=record.config,
                summary={key: record.summary.get(key) for key in SUMMARY},
                # Not the config's: its "auto" is bfloat16 on one machine and float32 on another.
                made_on={
                    "device": record.device, "threads": record.threads, "precision": record.precision,
                    **record.versions,
                },
                history={key: _column(record.history, key) for key in MEASURES},
                digits=answers.digits.astype(np.uint8),
            ))
    return Study(
        name=name, title=title, command=command, planned=len(seeds), data=data, runs=runs, labels=labels
    )


def _column(history: list[dict[str, Any]], measure: str) -> np.ndarray:
    import numpy as np

    return np.array([np.nan if line[measure] is None else line[measure] for line in history], np.float32)


def study_root() -> Path:
    """Where the studies that ship are."""
    return pretrained_root() / STUDY


def save_study(study: Study, root: Path | None = None) -> None:
    """Write the study's two files."""
    import io

    import numpy as np

    root = root or study_root()
    root.mkdir(parents=True, exist_ok=True)
    longest = max((run.config.epochs for run in study.runs), default=0)
    arrays = {
        # Images first: what most runs agree on lies side by side, and packs ten times smaller.
        "digits": np.stack([run.digits for run in study.runs], axis=1) if study.runs else np.zeros((0, 0), np.uint8),
        "labels": study.labels,
    }
    for measure in MEASURES:
        rows = [np.pad(run.history[measure], (0, longest - len(run.history[measure])), constant_values=np.nan)
                for run in study.runs]
        arrays[measure] = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    write_atomically(root / f"{study.name}.npz", packed.getvalue())
    # Once a setting and once a machine, not once a run: a thousand runs then fit in a few hundred kilobytes.
    machines = list({json.dumps(run.made_on, sort_keys=True): run.made_on for run in study.runs}.values())
    values = {
        "schema": SCHEMA, "title": study.title, "command": study.command, "planned": study.planned,
        "data": study.data, "settings": {name: study.config(name).to_dict() for name in study.settings()},
        "machines": machines, "runs": [
            {"setting": run.setting, "seed": run.seed, "machine": machines.index(run.made_on), "summary": run.summary}
            for run in study.runs
        ],
    }
    write_atomically(root / f"{study.name}.json", (json.dumps(values) + "\n").encode())


def study_names(root: Path | None = None) -> list[str]:
    """The studies that are there."""
    return sorted(path.stem for path in (root or study_root()).glob("*.json"))


def load_study(name: str, root: Path | None = None) -> Study:
    """The study of that name. Raises `StudyError`."""
    import zipfile

    import numpy as np

    root = root or study_root()
    try:
        values = json.loads((root / f"{name}.json").read_text("utf-8"))
        with np.load(root / f"{name}.npz", allow_pickle=False) as packed:
            arrays = {key: packed[key] for key in packed.files}
        if values["schema"] > SCHEMA:
            raise StudyError(f"The study {name} was made by a newer version of MNIST Lab. Update this one to open it.")
        settings = {setting: from_dict(config) for setting, config in values["settings"].items()}
        runs = [
            _read_run(run, settings[run["setting"]], values["machines"], arrays, number)
            for number, run in enumerate(values["runs"])
        ]
        return Study(
            name=name, title=values["title"], command=values["command"], planned=values["planned"],
            data=values["data"], runs=runs, labels=arrays["labels"],
        )
    except FileNotFoundError as error:
        raise StudyError(f"There is no study {name} in {root}. Make it: python -m mnist_lab study {name}") from error
    except (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile, ConfigError) as error:
        raise StudyError(f"The study {name} in {root} is damaged: {error}.") from error


def _read_run(
    values: dict[str, Any], config: RunConfig, machines: list[dict[str, Any]], arrays: dict[str, np.ndarray],
    number: int,
) -> StudyRun:
    return StudyRun(
        setting=values["setting"], seed=values["seed"], config=config.replace(seed=values["seed"]),
        summary=values["summary"], made_on=machines[values["machine"]], digits=arrays["digits"][:, number],
        history={key: arrays[key][number, : config.epochs] for key in MEASURES},
    )
