"""Runs of a class on disk, written without training."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

import fake_training

from mnist_lab.runs.store import RunStore
from mnist_lab.runs.writer import RunWriter

CONFIG = fake_training.CONFIG


def finished(
    store: RunStore, accuracy: float = 90.0, *, owner: str | None = "0f" * 32, config=CONFIG, seconds: float = 4.0,
    checksum: str = "ab" * 32, status: str = "finished",
) -> str:
    """The id of a run that ended with that test accuracy (%)."""
    id = store.new_id(config)
    writer = RunWriter.create(store.root, id, config, owner_hash=owner)
    event = fake_training.started_event(config)
    writer.started(event.__class__(**vars(event) | {"data": event.data | {"checksum": checksum}}))
    for epoch in range(1, config.epochs + 1):
        writer.epoch(fake_training.epoch_event(epoch, 1.0))
    trained = fake_training.result(config, status, [{}] * config.epochs, fake_training.torch.tensor([1.0]))
    trained.summary["test_accuracy"] = accuracy
    trained.timings["seconds"] = seconds
    writer.finish(trained)
    writer.close()
    return id
