"""What the Mistakes page is about: a run, what it said, and the images it said that of, wherever they can be had.

A record has indices, labels and answers, and no images. They are MNIST's test set, if that is at hand, or the sample's;
a run on MNIST without its test set at hand is asked again about the bundled digits. Everything here is kept once for
all sessions, and bounded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mnist_lab.data import files
from mnist_lab.data.mnist import load_test_set
from mnist_lab.evaluation import Answers, predict_logits
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import network_of
from mnist_lab.runs.record import LOGITS, WEIGHTS, RunError, RunRecord, RunSummary

DEFAULT_RUNS = ("b-gbn", "a-gbn")  # the claim is about the errors with ghost batch norm
MAX_OPINIONS = 30  # the variants, and some runs made here
TEST, SAMPLE, BUNDLED, UNKNOWN = "test", "sample", "bundled", "unknown"


_asking = threading.Lock()


@dataclass(frozen=True, eq=False)
class Subject:
    """A run, its answers, and the images in the same order, uint8 [N, 28, 28]; None if they are not here.

    `kind` says which images: TEST, MNIST's test set; SAMPLE, the sample's; BUNDLED, all bundled digits, which are
    training digits of MNIST; UNKNOWN, those of a data set that this lab does not have.
    """

    run: RunSummary
    answers: Answers
    images: np.ndarray | None
    kind: str

    @property
    def disputed(self) -> np.ndarray:
        """Which of the images have a disputed label, bool [N]: the fifteen are images of MNIST's test set."""
        return self.answers.disputed if self.kind == TEST else np.zeros(len(self.answers.labels), bool)


def default_run(runs: list[RunSummary]) -> RunSummary:
    """The run to begin with, of one or more: a pretrained variant with ghost batch norm, else the first."""
    known = {run.id: run for run in runs}
    return next((known[id] for id in DEFAULT_RUNS if id in known), runs[0])


def subject_of(run: RunSummary) -> Subject:
    """The run's answers and their images. Raises `RunError` if the record is damaged, `DataError` as `files` does."""
    checksum = run.data.get("checksum")
    if checksum == files.CHECKSUM:
        found = load_test_set()
        if found is None:
            return Subject(run, bundled_answers(run), bundled_digits()[0], BUNDLED)
        images, labels, kind = found.images, found.labels, TEST
    elif checksum == files.SAMPLE_CHECKSUM:
        images, labels = (array[files.SAMPLE_TRAIN :] for array in bundled_digits())
        kind = SAMPLE
    else:
        return Subject(run, recorded_answers(run), None, UNKNOWN)
    answers = recorded_answers(run)
    if not _belong(answers, labels):
        raise RunError(f"{LOGITS} is damaged: its labels are not those of the images.")
    in_order = np.array_equal(answers.indices, np.arange(len(labels)))  # as they always are; else they are copied
    return Subject(run, answers, images if in_order else images[answers.indices], kind)


def needs_test_set(run: RunSummary) -> bool:
    """Whether the images that the run was tested on are MNIST's and not at hand."""
    return run.data.get("checksum") == files.CHECKSUM and load_test_set() is None


def recorded_answers(run: RunSummary) -> Answers:
    """What the run answered on the images it was tested on. Raises `RunError`."""
    return _recorded(_File(run, LOGITS))


def bundled_answers(run: RunSummary) -> Answers:
    """What the run's network says about all 5,000 bundled digits: a second or two, once. Raises `RunError`."""
    with _asking:  # who asks at the same time waits for the first instead of working it out as well
        return _bundled(_File(run, WEIGHTS))


@lru_cache(maxsize=1)
def bundled_digits() -> tuple[np.ndarray, np.ndarray]:
    """The bundled digits, uint8 [5000, 28, 28], and their labels, int64 [5000]."""
    images, labels = files.read_sample()
    return images, labels.astype(np.int64)


def comparable(run: RunSummary, library: Library) -> list[RunSummary]:
    """The other runs that were tested on the same images, variants first."""
    same = run.data.get("checksum")
    return [other for other in library.list() if other.data.get("checksum") == same and other.folder != run.folder]


def _belong(answers: Answers, labels: np.ndarray) -> bool:
    indices = answers.indices
    inside = len(indices) == 0 or 0 <= indices.min() <= indices.max() < len(labels)
    return inside and np.array_equal(answers.labels, labels[indices])


def counterpart(run: RunSummary, others: list[RunSummary]) -> RunSummary:
    """The run to compare with first, of one or more others: the same recipe with batch norm, else the first."""
    twin = run.id.replace("gbn", "bn")
    return next((other for other in others if other.id == twin), others[0])


def opinions(subject: Subject, row: int, library: Library) -> tuple[list[tuple[RunSummary, np.ndarray]], int]:
    """What other runs on the same data say about one image: probabilities float64 [10] each, and how many are damaged.

    From their records; where those are about images that are not here, the networks are asked.
    """
    said, unread = [], 0
    for run in comparable(subject.run, library)[:MAX_OPINIONS]:
        try:
            answers = _one_answer(run, subject.images[row]) if subject.kind == BUNDLED else recorded_answers(run)
        except RunError:
            unread += 1
            continue
        at = 0 if subject.kind == BUNDLED else answers.row(int(subject.answers.indices[row]))
        if at is not None:
            said.append((run, np.exp(answers.log_probabilities[at])))
    return said, unread


def _one_answer(run: RunSummary, image: np.ndarray) -> Answers:
    import torch

    logits = predict_logits(network_of(run), torch.from_numpy(image[None].copy())).numpy()
    return Answers(np.zeros(1, np.int64), np.zeros(1, np.int64), logits)


class _File:
    """A run by one of its files: equal to another while that file is the same one, unchanged. Raises `RunError`."""

    def __init__(self, run: RunSummary, name: str):
        # Reading the history would take longer than all the rest.
        self.record = RunRecord(**vars(run) | {"history": []})
        path = run.folder / name
        try:
            status = path.stat()
        except OSError as error:
            raise RunError(
                f"There is no {name} in this run: it was stopped before it was tested, or it has been deleted."
            ) from error
        self._key = path, status.st_mtime_ns, status.st_size, status.st_ino

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _File) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=32)
def _recorded(file: _File) -> Answers:
    found = file.record.test_logits()
    try:
        return Answers(found.indices, found.labels, found.logits)
    except ValueError as error:
        raise RunError(f"{LOGITS} is damaged. {error}") from error


@lru_cache(maxsize=8)
def _bundled(file: _File) -> Answers:
    import torch

    images, labels = bundled_digits()
    logits = predict_logits(network_of(file.record), torch.from_numpy(images))
    return Answers(np.arange(len(labels)), labels, logits.numpy())
