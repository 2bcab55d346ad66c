"""MNIST as uint8 tensors, from wherever it can be had, verified. One copy per process.

Importing this module imports no torch: the page that asks for `data_status` is on screen before torch is.
Source of the data: LeCun, Bottou, Bengio, Haffner 1998, http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mnist_lab.data import files
from mnist_lab.data.download import Progress, download_mnist
from mnist_lab.data.files import DataError, data_folder, data_status

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "DataError", "Mnist", "TestSet", "data_folder", "data_status", "download_mnist", "load_mnist", "load_sample",
    "load_test_set",
]


@dataclass(frozen=True, eq=False)
class Mnist:
    """The images of one source, on the CPU. Shared by every run of the process: never write to them.

    Attributes:
        train_images, test_images: uint8 [N, 28, 28], 0 is the background.
        train_labels, test_labels: int64 [N], 0 to 9.
        source: "folder" (already on disk), "download" (fetched by this process) or "sample" (bundled).
        location: the path shown to the user.
        checksum: SHA-256, hex, over training images, training labels, test images and test labels, one
            byte a pixel and a label. It tells which data a run saw, wherever they came from.
        note: why it is the sample and what to do about it; empty for the full set.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    source: Literal["folder", "download", "sample"]
    location: str
    checksum: str
    note: str = ""

    @property
    def is_sample(self) -> bool:
        """Whether these are the 5,000 bundled digits: figures on them are not comparable."""
        return self.source == "sample"


@dataclass(frozen=True, eq=False)
class TestSet:
    """MNIST's 10,000 test images, without torch: uint8 [N, 28, 28], labels int64 [N]. Never write to them.

    `checksum` is that of the whole MNIST (`Mnist.checksum`), by which the runs are known that were tested on them.
    """

    __test__ = False  # pytest takes any class whose name starts with Test for its own

    images: np.ndarray
    labels: np.ndarray
    checksum: str = files.CHECKSUM


_lock = threading.Lock()
_full: dict[Path, Mnist] = {}
_test_sets: dict[Path, TestSet] = {}
_sample: list[Mnist] = []


def load_mnist(
    *,
    download: bool = True,
    progress: Progress | None = None,
    root: Path | str | None = None,
    refresh: bool = False,
) -> Mnist:
    """MNIST from the data folder, else downloaded into it, else the bundled sample with a note why.

    The folder is `root`, else MNIST_LAB_DATA, else `data` beside app.py. The full set is read once and
    kept; the sample is only a stopgap, so the folder is looked at again by every call. A download that
    failed is tried again after two minutes, or at once with `refresh`, which also reads the folder anew.
    `progress(message, fraction)` is called while downloading; raising from it ends the download.

    Raises:
        DataError: not even the bundled sample can be read.
    """
    folder = data_folder(root)
    if refresh:
        with _lock:
            _full.pop(folder, None)
    try:
        found = _from_folder(folder, "folder")
        if found is None and download:
            fetched = download_mnist(folder, progress=progress, retry=refresh)
            found = _from_folder(folder, "download" if fetched else "folder")
        reason = data_status(folder)["note"]
    except DataError as error:
        found, reason = None, str(error)
    return found or replace(load_sample(), note=f"{reason} Until then the bundled sample is used.")


def load_test_set(root: Path | str | None = None) -> TestSet | None:
    """The test images in the data folder, where the training images need not be; None if they are not there, whole.

    Read once and kept. Raises `DataError` if the files change while they are read.
    """
    folder, wanted = data_folder(root), files.test_set_files()
    with _lock:
        if folder not in _test_sets:
            if any(check.state != "ok" for check in files.check_folder(folder, wanted)):
                return None
            images, labels = files.read_folder(folder, wanted)
            _test_sets[folder] = TestSet(images, labels.astype(np.int64))
        return _test_sets[folder]


def load_sample() -> Mnist:
    """The bundled digits: 4,000 for training and 1,000 for testing, 400 and 100 a class, always the same.

    Raises:
        DataError: the bundled file is not there or damaged.
    """
    with _lock:
        if not _sample:
            images, labels = files.read_sample()
            split = files.SAMPLE_TRAIN
            arrays = [images[:split], labels[:split], images[split:], labels[split:]]
            _sample.append(_make(arrays, "sample", files.SAMPLE_FILE))
        return _sample[0]


def _from_folder(folder: Path, source: Literal["folder", "download"]) -> Mnist | None:
    """The full set, or None when a file is missing, truncated or wrong."""
    with _lock:
        if folder not in _full:
            if any(check.state != "ok" for check in files.check_folder(folder)):
                return None
            _full[folder] = _make(files.read_folder(folder), source, files.raw_folder(folder))
        return _full[folder]


def _make(arrays: list[np.ndarray], source: str, location: Path) -> Mnist:
    import torch

    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    # Labels are made int64 by numpy: torch would leave the calling thread a team of OpenMP threads. With more of those
    # than cores, all of them go to sleep between operations: training in another thread takes half as long again.
    images_and_labels = [torch.from_numpy(array if array.ndim == 3 else array.astype(np.int64)) for array in arrays]
    return Mnist(*images_and_labels, source=source, location=str(location), checksum=digest.hexdigest())
