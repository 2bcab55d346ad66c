"""What the tests of runs share: a training that takes no time, a store and a queue of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package, and subprocesses need fake_training too

import fake_training

from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.store import RunStore


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def gate():
    """A training that waits, epoch by epoch, until the test lets it go on."""
    made = fake_training.Gate()
    yield made
    made.open()


@pytest.fixture
def make_queue(store):
    queues = []

    def make(train=None, workers=1, **options) -> RunQueue:
        train = train or fake_training.make_train()
        queues.append(RunQueue(store, workers, train=train, load_data=fake_training.load_data, **options))
        return queues[-1]

    yield make
    for queue in queues:
        queue.shutdown(timeout=10)
