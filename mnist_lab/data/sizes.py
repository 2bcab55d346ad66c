"""How many images there are to train on. Imports no torch: the page says so before torch is loaded."""

from __future__ import annotations

from mnist_lab.config import ALL

TRAIN_IMAGES = 60_000
"""How many training images MNIST has."""


def validation_size(total: int) -> int:
    """How many of `total` training images a validation set takes: 5,000 of 60,000, 500 of the sample's 4,000."""
    return min(5_000, total // 8)


def max_train_images(total: int, validation: bool) -> int:
    """How many of `total` training images are left to train on."""
    return total - validation_size(total) if validation else total


def too_few_images(wanted: int | str, total: int, validation: bool, source: str) -> str | None:
    """What to do if a run wants more training images than are left of `total`; None if there are enough.

    `wanted` is `RunConfig.train_images`, `source` is `Mnist.source`.
    """
    most = max_train_images(total, validation)
    if wanted == ALL or wanted <= most:
        return None
    name = "The bundled sample" if source == "sample" else "The data set"
    aside = f", of which {total - most:,} are held out for validation" if validation else ""
    return f"{name} has {total:,} training images{aside}; {wanted:,} were asked for. Choose at most {most:,}, or all."
