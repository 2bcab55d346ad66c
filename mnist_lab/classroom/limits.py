"""What one browser, and the class as a whole, may ask of the server. From the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from mnist_lab.config import ALL, KNOBS, RunConfig
from mnist_lab.config_forms import FALSE, TRUE
from mnist_lab.runs.record import RunError

SWITCH = "MNIST_LAB_CLASS"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Each is `MNIST_LAB_CLASS_` and its name in capitals in the environment.

    `queue` and `queue_each` are runs under way or in line, of all and of one browser; `runs` and `runs_each` are runs
    on disk that browsers have started; `epochs` and `images` are of one run.
    """

    queue: int = 60
    queue_each: int = 20
    runs: int = 1_000
    runs_each: int = 40
    epochs: int = 30
    images: int = 10_000

    def problems(self, config: RunConfig) -> dict[str, str]:
        """What is too much for the class: knob name -> a sentence."""
        wrong = {}
        if config.epochs > self.epochs:
            wrong["epochs"] = f"In this class a run has at most {self.epochs} epochs. Choose fewer."
        every = KNOBS["train_images"].high  # what "all" stands for
        if (every if config.train_images == ALL else config.train_images) > self.images:
            wrong["train_images"] = f"In this class a run has at most {self.images:,} training images. Choose fewer."
        return wrong


def is_on() -> bool:
    """Whether this server is for a class: MNIST_LAB_CLASS. Raises `RunError` for a value that says neither."""
    text = os.environ.get(SWITCH, "").strip().lower()
    if text in TRUE:
        return True
    if text and text not in FALSE:
        raise RunError(f"{SWITCH} must be 1 or 0, not {text!r}.")
    return False


def from_environment() -> Limits:
    """The limits as the server was started with them. Raises `RunError` for one that is no whole number above 0."""
    chosen = {}
    for field in fields(Limits):
        variable = f"{SWITCH}_{field.name.upper()}"
        if text := os.environ.get(variable, "").strip():
            if not (text.isascii() and text.isdecimal()) or int(text) < 1:
                raise RunError(f"{variable} must be a whole number above 0, not {text!r}.")
            chosen[field.name] = int(text)
    return Limits(**chosen)
