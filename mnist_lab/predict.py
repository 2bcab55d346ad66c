"""`predict`: what the Draw page does, for files. `robustness` and `answer-time` measure how well and how fast."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from mnist_lab.digitize import STEPS, Digitized, DigitizeError, digitize
from mnist_lab.presets import ALIASES
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import default_variant, network_of
from mnist_lab.runs.record import RunError, RunSummary

BAD_INPUT = 2
BATCH = 500  # images that are read between two lots of lines
DECIMALS = 6


class NoNetwork(RunError):
    """There is nothing to predict with; the message says what to do."""


def add_predict(commands: Any) -> None:
    """Add the commands and their options."""
    predict = commands.add_parser("predict", help="read pictures of digits")
    predict.set_defaults(run=run_predict)
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="a picture with one digit: PNG, JPEG, ...")
    robustness = commands.add_parser("robustness", help="how well digits are read that are written in many ways")
    robustness.set_defaults(run=run_robustness)
    robustness.add_argument("--mixed", type=int, default=6, metavar="N", help="random hands a glyph (default: 6)")
    answer = commands.add_parser("answer-time", help="how long all networks take to read a drawing")
    answer.set_defaults(run=run_answer_time)
    for command in (predict, robustness):
        command.add_argument("--run", dest="network", metavar="NAME", help="a variant or a run (default: the page's)")
    steps = ", ".join(STEPS)
    predict.add_argument("--without", nargs="+", default=[], choices=list(STEPS), metavar="STEP", help=f"of {steps}")


def chosen_run(name: str | None, library: Library | None = None) -> RunSummary:
    """The run of that id, or the default. Raises `RunError` if there is none, and for one that has no weights."""
    library = library or Library()
    found = default_variant(library) if name is None else library.load(ALIASES.get(name, name))
    if found is None:
        raise NoNetwork("There is no trained network yet. Train one: python -m mnist_lab train")
    return found


def run_predict(options: argparse.Namespace) -> int:
    """A line of JSON on stdout for each picture, a line on stderr for each that has no digit; the exit status."""
    try:
        run = chosen_run(options.network)
        network = network_of(run)
    except RunError as error:
        return _complain(str(error))
    steps = [step for step in STEPS if step not in options.without]
    status = 0
    for start in range(0, len(options.images), BATCH):
        names = options.images[start : start + BATCH]
        found = [_read(name, steps) for name in names]
        for name, done, chances in zip(names, found, _ask(network, found), strict=True):
            if isinstance(done, str):
                status = _complain(f"{name}: {done}")
                continue
            digit = max(range(10), key=chances.__getitem__)
            line = {"image": name, "digit": digit, "probabilities": chances, "run": run.id}
            print(json.dumps(line), flush=True)
    return status


def _read(name: str, steps: Sequence[str]) -> Digitized | str:
    """The digit in a file, or a sentence that says why there is none."""
    try:
        done = digitize(name, steps)
    except DigitizeError as error:
        return str(error)
    except OSError as error:
        return f"The file cannot be read: {error.strerror or error}."
    return done.problem or done


def _ask(network: Any, found: Sequence[Digitized | str]) -> list[list[float]]:
    """The ten probabilities of each digit; none for what is not one."""
    import numpy as np
    import torch

    from mnist_lab.evaluation import predict_logits

    images = [done.image for done in found if isinstance(done, Digitized)]
    if not images:
        return [[] for _ in found]
    answers = iter(predict_logits(network, torch.from_numpy(np.stack(images))).softmax(1).tolist())
    return [
        [round(chance, DECIMALS) for chance in next(answers)] if isinstance(done, Digitized) else [] for done in found
    ]


def run_answer_time(_: argparse.Namespace) -> int:
    """Measure the Draw page's answer, and print one JSON object; the exit status."""
    from mnist_lab.answer_time import answer_time

    try:
        print(json.dumps(answer_time(Library()), indent=2))
    except RunError as error:
        return _complain(str(error))
    return 0


def run_robustness(options: argparse.Namespace) -> int:
    """Write the scripted digits in many ways, read them, and print one JSON object; the exit status."""
    from mnist_lab.robustness import robustness

    if options.mixed < 0:
        return _complain("--mixed must be at least 0.")
    try:
        run = chosen_run(options.network)
        result = robustness(network_of(run), options.mixed, say=lambda text: print(text, file=sys.stderr, flush=True))
    except RunError as error:
        return _complain(str(error))
    print(json.dumps({"run": run.id} | result, indent=2))
    return 0


def _complain(text: str) -> int:
    print(f"mnist_lab: {text}", file=sys.stderr, flush=True)
    return BAD_INPUT
