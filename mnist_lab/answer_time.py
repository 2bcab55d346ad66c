"""How long the Draw page takes to answer: from a drawing to what every network says about it."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from mnist_lab.answers import probabilities
from mnist_lab.data.strokes import GLYPHS, write
from mnist_lab.digitize import digitize
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import network_of
from mnist_lab.runs.record import RunError

ROUNDS = 3


def answer_time(library: Library) -> dict[str, Any]:
    """Milliseconds for a drawing of 280 x 280, median and largest over all scripted digits, after the first.

    Raises:
        RunError: no network has been trained.
    """
    networks = [network_of(run) for run in library.list()]
    if not networks:
        raise RunError("There is no trained network yet. Train one: python -m mnist_lab train")
    pages = [write(glyph) for glyph in GLYPHS]
    steps, answers = [], []
    for _ in range(ROUNDS):
        for page in pages:
            started = time.perf_counter()
            image = torch.from_numpy(digitize(page).image)[None]
            between = time.perf_counter()
            probabilities(networks, image)
            steps.append(1000 * (between - started))
            answers.append(1000 * (time.perf_counter() - between))
    whole = [first + second for first, second in zip(steps, answers, strict=True)][1:]
    return {
        "networks": len(networks), "threads": torch.get_num_threads(), "drawings": len(whole),
        "milliseconds": round(statistics.median(whole), 1), "largest": round(max(whole), 1),
        "steps": round(statistics.median(steps[1:]), 1), "answers": round(statistics.median(answers[1:]), 1),
    }
