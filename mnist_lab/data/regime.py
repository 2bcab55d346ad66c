"""What a run learns from and is judged on: a subset, label noise and a validation split, all seeded.

Smaller subsets are contained in larger ones of the same seed, and weaker noise changes a subset of the labels that
stronger noise changes (to the same wrong digits): settings can be compared image by image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mnist_lab.config import ALL, RunConfig
from mnist_lab.data.mnist import Mnist
from mnist_lab.data.sizes import too_few_images, validation_size

DIGITS = 10
# Keep this module's random numbers apart from each other and from every other use of the seed.
SUBSET, NOISE, VALIDATION = 11, 12, 13


@dataclass(frozen=True, eq=False)
class Regime:
    """The images of one run, on the CPU: uint8 [n, 28, 28], labels int64 [n].

    Attributes:
        train_images, train_labels: what the network is trained on, label noise included.
        true_labels: the training images' labels without the noise.
        eval_images, eval_labels: what every epoch reports: the validation set if there is one, else the test set.
        test_images, test_labels: what is evaluated at the end.
        eval_name: "test" or "validation".
        train_indices: int64 [n], where the training images are in `Mnist.train_images`.
    """

    train_images: Tensor
    train_labels: Tensor
    true_labels: Tensor
    eval_images: Tensor
    eval_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    eval_name: Literal["test", "validation"]
    train_indices: Tensor


def make_regime(config: RunConfig, data: Mnist) -> Regime:
    """The images that `config` asks for. Labels are changed in training only, never in validation or test.

    The subset has the same number of each digit, to within one, for as long as there are that many. The validation
    set is the same for every seed, so that validation figures of different seeds can be paired.
    Raises ValueError, with what to do, when `data` has too few images.
    """
    labels = data.train_labels.numpy()
    if problem := too_few_images(config.train_images, len(labels), config.validation, data.source):
        raise ValueError(problem)
    held_out = _validation_indices(labels) if config.validation else np.empty(0, np.int64)
    left = np.setdiff1d(np.arange(len(labels)), held_out)
    wanted = len(left) if config.train_images == ALL else config.train_images
    chosen = torch.from_numpy(left[_balanced_order(labels[left], _random(config.seed, SUBSET))[:wanted]])
    true_labels = data.train_labels[chosen]
    test = data.test_images, data.test_labels
    validation = data.train_images[held_out], data.train_labels[held_out]
    return Regime(
        data.train_images[chosen], _with_noise(true_labels, config), true_labels,
        *(validation if config.validation else test), *test,
        eval_name="validation" if config.validation else "test", train_indices=chosen,
    )


def _validation_indices(labels: np.ndarray) -> np.ndarray:
    return _balanced_order(labels, np.random.default_rng(VALIDATION))[: validation_size(len(labels))]


def _balanced_order(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """All indices, shuffled, dealt out one of each digit at a time: any first n of them are balanced.

    A digit that runs out is left out of the later rounds (MNIST has 5,421 fives and 6,742 ones).
    """
    shuffled = random.permutation(len(labels))
    rounds = np.empty(len(labels), np.int64)
    for digit in range(DIGITS):
        of_digit = shuffled[labels[shuffled] == digit]
        rounds[of_digit] = np.arange(len(of_digit))
    turns = random.permutation(DIGITS)[labels]  # the digits' order within every round
    return np.lexsort((turns, rounds))


def _with_noise(true_labels: Tensor, config: RunConfig) -> Tensor:
    """A copy in which exactly round(noise * n) labels are wrong, each uniformly one of the other nine digits."""
    random = _random(config.seed, NOISE)
    count = len(true_labels)
    changed = torch.from_numpy(random.permutation(count)[: round(config.label_noise * count)])
    offsets = torch.from_numpy(random.integers(1, DIGITS, size=count))
    labels = true_labels.clone()
    labels[changed] = (labels[changed] + offsets[changed]) % DIGITS
    return labels


def _random(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, stream]))
