"""RunConfig: every knob of a run with its default, range, label and help, in one place.

Widgets, captions, file names, URLs, command-line options and the record on disk all derive from the
fields below. Imports nothing but the standard library, so the page can be drawn before torch is loaded.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_lab.knobs import ALL, ConfigError, Knob, knob

GROUPS = {"data": "Data", "network": "Network", "regularization": "Regularization", "training": "Training"}
SCOPES = {"all": "All parameters", "weights": "Weights only"}
SCOPE_HELP = (
    "All trainable parameters, as in both sources, or the convolution weights only (not the norm's scale and shift)."
)
ORIGIN_FIELDS = ("seed", "device", "precision")  # where and when a setting ran, not what the setting is


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run, complete: the same config, data, machine and versions give the same numbers.

    Raises `ConfigError` for a value out of range or settings that contradict each other.
    """

    # Data
    train_images: int | str = knob(
        ALL, "data", "Training images",
        "How many digits the network learns from, the same number of each digit. With few images it can "
        "learn them by heart: that is where regularization has something to do.",
        low=100, high=60_000, suggestions=(100, 300, 1_000, 3_000, 10_000, 30_000), unit="images", word=ALL,
    )
    label_noise: float = knob(
        0.0, "data", "Label noise",
        "Share of the training images that get a wrong label on purpose, drawn from the other nine digits. "
        "A network that believes every label learns these mistakes too. Test labels stay true.",
        low=0.0, high=0.6,
    )
    validation: bool = knob(
        False, "data", "Hold out a validation set",
        "Keeps 5,000 training images aside (500 with the bundled sample). Every epoch is judged on them and "
        "the test set is used once, at the end: the honest way to choose between settings.",
    )
    rotation: float = knob(
        0.0, "data", "Rotation", "Each image is turned by a random angle up to this, in both directions.",
        low=0.0, high=45.0, unit="degrees",
    )
    second_rotation: float = knob(
        0.0, "data", "Second rotation",
        "Another random turn, added to the first. Source A turned its images twice.",
        low=0.0, high=45.0, unit="degrees",
    )
    translation: float = knob(
        0.0, "data", "Shift", "Each image is moved sideways and up or down by up to this share of its width.",
        low=0.0, high=0.3,
    )
    scale: float = knob(
        0.0, "data", "Scale", "Each image is made up to this share smaller or larger.", low=0.0, high=0.5,
    )
    shear: float = knob(
        0.0, "data", "Shear", "Each image is slanted by a random angle up to this, in both directions.",
        low=0.0, high=30.0, unit="degrees",
    )
    elastic: float = knob(
        0.0, "data", "Bend",
        "Each image is bent like rubber: every part of it moves in a direction of its own, typically this far.",
        low=0.0, high=4.0, unit="pixels",
    )
    brightness: float = knob(
        0.0, "data", "Brightness jitter", "Each image is made up to this share darker or brighter.",
        low=0.0, high=0.9,
    )
    contrast: float = knob(
        0.0, "data", "Contrast jitter", "Each image gets up to this share less or more contrast.",
        low=0.0, high=0.9,
    )
    interpolation: str = knob(
        "bilinear", "data", "Interpolation",
        "How a moved image gets its pixels. Bilinear mixes the nearest four, which blurs a little. Nearest takes one "
        "of them, which leaves strokes sharp and ragged; source A did that.",
        choices={"bilinear": "Bilinear", "nearest": "Nearest"},
    )

    # Network
    network: str = knob(
        "b", "network", "Network",
        "A and B are those of two published exercises, sources A and B; C is the lab's own. Parameters are counted "
        "with batch norm (BN).",
        choices={
            "a": "A (6,765 parameters with BN)",
            "b": "B (9,920 parameters with BN)",
            "c": "C (9,976 parameters with BN)",
        },
    )
    norm: str = knob(
        "batch", "network", "Norm",
        "What keeps the numbers between layers in a steady range. Batch norm uses the mean and variance of the "
        "batch; ghost batch norm cuts the batch into smaller ones first, which makes both noisier.",
        choices={
            "batch": "Batch norm (BN)",
            "ghost": "Ghost batch norm (GBN)",
            "none": "None",
            "layer": "Layer norm",
            "group": "Group norm",
        },
    )
    num_splits: int = knob(
        4, "network", "Ghost batches (num_splits)",
        "Into how many ghost batches each batch is cut. More splits, fewer images in each, more noise.",
        low=2, high=32, needs=("norm", ("ghost",)),
    )
    freeze_gamma: bool = knob(
        False, "network", "Freeze gamma at 1",
        "Keeps the norm's scale at 1 instead of learning it, as source B did in its ghost batch norm.",
        needs=("norm", ("batch", "ghost")),
    )
    dropout: float = knob(
        0.0, "network", "Dropout",
        "Share of the numbers between layers set to zero at random while training, so that the network "
        "cannot rely on any single one. Switched off for the test.",
        low=0.0, high=0.5,
    )

    # Regularization
    l1: float = knob(
        0.0, "regularization", "L1 lambda",
        "Adds lambda times the sum of all |w| to the loss: every weight is pulled towards zero by the same "
        "amount, large or small.",
        low=0.0, high=1.0, suggestions=(1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    )
    l1_kind: str = knob(
        "subgradient", "regularization", "L1 step",
        "Subgradient, as in both sources, pushes weights near zero but hardly ever onto it. Proximal shrinks "
        "each weight after the step and stops at zero: exact zeros.",
        choices={"subgradient": "Subgradient", "proximal": "Proximal (exact zeros)"}, needs_positive="l1",
    )
    l1_scope: str = knob(
        "all", "regularization", "L1 on", SCOPE_HELP, choices=SCOPES, needs_positive="l1",
    )
    weight_decay: float = knob(
        0.0, "regularization", "Weight decay (L2)",
        "Shrinks every weight by a share of itself at each step: large weights are pulled hardest.",
        low=0.0, high=1.0, suggestions=(1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 1e-1),
    )
    decay_scope: str = knob(
        "all", "regularization", "Decay on", SCOPE_HELP, choices=SCOPES, needs_positive="weight_decay",
    )

    # Training
    epochs: int = knob(
        6, "training", "Epochs", "How often the network sees every training image.", low=1, high=200,
    )
    eval_every: int = knob(
        1, "training", "Test every", "After how many epochs the network is tested; it always is after the last one. "
        "With few images, testing takes longer than learning.",
        low=1, high=200, unit="epochs",
    )
    batch_size: int = knob(
        128, "training", "Batch size", "How many images are looked at together before the weights change.",
        low=16, high=1024, suggestions=(16, 32, 64, 128, 256, 512, 1024), unit="images",
    )
    optimizer: str = knob(
        "sgd", "training", "Optimizer", "The rule that turns gradients into steps.",
        choices={"sgd": "SGD", "adamw": "AdamW"},
    )
    learning_rate: float = knob(
        0.1, "training", "Learning rate",
        "How far each step goes; with the one-cycle schedule, the highest value on the way.",
        low=1e-6, high=10.0, suggestions=(1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.15, 0.3),
    )
    momentum: float = knob(
        0.9, "training", "Momentum", "How much of the last step is kept in the next.",
        low=0.0, high=0.99, needs=("optimizer", ("sgd",)),
    )
    nesterov: bool = knob(
        False, "training", "Nesterov momentum", "Looks ahead along the momentum before it takes the gradient.",
        needs=("optimizer", ("sgd",)),
    )
    schedule: str = knob(
        "one-cycle", "training", "Schedule",
        "How the learning rate changes: not at all, in steps, or up and then down to almost zero.",
        choices={"constant": "Constant", "step": "Step", "one-cycle": "One-cycle"},
    )
    step_epochs: int = knob(
        5, "training", "Epochs per step", "After how many epochs the learning rate is lowered.",
        low=1, high=200, unit="epochs", needs=("schedule", ("step",)),
    )
    step_factor: float = knob(
        0.5, "training", "Step factor", "What the learning rate is multiplied by at each step.",
        low=0.01, high=1.0, needs=("schedule", ("step",)),
    )
    warmup: float = knob(
        0.25, "training", "Warm-up", "Share of the run in which the learning rate rises.",
        low=0.01, high=0.9, needs=("schedule", ("one-cycle",)),
    )
    ema_decay: float = knob(
        0.0, "training", "Weight averaging (EMA decay)",
        "Tests a running average of the weights instead of the latest ones; 0 is off, 0.99 averages over "
        "about 100 steps.",
        low=0.0, high=0.9999, suggestions=(0.9, 0.99, 0.995, 0.999),
    )
    seed: int = knob(
        0, "training", "Seed",
        "Start of every random choice: initial weights, order of the images, noise, dropout. The same seed "
        "gives the same run.",
        low=0, high=2**31 - 1,
    )
    device: str = knob(
        "auto", "training", "Device", "Where the network is trained. Auto takes a GPU where there is one.",
        choices={"auto": "Auto", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"},
    )
    precision: str = knob(
        "auto", "training", "Precision",
        "bfloat16 is faster where the processor has it in hardware, which is when auto takes it. Tests are "
        "always in float32.",
        choices={"auto": "Auto", "float32": "float32", "bfloat16": "bfloat16"},
    )

    def __post_init__(self) -> None:
        for name in KNOBS:
            object.__setattr__(self, name, _tidy(name, getattr(self, name)))
        problems = check({name: getattr(self, name) for name in KNOBS})
        if problems:
            raise ConfigError(problems)

    def replace(self, **changes: Any) -> RunConfig:
        """A copy with some knobs changed; raises `ConfigError` as the constructor does."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Every knob by name, ready for JSON."""
        return dataclasses.asdict(self)

    def matters(self, name: str) -> bool:
        """Whether a knob changes anything, given the others (momentum does not under AdamW)."""
        return matters(name, self.to_dict())


KNOBS: dict[str, Knob] = {f.name: f.metadata["knob"] for f in dataclasses.fields(RunConfig)}
TYPES: dict[str, Any] = typing.get_type_hints(RunConfig)
DEFAULTS: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(RunConfig)}


def matters(name: str, values: Mapping[str, Any]) -> bool:
    """Whether the knob `name` changes anything for these values of the others."""
    needs, positive = KNOBS[name].needs, KNOBS[name].needs_positive
    return not (needs and values[needs[0]] not in needs[1]) and not (positive and not values[positive] > 0)


def check(values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with these values: knob name -> one sentence. Empty when a `RunConfig` can be made."""
    problems = {name: text for name in KNOBS if (text := problem(name, values[name]))}
    return problems or _contradictions(values)


# The knobs that can contradict one another, under the name of the one that `check` then complains of; no knob twice.
TOGETHER = {"num_splits": ("norm", "num_splits", "batch_size"), "nesterov": ("optimizer", "momentum", "nesterov")}


def _contradictions(values: Mapping[str, Any]) -> dict[str, str]:
    problems = {}
    if values["norm"] == "ghost" and values["num_splits"] > values["batch_size"]:
        problems["num_splits"] = (
            f"Ghost batches: {values['num_splits']} splits need at least as many images in a batch, and the batch "
            f"has {values['batch_size']}. Choose fewer splits or a larger batch."
        )
    if values["optimizer"] == "sgd" and values["nesterov"] and values["momentum"] == 0:
        problems["nesterov"] = "Nesterov momentum needs a momentum above 0. Raise the momentum or switch it off."
    return problems


def _tidy(name: str, value: Any) -> Any:
    """An int where a float is meant becomes a float, so that 0 and 0.0 make equal configs and equal files."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    fits = is_whole and KNOBS[name].high is not None and abs(value) <= KNOBS[name].high  # a huge int is no float
    return float(value) if TYPES[name] is float and fits else value


def problem(name: str, value: Any) -> str | None:
    """What is wrong with one value, whatever the others are; None when it is allowed."""
    return KNOBS[name].problem(value, TYPES[name])
