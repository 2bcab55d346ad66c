"""train(config, data, emit, should_stop) -> TrainedRun: what happens in a run, in order."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mnist_lab.config import RunConfig
from mnist_lab.data.mnist import Mnist
from mnist_lab.data.regime import Regime, make_regime
from mnist_lab.device import freeze_loaded, keep_freed_memory, resolve_device, resolve_precision
from mnist_lab.events import Epoch, Event, Finished, Started, Step, Stopped
from mnist_lab.measures import loss_and_accuracy, weight_measures
from mnist_lab.nn.networks import count_parameters
from mnist_lab.trainer import Counts, Tally, Trainer, to_cpu_copy

REPORT_SECONDS = 0.25  # how often a `Step` is emitted, and the only reads from the device inside an epoch
DIVERGED = 100.0  # nats: guessing evenly among ten digits costs 2.3

Emit = Callable[[Event], None]
ShouldStop = Callable[[], bool]


class TrainingFailed(Exception):
    """The run cannot go on. The message says the likely cause and what to change."""


@dataclass(frozen=True)
class Checkpoint:
    """A run after its first `epoch` epochs. `tensors` are on the CPU; all randomness follows from the config.

    `seconds` is the wall time so far, over all sittings; the other two are the parts of it that epochs and tests took.
    """

    epoch: int
    tensors: dict[str, Tensor]
    history: list[dict[str, Any]]
    seconds: float
    training_seconds: float = 0.0
    evaluating_seconds: float = 0.0


@dataclass(frozen=True)
class TrainedRun:
    """What is left of a run: `weights` is the tested network's state dict and `test_logits` [M, 10] its answers.

    `status` is "finished" or "stopped"; a run stopped before its first epoch ended has no weights and no logits.
    """

    config: RunConfig
    status: str
    history: list[dict[str, Any]]
    weights: dict[str, Tensor]
    test_logits: Tensor | None
    test_labels: Tensor
    summary: dict[str, Any]
    timings: dict[str, float] = field(default_factory=dict)


def train(
    config: RunConfig,
    data: Mnist,
    emit: Emit,
    should_stop: ShouldStop,
    *,
    resume: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
    in_a_hurry: ShouldStop | None = None,
) -> TrainedRun:
    """Train the network of `config` and report through `emit`, which gets every event but `Failed`.

    `should_stop` is asked before every batch, in training and in evaluation. `on_checkpoint` is called after every
    epoch, before its `Epoch` event; a run continued with `resume` ends with the numbers of one that was never
    interrupted (same machine, device, thread count and versions). A run stopped after an epoch without a test is tested
    at its end; `in_a_hurry`, asked before every batch of that test, leaves it out.

    Raises `TrainingFailed` when the loss diverges, `ConfigError` for a device that is not there, ValueError when the
    data has fewer images than the config asks for.
    """
    run = _Run(config, data, emit, should_stop, resume, in_a_hurry)
    emit(run.started())
    while run.epoch < config.epochs and run.train_epoch() and (checkpoint := run.finish_epoch()):
        if on_checkpoint is not None:
            on_checkpoint(checkpoint)
        emit(Epoch(**run.history[-1]))
    trained = run.result()
    emit(Finished(summary=trained.summary) if trained.status == "finished" else Stopped(summary=trained.summary))
    return trained


class _Run:
    """The state of `train`: which epoch, since when, and what was seen so far."""

    def __init__(
        self, config: RunConfig, data: Mnist, emit: Emit, should_stop: ShouldStop, resume: Checkpoint | None,
        in_a_hurry: ShouldStop | None,
    ):
        keep_freed_memory()
        self.config, self.data, self.emit, self.should_stop = config, data, emit, should_stop
        self.in_a_hurry = in_a_hurry
        self.device = resolve_device(config.device)
        self.precision = resolve_precision(config.precision, self.device)
        self.regime: Regime = make_regime(config, data)
        self.trainer = Trainer(config, self.regime, self.device, self.precision)
        freeze_loaded()
        self.history = list(resume.history) if resume else []
        self.epoch = resume.epoch if resume else 0
        self.first_epoch = self.epoch + 1
        self.eval_logits: Tensor | None = None
        self.weights: dict[str, Tensor] = {}
        if resume:
            self.trainer.restore(resume.tensors)
            self.weights = self._tested_weights()
        self.began = time.perf_counter() - (resume.seconds if resume else 0.0)
        self.training_seconds = resume.training_seconds if resume else 0.0
        self.evaluating_seconds = resume.evaluating_seconds if resume else 0.0

    def started(self) -> Started:
        total, trainable = count_parameters(self.trainer.model)
        changed = int((self.regime.train_labels != self.regime.true_labels).sum())
        return Started(
            device=str(self.device), precision=self.precision, threads=torch.get_num_threads(), parameters=total,
            trainable_parameters=trainable, epochs=self.config.epochs,
            steps_per_epoch=self.trainer.steps_per_epoch, first_epoch=self.first_epoch,
            data={
                "source": self.data.source, "location": self.data.location, "checksum": self.data.checksum,
                "note": self.data.note, "train_images": len(self.regime.train_images),
                "test_images": len(self.regime.test_images), "eval_images": len(self.regime.eval_images),
                "eval_name": self.regime.eval_name, "changed_labels": changed,
            },
        )

    def train_epoch(self) -> bool:
        """All batches of the next epoch; False when stopped on the way, and then the epoch does not count."""
        trainer, tally = self.trainer, Tally(self.device)
        started = self.reported = time.perf_counter()
        self.last_counts = Counts(0, 0.0, 0.0, 0.0, 0.0)
        for number, batch in enumerate(trainer.batches(self.epoch + 1), start=1):
            if self.should_stop():
                return False
            trainer.step(batch, tally)
            if time.perf_counter() - self.reported >= REPORT_SECONDS:
                self._report(number, tally)
        self.counts = tally.read(trainer.penalty())
        self._check(self.counts.loss / self.counts.images, trainer.steps_per_epoch)
        self.epoch_seconds = time.perf_counter() - started
        self.training_seconds += self.epoch_seconds
        return True

    def _report(self, number: int, tally: Tally) -> None:
        now, counts, steps = tally.read(self.trainer.penalty()), self.last_counts, self.trainer.steps_per_epoch
        images = now.images - counts.images
        loss = (now.loss - counts.loss) / images
        self._check(loss, number)
        clock = time.perf_counter()
        rate = images / (clock - self.reported)
        self.emit(Step(
            epoch=self.epoch + 1, step=number, progress=self.epoch + number / steps, loss=loss, penalty=now.penalty,
            learning_rate=self.last_learning_rate(), images_per_second=rate,
            seconds_left=self._seconds_left(number, rate),
        ))
        self.reported, self.last_counts = clock, now

    def _seconds_left(self, number: int, rate: float) -> float:
        epochs_left = self.config.epochs - self.epoch - number / self.trainer.steps_per_epoch
        evaluating = self.evaluating_seconds / self.epoch if self.epoch else 0.0
        return epochs_left * len(self.trainer.images) / rate + (self.config.epochs - self.epoch) * evaluating

    def _check(self, loss: float, step: int) -> None:
        if not math.isfinite(loss) or loss > DIVERGED:
            raise TrainingFailed(explain_divergence(self.config, self.epoch + 1, step, loss))

    def finish_epoch(self) -> Checkpoint | None:
        """Evaluate, add a line to the history and return what is needed to go on from here; None when stopped."""
        clock = time.perf_counter()
        logits = loss = accuracy = None
        self.trainer.settle()
        if (self.epoch + 1) % self.config.eval_every == 0 or self.epoch + 1 == self.config.epochs:
            logits = self.trainer.predict(self.regime.eval_images, self.should_stop)
            if logits is None:
                return None
            loss, accuracy = loss_and_accuracy(logits, self.regime.eval_labels)
        self.eval_logits = logits
        counts, images = self.counts, self.counts.images
        self.evaluating_seconds += time.perf_counter() - clock
        measures = weight_measures(self.trainer.tested)
        if not math.isfinite(measures["weight_norm"] + (loss or 0.0)):
            raise TrainingFailed(
                explain_divergence(self.config, self.epoch + 1, self.trainer.steps_per_epoch, math.nan)
            )
        self.weights = self._tested_weights()
        self.epoch += 1
        record = Epoch(
            epoch=self.epoch, train_loss=counts.loss / images, penalty=counts.penalty,
            train_accuracy=100 * counts.correct / images, train_accuracy_true=100 * counts.correct_true / images,
            eval_loss=loss, eval_accuracy=accuracy, eval_name=self.regime.eval_name,
            learning_rate=self.last_learning_rate(), images_per_second=images / self.epoch_seconds,
            seconds=self.seconds(), **measures,
        )
        self.history.append(dataclasses.asdict(record))
        return Checkpoint(
            self.epoch, self.trainer.state(), list(self.history), self.seconds(), self.training_seconds,
            self.evaluating_seconds,
        )

    def last_learning_rate(self) -> float:
        """The learning rate of the last step that was taken."""
        return self.trainer.optimizer.param_groups[0]["lr"]

    def seconds(self) -> float:
        """Wall time of the run so far, the time before an interruption included."""
        return time.perf_counter() - self.began

    def _tested_weights(self) -> dict[str, Tensor]:
        return {name: to_cpu_copy(value) for name, value in self.trainer.tested.state_dict().items()}

    def result(self) -> TrainedRun:
        """The run as it is kept: the weights of the last finished epoch, and their answers to the test set."""
        status = "finished" if self.epoch == self.config.epochs else "stopped"
        test_logits = self._test_logits(self.in_a_hurry if status == "stopped" else None)
        timings = {
            "seconds": self.seconds(), "training_seconds": self.training_seconds,
            "evaluating_seconds": self.evaluating_seconds,
        }
        return TrainedRun(
            self.config, status, self.history, self.weights, test_logits, self.regime.test_labels,
            self._summary(test_logits), timings,
        )

    def _test_logits(self, should_stop: ShouldStop | None) -> Tensor | None:
        if not self.history:
            return None
        if self.regime.eval_name == "test" and self.eval_logits is not None:
            return self.eval_logits
        self.trainer.tested.load_state_dict(self.weights)  # a stopped epoch has moved them on
        return self.trainer.predict(self.regime.test_images, should_stop)

    def _summary(self, test_logits: Tensor | None) -> dict[str, Any]:
        total, trainable = count_parameters(self.trainer.model)
        summary: dict[str, Any] = {
            "parameters": total, "trainable_parameters": trainable, "epochs": self.epoch,
            "seconds": self.seconds(), "device": str(self.device), "precision": self.precision,
            "eval_name": self.regime.eval_name, "test_images": len(self.regime.test_images),
            "test_accuracy": None, "test_loss": None, "best_test_accuracy": None, "best_epoch": None,
            "train_accuracy": None, "images_per_second": None,
        }
        if test_logits is not None:
            loss, accuracy = loss_and_accuracy(test_logits, self.regime.test_labels)
            rates = sorted(line["images_per_second"] for line in self.history)
            summary |= {
                "test_accuracy": accuracy, "test_loss": loss, "train_accuracy": self.history[-1]["train_accuracy"],
                "images_per_second": rates[len(rates) // 2],
            }
            if self.regime.eval_name == "test":  # with a validation set nothing was chosen on the test set
                tested = [line for line in self.history if line["eval_accuracy"] is not None]
                best = max(tested, key=lambda line: line["eval_accuracy"], default=None)
                if best:
                    summary |= {"best_test_accuracy": best["eval_accuracy"], "best_epoch": best["epoch"]}
        return summary


def explain_divergence(config: RunConfig, epoch: int, step: int, loss: float) -> str:
    """What happened and the likely cause, for a student."""
    what = f"The loss grew to {loss:,.0f}" if math.isfinite(loss) else "The loss stopped being a number"
    where = f"{what} in epoch {epoch}, step {step}: the steps were too large and the weights ran away."
    strong = ["the L1 lambda"] * (config.l1 * config.learning_rate > 1e-3)
    strong += ["the weight decay"] * (config.weight_decay * config.learning_rate > 0.1)
    if strong:
        return f"{where} The penalty is very strong: try a tenth of {' and of '.join(strong)}."
    rate = f"a lower learning rate, such as {config.learning_rate / 10:g} instead of {config.learning_rate:g}"
    if config.norm == "none":
        return f"{where} Without a norm layer this network needs {rate}; batch norm would allow the higher one."
    if config.optimizer == "adamw" and config.learning_rate > 0.02:
        return f"{where} AdamW needs smaller steps than SGD: try a learning rate of 0.003."
    return f"{where} The most likely cause is the learning rate: try {rate}."
