"""What a run says while it goes. Plain data: no torch, no UI, ready to be replayed from the first event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Preparing:
    """Before the first step: what is being waited for, and how far it is (0 to 1, None when unknown)."""

    message: str
    fraction: float | None = None


@dataclass(frozen=True, kw_only=True)
class Started:
    """The network is built and the data is on the device; the first step comes next.

    `data` has `source`, `location`, `checksum`, `note`, `train_images`, `test_images`, `eval_name`,
    `changed_labels` (how many training labels the noise made wrong).
    `first_epoch` is 1, or more for a run that was resumed.
    """

    device: str
    precision: str
    threads: int
    parameters: int
    trainable_parameters: int
    epochs: int
    steps_per_epoch: int
    first_epoch: int
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """Progress inside an epoch, a few times a second: means since the `Step` before.

    `progress` is in epochs (2.5 is the middle of the third). `loss` is the data loss alone and `penalty` the L1
    term (both in nats, mean over images); `learning_rate` is the one this step was taken with; `images_per_second`
    counts training only.
    """

    epoch: int
    step: int
    progress: float
    loss: float
    penalty: float
    learning_rate: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One line of the history. Accuracies are in per cent, losses in nats, `seconds` since the run started.

    `train_accuracy` is on the labels trained on, as met during the epoch; `train_accuracy_true` compares the same
    answers with the true labels. `eval_*` is on the set named by `eval_name` ("test" or "validation"), and None for an
    epoch after which the config did not want a test.
    `small_weights` and `zero_weights` are shares (0 to 1) of the convolution weights with |w| < 1e-3 and w = 0.
    `histograms` maps a convolution's name to `{"edges": [...], "counts": [...]}`.
    """

    epoch: int
    train_loss: float
    penalty: float
    train_accuracy: float
    train_accuracy_true: float
    eval_loss: float | None
    eval_accuracy: float | None
    eval_name: str
    learning_rate: float
    weight_norm: float
    small_weights: float
    zero_weights: float
    images_per_second: float
    seconds: float
    histograms: dict[str, dict[str, list[float]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The run came to its end. `summary` is what the record and the command line report."""

    summary: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """Somebody stopped the run; the weights of the last finished epoch are kept. Just as valid as a finished one."""

    summary: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The run ended by an error. `message` is for a student, `traceback` for whoever mends it."""

    message: str
    traceback: str = ""


Event = Preparing | Started | Step | Epoch | Finished | Stopped | Failed
LAST_EVENTS = (Finished, Stopped, Failed)
