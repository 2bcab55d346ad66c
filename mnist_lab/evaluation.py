"""What a trained network answers, and what it gets wrong.

Importing this module imports no torch: counting mistakes on what a record keeps needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 500  # images; from 250 to 1,000 a CPU takes about the same time
DIGITS = 10

# Test images of MNIST (zero-based index) whose label fewer than three of five human raters confirmed, and what the
# raters saw instead: the majority's digit, the two digits between which they were tied, or none they agreed on.
# Northcutt, Athalye, Mueller 2021, arXiv 2103.14749. The labels are disputed, which does not mean wrong.
DISPUTED: dict[int, tuple[int, ...]] = {
    947: (9,), 1621: (6,), 1901: (4,), 2130: (4, 9), 2462: (0,), 2597: (3,), 2654: (), 3520: (), 3558: (0,),
    5937: (3,), 6651: (6,), 6783: (6,), 8527: (4, 9), 9679: (), 9729: (6,),
}


def predict_logits(
    module: nn.Module, images: Tensor, batch_size: int = BATCH, should_stop: Callable[[], bool] | None = None
) -> Tensor | None:
    """Logits float32 [N, 10], on the CPU, for images uint8 [N, 28, 28] on any device.

    Always in evaluation mode and in float32, whatever the training precision; the module's mode is restored.
    Returns None when `should_stop`, asked before each batch, says so.
    """
    import torch

    from mnist_lab.data.augment import normalise, to_unit

    device = next(module.parameters()).device
    was_training = module.training
    module.eval()
    try:
        logits = []
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            for batch in images.split(batch_size):
                if should_stop is not None and should_stop():
                    return None
                logits.append(module(normalise(to_unit(batch.to(device)))))
        return torch.cat(logits).cpu()
    finally:
        module.train(was_training)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one network said about N labelled images. Never changed, so that sessions can share it.

    `indices` int64 [N] are the images' places in their data set, `labels` int64 [N] are 0 to 9, `logits` are
    float32 [N, 10]. Raises ValueError, with a sentence, if they do not fit together.
    """

    indices: np.ndarray
    labels: np.ndarray
    logits: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.labels)
        if self.indices.shape != (count,) or self.labels.shape != (count,) or self.logits.shape != (count, DIGITS):
            raise ValueError("Indices, labels and logits are not of one length, or there are not ten logits an image.")
        if self.labels.dtype.kind not in "iu" or self.indices.dtype.kind not in "iu":
            raise ValueError("Indices and labels are not whole numbers.")
        if count and not 0 <= self.labels.min() <= self.labels.max() < DIGITS:
            raise ValueError("Not every label is a digit.")

    @cached_property
    def digits(self) -> np.ndarray:
        """The answers, int64 [N]: the digit of the largest logit."""
        return self.logits.argmax(1)

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """ln of the softmax of the logits, float64 [N, 10]; NaN where a network that diverged gave no number."""
        with np.errstate(invalid="ignore"):
            below = self.logits - self.logits.max(1, keepdims=True).astype(np.float64)
            return below - np.log(np.exp(below).sum(1, keepdims=True))

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probability that the network gives its own answer, float64 [N], 0 to 1."""
        return np.exp(self.log_probabilities[np.arange(len(self.digits)), self.digits])

    @cached_property
    def losses(self) -> np.ndarray:
        """Cross-entropy of each image in nats, float64 [N]: 0 when it is sure and right."""
        return -self.log_probabilities[np.arange(len(self.labels)), self.labels]

    @cached_property
    def wrong(self) -> np.ndarray:
        """Which answers are not the label, bool [N]."""
        return self.digits != self.labels

    @cached_property
    def disputed(self) -> np.ndarray:
        """Which images are among the fifteen of `DISPUTED`, bool [N]. Only of meaning for MNIST's own test set."""
        return np.isin(self.indices, list(DISPUTED))

    def confusion(self) -> np.ndarray:
        """How many images of each digit got which answer: int64 [10, 10], a row a label, a column an answer."""
        return confusion(self.labels, self.digits)

    def row(self, index: int) -> int | None:
        """Where the image of that index is; None if it is not among them."""
        found = np.flatnonzero(self.indices == index)
        return int(found[0]) if len(found) else None


def confusion(labels: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """Counts int64 [10, 10] of labels (rows) against answers (columns), both whole numbers 0 to 9, [N]."""
    cells = labels.astype(np.int64) * DIGITS + digits
    return np.bincount(cells, minlength=DIGITS * DIGITS).reshape(DIGITS, DIGITS)


def accuracy(wrong: np.ndarray) -> float:
    """Per cent of False in bool [N]; NaN for no images."""
    return 100 * float(1 - wrong.mean()) if len(wrong) else float("nan")


@dataclass(frozen=True, eq=False)
class Pair:
    """Two networks on the same images: bool [N] each, together true once for every image."""

    only_first: np.ndarray
    only_second: np.ndarray
    both: np.ndarray
    neither: np.ndarray


def pair(first: Answers, second: Answers) -> Pair:
    """Which of two networks is wrong about which image. Raises ValueError if they were not asked about the same."""
    same = np.array_equal(first.indices, second.indices) and np.array_equal(first.labels, second.labels)
    if not same:
        raise ValueError("The two were not tested on the same images.")
    a, b = first.wrong, second.wrong
    return Pair(a & ~b, ~a & b, a & b, ~a & ~b)


def nearest(features: np.ndarray, target: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` rows of features [N, F] nearest to target [F]: places and Euclidean distances, nearest first."""
    distances = np.sqrt(((features.astype(np.float64) - target) ** 2).sum(1))
    places = np.argsort(distances, kind="stable")[:count]
    return places, distances[places]
