"""The training images that a network describes most like a given image. Features are kept once for all sessions."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mnist_lab.config import RunConfig
from mnist_lab.data import files
from mnist_lab.data.mnist import load_mnist, load_sample
from mnist_lab.evaluation import nearest
from mnist_lab.runs.networks import network_of
from mnist_lab.ui import mistakes_data
from mnist_lab.ui.mistakes_data import BUNDLED, Subject

if TYPE_CHECKING:
    from torch import nn

POOL, SHOWN = 10_000, 8
OWN, FIRST, DIGITS = "own", "first", "bundled"

# Who asks at the same time waits for the first instead of working it out as well: for a part, or for all.
_asking = {False: threading.Lock(), True: threading.Lock()}


@dataclass(frozen=True, eq=False)
class Pool:
    """Training images uint8 [n, 28, 28] and the labels they were trained with, int64 [n].

    `source` says which: OWN, all that the run was trained on; FIRST, `POOL` of those; DIGITS, the bundled ones, where
    MNIST's training images are not at hand.
    """

    images: np.ndarray
    labels: np.ndarray
    source: str


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Some of the `pool`, nearest first: their places in it, and their distances."""

    pool: Pool
    places: np.ndarray
    distances: np.ndarray


def can_search_more(subject: Subject) -> bool:
    """Whether the run was trained on more than `POOL` images, which are at hand."""
    return _whose(subject) == "mnist" and subject.run.data.get("train_images", 0) > POOL


def nearest_images(subject: Subject, row: int, whole: bool = False) -> Neighbours:
    """The nearest of what the run was trained on: of `POOL` images, or of the `whole`.

    Seconds the first time, for the whole up to a minute. Raises `RunError`, `DataError`.
    """
    import torch

    from mnist_lab.microscope import last_features

    network = network_of(subject.run)
    pool = (_whole_pool if whole else _pool)(subject.run.config, _whose(subject))
    image = subject.images[row]
    target = last_features(network, torch.from_numpy(image[None].copy()))[0].numpy()
    with _asking[whole]:
        features = (_whole_features if whole else _features)(network, pool)
    places, distances = nearest(features, target, SHOWN + 1)
    # Of the bundled digits the image may be one itself, which is no neighbour.
    others = [number for number, place in enumerate(places) if not np.array_equal(pool.images[place], image)][:SHOWN]
    return Neighbours(pool, places[others], distances[others])


def _whose(subject: Subject) -> str:
    """Where the training images are: "sample", "mnist", or "" if they are not at hand."""
    if subject.run.data.get("checksum") == files.SAMPLE_CHECKSUM:
        return "sample"
    return "" if subject.kind == BUNDLED or not files.data_status()["complete"] else "mnist"


@lru_cache(maxsize=4)
def _pool(config: RunConfig, whose: str) -> Pool:
    return _make_pool(config, whose, POOL)


@lru_cache(maxsize=1)  # 47 MB
def _whole_pool(config: RunConfig, whose: str) -> Pool:
    return _make_pool(config, whose, None)


def _make_pool(config: RunConfig, whose: str, most: int | None) -> Pool:
    if not whose:
        return Pool(*mistakes_data.bundled_digits(), DIGITS)
    from mnist_lab.data.regime import make_regime

    regime = make_regime(config, load_sample() if whose == "sample" else load_mnist(download=False))
    images, labels = (part[:most].numpy().copy() for part in (regime.train_images, regime.train_labels))
    return Pool(images, labels, OWN if len(regime.train_labels) == len(labels) else FIRST)


@lru_cache(maxsize=8)
def _features(network: nn.Module, pool: Pool) -> np.ndarray:
    return _work_out(network, pool)


@lru_cache(maxsize=2)  # each holds its pool as well: up to 73 MB
def _whole_features(network: nn.Module, pool: Pool) -> np.ndarray:
    return _work_out(network, pool)


def _work_out(network: nn.Module, pool: Pool) -> np.ndarray:
    import torch

    from mnist_lab.microscope import last_features

    return last_features(network, torch.from_numpy(pool.images)).numpy()
