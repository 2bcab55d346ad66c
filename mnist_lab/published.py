"""The figures that the two sources published, as data: to be laid beside ours.

Source A: "MNIST Classification using L1/L2/BatchNorm/GhostBatchNorm techniques" by Ashish Jain and Rahul Jain
(github.com/ashxjain/eva, P5_S6). Source B: "MNIST 99.4% Test Accuracy using Ghost Batch Normalization(GBN) and
Regularization (L1 and L2)" (github.com/gmshashank/pytorch_vision, MNIST/Session3). One run each, no seed repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnist_lab.presets import ALIASES

SOURCES = {
    "A": "MNIST Classification using L1/L2/BatchNorm/GhostBatchNorm techniques (github.com/ashxjain/eva, P5_S6)",
    "B": "MNIST 99.4% Test Accuracy using Ghost Batch Normalization(GBN) and Regularization (L1 and L2) "
         "(github.com/gmshashank/pytorch_vision, MNIST/Session3)",
}
# What their notebooks show and the write-ups leave out.
NOTES = {
    "A": (
        "Its L2 rows ran with weight_decay=0: there was no L2 in them. They are configurations without, under another "
        "name; our presets a-l2-... have a real weight decay.",
        "It says 15 epochs and an L1 lambda of 0.001; its notebook ran 25 epochs with 0.0001, and so do our presets.",
        "The train loss of its L1 rows contains the penalty and is that of the last batch, so it cannot be compared.",
    ),
    "B": (
        "It calls 99.46 % the accuracy of ghost batch norm; in its notebook that is ghost batch norm with L2, and "
        "ghost batch norm alone has 99.40 %.",
        "It has no row with batch norm alone.",
    ),
}


@dataclass(frozen=True)
class Published:
    """A source's row: test accuracy in per cent, of its best epoch (chosen on the test set) and its last five's mean.

    `last_five` are its last five epochs where it printed them: train loss (of the last batch, penalty included), train
    accuracy, test loss, test accuracy.
    """

    best: float
    mean_of_last_five: float
    last_five: tuple[tuple[float, float, float, float], ...] = ()


# By preset or alias: a row of source A that says L2 and ran without is under the alias, not under the preset with L2.
PUBLISHED: dict[str, Published] = {
    "a-bn": Published(99.52, 99.47, (
        (0.1435, 98.14, 0.0195, 99.43), (0.1070, 98.27, 0.0192, 99.42), (0.0379, 98.19, 0.0182, 99.51),
        (0.0163, 98.27, 0.0181, 99.52), (0.0192, 98.30, 0.0192, 99.48),
    )),
    "a-l1-bn": Published(99.54, 99.47, (
        (0.0835, 98.44, 0.0183, 99.45), (0.0915, 98.46, 0.0174, 99.47), (0.1342, 98.42, 0.0175, 99.47),
        (0.1245, 98.41, 0.0175, 99.54), (0.0845, 98.39, 0.0179, 99.43),
    )),
    "a-source-l2-bn": Published(99.44, 99.40, (
        (0.0626, 98.36, 0.0188, 99.40), (0.1241, 98.41, 0.0184, 99.43), (0.0592, 98.42, 0.0194, 99.38),
        (0.0543, 98.39, 0.0190, 99.37), (0.0811, 98.39, 0.0187, 99.41),
    )),
    "a-source-l1-l2-bn": Published(99.40, 99.37, (
        (0.0801, 98.34, 0.0185, 99.40), (0.1296, 98.39, 0.0185, 99.39), (0.1104, 98.47, 0.0178, 99.35),
        (0.1515, 98.36, 0.0191, 99.34), (0.1539, 98.42, 0.0180, 99.36),
    )),
    "a-gbn": Published(99.44, 99.36, (
        (0.0196, 98.22, 0.0206, 99.33), (0.0659, 98.17, 0.0214, 99.36), (0.1076, 98.13, 0.0220, 99.35),
        (0.0562, 98.25, 0.0214, 99.36), (0.0924, 98.22, 0.0211, 99.38),
    )),
    "a-source-l1-l2-gbn": Published(99.42, 99.39, (
        (0.2046, 98.38, 0.0168, 99.38), (0.1108, 98.38, 0.0176, 99.42), (0.0901, 98.26, 0.0184, 99.34),
        (0.2001, 98.41, 0.0176, 99.42), (0.0718, 98.32, 0.0177, 99.37),
    )),
    "b-l1-bn": Published(99.34, 99.18),
    "b-l2-bn": Published(99.44, 99.38),
    "b-l1-l2-bn": Published(99.30, 99.16),
    "b-gbn": Published(99.40, 99.34),
    "b-l1-gbn": Published(99.34, 99.24),
    "b-l2-gbn": Published(99.46, 99.41),
    "b-l1-l2-gbn": Published(99.28, 99.19),
}


def rows_of(preset: str) -> dict[str, Published]:
    """The published rows of a configuration: under its own name and under those of its aliases; maybe none."""
    names = [preset, *(alias for alias, real in ALIASES.items() if real == preset)]
    return {name: PUBLISHED[name] for name in names if name in PUBLISHED}
