"""Named presets: the lab's own, every variant of both published exercises, and augmentations.

The recipes of the exercises are facts about `Source A` and `Source B`; see the README for what they are.
"""

from __future__ import annotations

import difflib
import itertools
from dataclasses import dataclass
from typing import Any

from mnist_lab.config import ConfigError, RunConfig
from mnist_lab.config_forms import same_setting

NO_AUGMENTATION = dict(
    rotation=0.0, second_rotation=0.0, translation=0.0, scale=0.0, shear=0.0, elastic=0.0, brightness=0.0,
    contrast=0.0, interpolation="bilinear",
)
# name -> (label, knobs). Source A: RandomRotation(7), RandomAffine(20, translate 0.1, scale 0.9 to 1.1),
# ColorJitter(0.1, 0.1), with torchvision's default interpolation.
AUGMENTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("None", NO_AUGMENTATION),
    "slight": ("Slight, as in Fast", NO_AUGMENTATION | dict(
        rotation=6.0, translation=0.04, scale=0.05,
    )),
    "mild": ("Mild (turn, shift, scale, slant a little)", NO_AUGMENTATION | dict(
        rotation=8.0, translation=0.06, scale=0.08, shear=5.0,
    )),
    "strong": ("Strong, as in Best", NO_AUGMENTATION | dict(
        rotation=10.0, translation=0.08, scale=0.1, shear=5.0,
    )),
    "source-a": ("Source A's recipe", NO_AUGMENTATION | dict(
        rotation=7.0, second_rotation=20.0, translation=0.1, scale=0.1, brightness=0.1, contrast=0.1,
        interpolation="nearest",
    )),
}


@dataclass(frozen=True)
class Preset:
    """A named `RunConfig` with a title and one sentence on what it is for."""

    name: str
    title: str
    help: str
    config: RunConfig


SOURCE_A = RunConfig(
    network="a", dropout=0.01, epochs=25, batch_size=128, learning_rate=0.1, momentum=0.9, schedule="step",
    step_epochs=5, step_factor=0.5, num_splits=2, **AUGMENTATIONS["source-a"][1],
)
SOURCE_B = RunConfig(
    network="b", dropout=0.05, epochs=25, batch_size=128, learning_rate=0.01, momentum=0.9,
    schedule="constant", num_splits=4,
)
L1 = {"a": 1e-4, "b": 1e-4}
WEIGHT_DECAY = {"a": 1e-4, "b": 1e-5}  # source A wrote "L2" but ran weight_decay=0; 1e-4 is ours
# Rows that source A called L2 and ran with weight_decay=0: the same configuration under a second name.
ALIASES = {
    "a-source-l2-bn": "a-bn",
    "a-source-l1-l2-bn": "a-l1-bn",
    "a-source-l1-l2-gbn": "a-l1-gbn",
}


def _variant(network: str, norm: str, l1: bool, l2: bool) -> Preset:
    base = SOURCE_A if network == "a" else SOURCE_B
    config = base.replace(
        norm=norm,
        freeze_gamma=network == "b" and norm == "ghost",
        l1=L1[network] if l1 else 0.0,
        weight_decay=WEIGHT_DECAY[network] if l2 else 0.0,
    )
    parts = ["L1"] * l1 + ["L2"] * l2 + ["GBN" if norm == "ghost" else "BN"]
    name = "-".join([network, *parts]).lower()
    own = " with a real weight decay" if network == "a" and l2 else ""
    return Preset(
        name, f"Source {network.upper()}: {' + '.join(parts)}",
        f"Source {network.upper()}'s recipe{own}: 25 epochs on all images, {' + '.join(parts)}.", config,
    )


def _own() -> list[Preset]:
    # Averaging brings 99.4 % two epochs earlier; the small changes keep the last epochs from learning by heart. Chosen
    # on the validation split with seeds 100 to 102.
    fast = RunConfig(
        network="b", epochs=10, learning_rate=0.15, nesterov=True, schedule="one-cycle", ema_decay=0.995,
        weight_decay=2e-4, decay_scope="weights", **AUGMENTATIONS["slight"][1],
    )
    # Chosen on the validation split alone: no setting was compared on the test set.
    best = RunConfig(
        network="c", epochs=20, batch_size=64, learning_rate=0.15, nesterov=True, schedule="one-cycle",
        ema_decay=0.998, weight_decay=1e-4, decay_scope="weights", **AUGMENTATIONS["strong"][1],
    )
    noisy = RunConfig(
        network="b", train_images=1_000, label_noise=0.3, epochs=30, eval_every=3, batch_size=64, learning_rate=0.1,
        schedule="one-cycle",
    )
    return [
        Preset(
            "fast", "Fast: 99.4 % in 10 epochs",
            "Network B on all images: ten one-cycle epochs, images slightly changed, weights averaged.", fast,
        ),
        Preset(
            "best", "Best: what fewer than 10,000 parameters can do",
            "Network C on all images: twenty one-cycle epochs of small batches, images changed, weights averaged. "
            "Takes several minutes.", best,
        ),
        Preset(
            "noisy-1000", "1,000 noisy images",
            "1,000 images with 30 % wrong labels: here regularization moves the test accuracy by points, and a "
            "run takes seconds.", noisy,
        ),
    ]


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in _own() + [
        _variant(network, norm, l1, l2)
        for network, norm, (l1, l2) in itertools.product(
            "ab", ("batch", "ghost"), [(False, False), (True, False), (False, True), (True, True)]
        )
    ]
}
DEFAULT_PRESET = "fast"


def preset(name: str) -> Preset:
    """The preset of that name or alias. Raises `ConfigError` with the nearest names for one that does not exist."""
    found = PRESETS.get(ALIASES.get(name, name))
    if found is None:
        near = difflib.get_close_matches(name, [*PRESETS, *ALIASES], n=3) or list(PRESETS)
        raise ConfigError({"preset": f"There is no preset {name!r}. Try one of: {', '.join(near)}."})
    return found


def preset_of(config: RunConfig) -> str | None:
    """The name of the preset with exactly these settings, whatever the seed, device and precision."""
    return next((name for name, known in PRESETS.items() if same_setting(known.config, config)), None)
