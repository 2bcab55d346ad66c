"""From the runs of a sweep to what ships in `pretrained/`: variants as ordinary run folders, and compact studies."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

from mnist_lab.presets import PRESETS
from mnist_lab.runs.record import HISTORY, LOGITS, WEIGHTS, RunError, RunRecord
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.study import Study, collect
from mnist_lab.runs.writer import write_atomically, write_summary
from mnist_lab.studies import SHIPPED_SEED, Plan

ANYWHERE = "MNIST/raw"  # in place of the folder on the machine that trained it


def collected(plan: Plan, store: RunStore) -> Study:
    """The study of what there is of `plan` in `store`. Raises `RunError` and `StudyError`."""
    records = {}
    for setting in plan.settings:
        for seed in plan.seeds:
            id = f"{setting}-seed-{seed}"
            if store.exists(id):
                records[id] = _checked(store.load(id), plan, setting, seed)
    return collect(plan.name, plan.title, plan.command, list(plan.settings), plan.seeds, records)


def _checked(record: RunRecord, plan: Plan, setting: str, seed: int) -> RunRecord:
    if record.config != plan.settings[setting].replace(seed=seed):
        raise RunError(f"{record.folder} has other settings than {setting} has now: it is none of this study's runs.")
    return record


def ship(plan: Plan, store: RunStore, root: Path) -> list[str]:
    """Copy the finished run with the shipped seed of each setting to `root` as a pretrained variant; their names."""
    shipped = []
    for setting in plan.settings:
        id = f"{setting}-seed-{SHIPPED_SEED}"
        if not store.exists(id):
            continue
        record = _checked(store.load(id), plan, setting, SHIPPED_SEED)
        if record.status == "finished":
            _copy(record, root / setting)
            shipped.append(setting)
    return shipped


def _copy(record: RunRecord, folder: Path) -> None:
    """The run as it is, but for its name, for the folder its images were in, and for its answers, which are packed."""
    import numpy as np

    new = folder.with_name(f".new-{folder.name}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    preset = PRESETS.get(folder.name)
    write_summary(new, replace(
        record, name=preset.title if preset else record.name, data={**record.data, "location": ANYWHERE}
    ))
    for name in (HISTORY, WEIGHTS):
        shutil.copyfile(record.folder / name, new / name)
    packed = io.BytesIO()
    np.savez_compressed(packed, **vars(record.test_logits()))
    write_atomically(new / LOGITS, packed.getvalue())
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
