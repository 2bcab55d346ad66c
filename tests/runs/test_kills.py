"""Runs in a process that is killed or interrupted: what is left of them, and that they can be gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mnist_lab.config import RunConfig
from mnist_lab.runs.record import INTERRUPTED
from mnist_lab.runs.store import RunStore

SCRIPT = Path(__file__).parent / "lab_process.py"
CONFIG = RunConfig(
    epochs=5, train_images=300, batch_size=32, label_noise=0.2, rotation=10, dropout=0.1, norm="ghost", num_splits=4,
    l1=1e-4, weight_decay=1e-3, ema_decay=0.9, nesterov=True, device="cpu",
)
MEASURED = ("seconds", "images_per_second")  # by the clock: never the same twice
pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


@contextmanager
def lab(store: RunStore, *resume: str, **environment: str):
    """The process and the ids of its runs."""
    path = os.pathsep.join([str(SCRIPT.parents[2]), str(SCRIPT.parent), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(store.root), *resume], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | environment, text=True, start_new_session=True,
    )
    try:
        child.stdin.write(json.dumps(CONFIG.to_dict()))
        child.stdin.close()
        yield child, *child.stdout.readline().split()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def wait_for(child: subprocess.Popen, line: str) -> None:
    for told in child.stdout:
        if told.strip() == line:
            return
    pytest.fail(f"the process ended before {line!r}")


def numbers(record) -> list[dict]:
    return [{name: value for name, value in line.items() if name not in MEASURED} for line in record.history]


def test_a_killed_run_that_is_resumed_ends_with_the_numbers_of_one_that_was_not(store):
    with lab(store, SLOW="0.05") as (child, id):
        wait_for(child, "Epoch 1")
        assert store.list()[0].status == "running"
        child.send_signal(signal.SIGKILL)
        child.wait()
    (run,) = store.interrupted()
    assert run.id == id
    assert run.epochs_done >= 1
    with lab(store, id) as (child, resumed, whole):
        assert resumed == id
        wait_for(child, "Finished")
        wait_for(child, "Finished")
    record, expected = store.load(id), store.load(whole)
    assert record.timings["resumed"][0]["after_epoch"] in (run.epochs_done, run.epochs_done - 1)
    assert [line["epoch"] for line in record.history] == list(range(1, 6))
    assert numbers(record) == numbers(expected)
    weights = record.weights()
    assert weights.keys() == expected.weights().keys()
    assert all(torch.equal(weights[name], value) for name, value in expected.weights().items())
    assert (record.test_logits().logits == expected.test_logits().logits).all()
    assert record.summary["test_accuracy"] == expected.summary["test_accuracy"]


def test_interrupting_the_server_stops_the_run_and_keeps_it(store):
    with lab(store, SLOW="0.05") as (child, id):
        wait_for(child, "Epoch 1")
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130
    record = store.load(id)
    assert record.status == "stopped"
    assert 1 <= record.epochs_done == len(record.history) < 5
    assert record.weights()
    assert record.test_logits().logits.shape == (1000, 10)
    assert not list(store.root.glob("*.part"))


def test_interrupting_the_server_does_not_wait_for_a_run_that_does_not_listen(store):
    with lab(store, DEAF="1") as (child, id):
        wait_for(child, "Started")
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130  # a step of this one takes a minute
    assert store.load(id).status == INTERRUPTED
