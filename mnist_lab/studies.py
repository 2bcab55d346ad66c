"""The studies that ship: which settings, with how many seeds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnist_lab.config import RunConfig
from mnist_lab.presets import AUGMENTATIONS, PRESETS


@dataclass(frozen=True)
class Plan:
    """A study before it is run: its settings by name, and the seeds each is trained with.

    Of a study with `ships`, the run with seed `SHIPPED_SEED` of every setting becomes a pretrained variant.
    """

    name: str
    title: str
    settings: dict[str, RunConfig]
    seeds: Sequence[int]
    ships: bool = False

    @property
    def command(self) -> str:
        """What makes the study and collects it."""
        return f"python -m mnist_lab study {self.name}"


SHIPPED_SEED = 0  # the same for all: not the best of several

IMAGES, NOISE = (300, 1_000, 3_000), (0.0, 0.3, 0.4)
# Few images take a moment to learn from, and the test takes longer than that: three tests a run tell enough.
SMALL = PRESETS["noisy-1000"].config.replace(eval_every=10)
ARMS: dict[str, dict[str, Any]] = {
    "bn": {}, "l1-1e-3": {"l1": 1e-3}, "decay-5e-3": {"weight_decay": 5e-3}, "dropout-10": {"dropout": 0.1},
    "gbn-2": {"norm": "ghost", "num_splits": 2}, "gbn-4": {"norm": "ghost", "num_splits": 4},
    "gbn-8": {"norm": "ghost", "num_splits": 8}, "none": {"norm": "none"},
}  # fmt: skip


# What the flagship's recipe consists of, each part taken away or changed by itself.
SEARCH: dict[str, dict[str, Any]] = {
    "best": {}, "no-averaging": {"ema_decay": 0.0}, "no-decay": {"weight_decay": 0.0},
    "unchanged-images": AUGMENTATIONS["none"][1], "milder-changes": AUGMENTATIONS["mild"][1],
    "elastic": {"elastic": 0.6}, "half-the-rate": {"learning_rate": 0.075}, "network-b": {"network": "b"},
}  # fmt: skip


def _short(value: float) -> str:
    """1e-3 for 0.001: a name of a setting is part of the ids of its runs, which have no dots."""
    return f"{value:.0e}".replace("e-0", "e-")


DECAY = (1e-7, 1e-4, 3e-4, 1e-3, 3e-3, 5e-3, 1e-2, 3e-2, 1e-1)
L1 = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
SCAN: dict[str, dict[str, Any]] = {
    "bn": {},
    **{f"l1-{_short(value)}": {"l1": value} for value in L1},
    **{f"l1-proximal-{_short(value)}": {"l1": value, "l1_kind": "proximal"} for value in L1},
    **{f"decay-{_short(value)}": {"weight_decay": value} for value in DECAY},
    **{f"gbn-{splits}": {"norm": "ghost", "num_splits": splits} for splits in (2, 4, 8, 16, 32)},
    **{f"dropout-{100 * rate:.0f}": {"dropout": rate} for rate in (0.05, 0.1, 0.2, 0.3, 0.4)},
}


def _small(images: int, noise: float, arms: dict[str, dict[str, Any]]) -> dict[str, RunConfig]:
    return {
        f"{images}-{100 * noise:.0f}-{arm}": SMALL.replace(train_images=images, label_noise=noise, **changes)
        for arm, changes in arms.items()
    }


def _plans() -> list[Plan]:
    grid: dict[str, RunConfig] = {}
    for images, noise in itertools.product(IMAGES, NOISE):
        grid |= _small(images, noise, ARMS)
    sources = {name: preset.config for name, preset in PRESETS.items() if name.startswith(("a-", "b-"))}
    return [
        Plan("sources", "Every variant of both sources, with that source's own recipe", sources, range(5), ships=True),
        # Its settings were chosen on the validation split with other seeds: these five have had no part in that.
        Plan("best", "The flagship with five fresh seeds", {"best": PRESETS["best"].config}, range(10, 15), ships=True),
        Plan("small-data", "Few images and wrong labels: 3 sizes x 3 shares of noise x 8 settings", grid, range(10)),
        Plan("scan", "A finer scan at 1,000 images with 30 % wrong labels", _small(1_000, 0.3, SCAN), range(10)),
        Plan(
            "search", "The flagship's recipe, part by part, on the validation split",
            {
                f"search-{name}": PRESETS["best"].config.replace(validation=True, **changes)
                for name, changes in SEARCH.items()
            },
            range(100, 103),
        ),
    ]


STUDIES = {plan.name: plan for plan in _plans()}
