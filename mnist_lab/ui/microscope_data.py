"""What the Microscope page measures on demand, with a run's own weights and data. Worked out once for all sessions.

Every cache is bounded, and whoever asks for the same thing at the same time waits for the first to have it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_lab.config import ALL, RunConfig
from mnist_lab.data import files
from mnist_lab.data.mnist import load_mnist, load_sample, load_test_set

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mnist_lab.microscope_ghosts import GhostStatistics
    from mnist_lab.microscope_pull import Pulls
    from mnist_lab.trainer import Batch

FRACTIONS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
SPLITS = (1, 2, 4, 8, 16, 32)
EVERY = 10  # of MNIST's test images, which are not in random order: the first half is the easier one
MNIST, SAMPLE, BUNDLED = "mnist", "sample", "bundled"
IMAGES_IN_ALL, FEWEST, MOST = 2560, 5, 21  # images of a run's batches kept, and how many batches that may be


@dataclass(frozen=True, eq=False)
class BatchMates:
    """One image's logits [M, 10] among M sets of batch mates, in training mode and in evaluation mode."""

    training: Tensor
    evaluation: Tensor


def whose(checksum: str | None) -> str:
    """Where the images that a run was trained on are: MNIST, SAMPLE, or BUNDLED for others in their place."""
    if checksum == files.SAMPLE_CHECKSUM:
        return SAMPLE
    return MNIST if checksum == files.CHECKSUM and files.data_status()["complete"] else BUNDLED


def tested_on(checksum: str | None) -> str:
    """As `whose`, of the images that a run was tested on: MNIST's test set may be there alone."""
    return MNIST if checksum == files.CHECKSUM and load_test_set() is not None else whose(checksum)


def _shared(size: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        cached, lock = functools.lru_cache(maxsize=size)(function), threading.Lock()

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            with lock:
                return cached(*arguments)

        return call

    return wrap


@_shared(4)
def batches(config: RunConfig, source: str) -> list[Batch]:
    """Whole batches as the run met them from its first on, as many as `source` allows; see `training_batches`.

    On BUNDLED digits they are batches that the same settings would make of them. Raises `DataError`.
    """
    from mnist_lab.data.regime import make_regime
    from mnist_lab.microscope_ghosts import training_batches

    if source == BUNDLED and config.train_images != ALL:
        few = min(config.train_images, files.SAMPLE_TRAIN)
        config = config.replace(train_images=few, validation=False)
    data = load_mnist(download=False) if source == MNIST else load_sample()
    count = min(max(IMAGES_IN_ALL // config.batch_size, FEWEST), MOST)
    return training_batches(config, make_regime(config, data), count)


@_shared(2)
def test_images(source: str) -> tuple[Tensor, Tensor]:
    """Test images uint8 [1000, 28, 28], always the same ones, and labels [1000]."""
    import torch

    if source != MNIST:
        sample = load_sample()
        return sample.test_images, sample.test_labels
    found = load_test_set()
    return torch.from_numpy(found.images[::EVERY].copy()), torch.from_numpy(found.labels[::EVERY].copy())


@_shared(16)
def pruning(network: nn.Module, source: str) -> list[float]:
    """Accuracy in per cent at each of `FRACTIONS`."""
    from mnist_lab.microscope_weights import pruning_curve

    return pruning_curve(network, *test_images(source), FRACTIONS)


@_shared(32)
def pulls(network: nn.Module, config: RunConfig, source: str, number: int) -> Pulls:
    """What pulls at the weights on batch `number`, from 0."""
    from mnist_lab import microscope_pull

    return microscope_pull.pulls(network, config, batches(config, source)[number])


@_shared(32)
def ghosts(
    network: nn.Module, config: RunConfig, source: str, number: int, splits: int, norm: str
) -> GhostStatistics:
    """What a norm layer sees of batch `number` when it is cut into so many ghost batches."""
    from mnist_lab import microscope_ghosts as microscope

    images = batches(config, source)[number].images
    return microscope.ghost_statistics(microscope.ghost_network(network, config, splits), images, norm)


@_shared(16)
def mates(
    network: nn.Module, config: RunConfig, source: str, number: int, splits: int, place: int
) -> BatchMates:
    """The logits of the image at `place` of batch `number`, among the images of the other batches in turn."""
    from mnist_lab import microscope_ghosts as microscope

    found = batches(config, source)
    others = [batch.images for other, batch in enumerate(found) if other != number]
    image, cut = found[number].images[place], microscope.ghost_network(network, config, splits)
    return BatchMates(*(microscope.logits_among(cut, image, others, training) for training in (True, False)))
