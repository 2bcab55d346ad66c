"""Runs made by hand for the Mistakes page: on the bundled sample, or on "MNIST", with the errors that a test wants."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

import fake_training

from mnist_lab.config import RunConfig
from mnist_lab.data import files
from mnist_lab.nn.networks import build_network
from mnist_lab.runs.record import RunRecord
from mnist_lab.runs.writer import RunWriter
from mnist_lab.training import TrainedRun

CONFIG = RunConfig(network="b", norm="ghost", epochs=1, train_images=200)


def sample_labels() -> np.ndarray:
    """The labels of the sample's 1,000 test images."""
    return files.read_sample()[1][files.SAMPLE_TRAIN :].astype(np.int64)


def make_run(
    root: Path, id: str, labels: np.ndarray, errors: dict[int, int], *, sure: float = 4.0, config: RunConfig = CONFIG,
    checksum: str = files.SAMPLE_CHECKSUM, source: str = "sample",
) -> RunRecord:
    """A finished run that read image `index` as `errors[index]` and all others as labelled, with untrained weights."""
    answers = labels.copy()
    for index, answer in errors.items():
        answers[index] = answer
    logits = np.eye(10, dtype=np.float32)[answers] * sure
    logits[:, 0] += np.linspace(0, 1, len(labels), dtype=np.float32)  # no two images are alike
    writer = RunWriter.create(root, id, config)
    started = fake_training.started_event(config)
    started.data.update(checksum=checksum, source=source, test_images=len(labels))
    writer.started(started)
    writer.epoch(fake_training.epoch_event(1))
    writer.finish(TrainedRun(
        config=config, history=[], status="finished", weights=build_network(config).state_dict(),
        test_logits=torch.from_numpy(logits), test_labels=torch.from_numpy(labels),
        summary={"parameters": 9920, "epochs": 1, "test_accuracy": 99.0}, timings={"seconds": 1.0},
    ))
    return writer.record
