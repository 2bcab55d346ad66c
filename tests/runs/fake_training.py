"""A stand-in for `mnist_lab.training.train`: the same events, results and checkpoints, from arithmetic alone."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from types import SimpleNamespace

import torch

from mnist_lab.config import RunConfig
from mnist_lab.events import Epoch, Started, Step
from mnist_lab.training import Checkpoint, TrainedRun

CONFIG = RunConfig(epochs=3, batch_size=64)
IMAGES = 20
DATA = SimpleNamespace(source="sample", location="here", checksum="ab" * 32, note="")


def load_data(progress=None):
    progress("Reading", 0.5)
    return DATA


class Gate:
    """Call it as `on_step`: each epoch waits for `let(1)`; `open()` lets everything through."""

    def __init__(self):
        self.permits, self.reached, self.is_open = threading.Semaphore(0), threading.Semaphore(0), False

    def __call__(self, epoch: int, step: int, should_stop) -> None:
        if step == 1:
            self.reached.release()
            while not self.is_open and not should_stop() and not self.permits.acquire(timeout=0.01):
                pass

    def wait(self) -> None:
        """Until the training is at the gate."""
        assert self.reached.acquire(timeout=20), "the training did not get there"

    def let(self, epochs: int) -> None:
        self.permits.release(epochs)

    def open(self) -> None:
        self.is_open = True


def epoch_event(epoch: int, weight: float = 0.0) -> Epoch:
    return Epoch(
        epoch=epoch, train_loss=weight, penalty=0.0, train_accuracy=90.0 + epoch, train_accuracy_true=91.0 + epoch,
        eval_loss=0.2, eval_accuracy=92.5, eval_name="test", learning_rate=0.1, weight_norm=abs(weight),
        small_weights=0.0, zero_weights=0.0, images_per_second=1000.0, seconds=float(epoch),
        histograms={"0": {"edges": [0.0, 1.0], "counts": [1.0]}},
    )


def started_event(config: RunConfig = CONFIG, first_epoch: int = 1) -> Started:
    data = vars(DATA) | {"train_images": 100, "test_images": IMAGES, "eval_name": "test", "changed_labels": 0}
    return Started(
        device="cpu", precision="float32", threads=1, parameters=9920, trainable_parameters=9836, epochs=config.epochs,
        steps_per_epoch=4, first_epoch=first_epoch, data=data,
    )


def make_train(steps: int = 4, pause: float = 0.0, on_step=None):
    """`on_step(epoch, step, should_stop)` runs before each step and may wait or raise; `pause` is in seconds."""

    def train(config, data, emit, should_stop, *, resume=None, on_checkpoint=None, in_a_hurry=None):
        weight = resume.tensors["model.weight"].clone() if resume else torch.tensor([1.0 + config.seed])
        history = list(resume.history) if resume else []
        emit(started_event(config, len(history) + 1))
        kept = weight.clone()
        for epoch in range(len(history) + 1, config.epochs + 1):
            for step in range(1, steps + 1):
                if on_step:
                    on_step(epoch, step, should_stop)
                if should_stop():
                    return result(config, "stopped", history, kept)
                time.sleep(pause)
                weight = weight * 1.25 + epoch
                progress = epoch - 1 + step / steps
                emit(Step(epoch=epoch, step=step, progress=progress, loss=1.0, penalty=0.0, learning_rate=0.1,
                          images_per_second=1.0, seconds_left=1.0))
            kept = weight.clone()
            event = epoch_event(epoch, weight.item())
            history.append(asdict(event))
            if on_checkpoint:
                on_checkpoint(Checkpoint(
                    epoch=epoch, tensors={"model.weight": kept}, history=list(history), seconds=float(epoch)
                ))
            emit(event)
        return result(config, "finished", history, kept)

    return train


def noting_hurry(train, told: list[bool]):
    """`train`, which adds to `told` whether it was in a hurry when it ended."""

    def wrapped(*given, in_a_hurry, **options):
        try:
            return train(*given, **options)
        finally:
            told.append(in_a_hurry())

    return wrapped


def result(config, status: str, history: list, weight) -> TrainedRun:
    logits = torch.arange(IMAGES * 10).float().reshape(IMAGES, 10) % 7
    return TrainedRun(
        config=config, history=history, status=status, weights={"weight": weight} if history else {},
        test_logits=logits if history else logits[:0], test_labels=torch.arange(IMAGES if history else 0) % 10,
        summary={"parameters": 9920, "epochs": len(history)}, timings={"seconds": float(len(history))},
    )
