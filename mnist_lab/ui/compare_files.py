"""The files behind the Compare page, each read once for all sessions and kept, bounded, while it is unchanged."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from mnist_lab.runs.record import LOGITS, RunError, read_history
from mnist_lab.runs.study import MEASURES


class Stamp:
    """A file: equal to another while it is the same one, unchanged. Raises `RunError` if there is none."""

    def __init__(self, path: Path):
        self.path = path
        try:
            status = path.stat()
        except OSError as error:
            raise RunError(f"There is no {path.name} in {path.parent} any more. It may have been deleted.") from error
        self._key = path, status.st_mtime_ns, status.st_size, status.st_ino

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stamp) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=256)  # a few kilobytes each: without the weights' histograms
def read_measures(file: Stamp) -> dict[str, np.ndarray]:
    """A run's history: float32 [epochs] by measure, NaN where there is none. Raises `RunError`."""
    try:
        lines = read_history(file.path.parent)
    except RunError as error:
        raise RunError(f"The run {file.path.parent.name}: {error} It can be deleted on the Runs page.") from error
    return {
        name: np.array([np.nan if line[name] is None else line[name] for line in lines], np.float32)
        for name in MEASURES
    }


@lru_cache(maxsize=128)  # twenty kilobytes each
def read_answers(file: Stamp, id: str) -> tuple[np.ndarray, np.ndarray]:
    """A run's test labels and answers, uint8 [images], by the images' numbers. Raises `RunError`."""
    import zipfile

    try:
        with np.load(file.path, allow_pickle=False) as arrays:
            order = np.argsort(arrays["indices"])
            return arrays["labels"][order].astype(np.uint8), arrays["digits"][order].astype(np.uint8)
    except (OSError, EOFError, ValueError, LookupError, zipfile.BadZipFile) as error:
        raise RunError(f"{LOGITS} of {id} is damaged: {error}.") from error
