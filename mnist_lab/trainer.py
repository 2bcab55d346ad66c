"""One network being trained: its batches, its steps, its averages. `training.train` decides what happens when.

The data set lives on the device; a step reads nothing back to the host (see `Tally`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_lab import seeds
from mnist_lab.config import RunConfig
from mnist_lab.data.augment import Augment, normalise, to_unit
from mnist_lab.data.regime import Regime
from mnist_lab.evaluation import predict_logits
from mnist_lab.nn.blocks import BlockForward
from mnist_lab.nn.dropout import reseed_dropout
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.penalties import (
    add_l1_subgradient_,
    decay_groups,
    l1_norm,
    penalized,
    proximal_step_,
    proximal_threshold,
)

PREPARED = 1024  # about how many images are turned into floats at once
TALLIED = 16  # how many steps are summed up at once


class Batch(NamedTuple):
    """Normalised images [N, 1, 28, 28] and int64 labels [N] on the device: the given ones and the true ones."""

    images: Tensor
    labels: Tensor
    true_labels: Tensor


@dataclass(frozen=True)
class Counts:
    """Sums over some steps: images seen, data loss (nats), correct answers by the given and by the true labels."""

    images: int
    loss: float
    correct: float
    correct_true: float
    penalty: float  # not a sum: the L1 term (nats) of the weights at the moment of reading


class Tally:
    """Sums kept on the device; `read` is the only place in an epoch that waits for it.

    A few steps are summed up at a time: the dozen small operations of that take longer than all their arithmetic. Which
    ones does not depend on when somebody reads, or rounding would make two equal runs differ.
    """

    def __init__(self, device: torch.device):
        self._sums = torch.zeros(3, device=device)
        self._steps: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.images = 0

    def add(self, loss: Tensor, logits: Tensor, batch: Batch) -> None:
        """A step: its `loss`, the mean over the batch, and its `logits` [N, 10], on the device and without gradient."""
        self._steps.append((loss, logits, batch.labels, batch.true_labels))
        self.images += len(logits)
        if len(self._steps) >= TALLIED:
            self._sums, self._steps = self._all(), []

    def read(self, penalty: Tensor) -> Counts:
        """Everything since the tally was made, with the penalty as it is now."""
        loss, correct, correct_true, penalty_now = torch.cat([self._all(), penalty.reshape(1)]).tolist()
        return Counts(self.images, loss, correct, correct_true, penalty_now)

    def _all(self) -> Tensor:
        """The sums with those of the steps that are not in them yet."""
        if not self._steps:
            return self._sums
        losses, logits, *both_labels = zip(*self._steps, strict=True)
        loss = torch.stack(torch._foreach_mul(losses, [len(each) for each in logits])).sum()
        answers = torch.cat(logits).argmax(1)
        return self._sums + torch.stack([loss, *((answers == torch.cat(labels)).sum() for labels in both_labels)])


class Trainer:
    """The network of `config` with its optimizer, on `device`, ready to take steps on the images of `regime`."""

    def __init__(self, config: RunConfig, regime: Regime, device: torch.device, precision: str):
        self.config, self.device = config, device
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
        self.model = build_network(config).to(device, memory_format=torch.channels_last)
        self.forward = BlockForward(self.model) if device.type == "cpu" else self.model
        self.averaged = copy.deepcopy(self.model) if config.ema_decay else None
        self.optimizer = make_optimizer(config, self.model, device)
        self.trained = penalized(self.model, "all")
        self.l1_parameters = penalized(self.model, config.l1_scope)
        self.augment = Augment(config, device)
        self.images = regime.train_images.to(device)
        self.labels = regime.train_labels.to(device)
        self.true_labels = regime.true_labels.to(device)
        self.steps_per_epoch = -(-len(self.images) // config.batch_size)
        self.steps = 0

    @property
    def tested(self) -> nn.Module:
        """The network that is tested and kept: the average of the weights if there is one."""
        return self.model if self.averaged is None else self.averaged

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of this epoch (numbered from 1), each image in one of them; the last may be short."""
        self.steps = (epoch - 1) * self.steps_per_epoch
        self.model.train()
        reseed_dropout(self.model, self.config.seed, epoch)
        draws, bending = (seeds.generator(self.config.seed, use, epoch) for use in (seeds.AUGMENTATION, seeds.BENDING))
        order = torch.randperm(len(self.images), generator=seeds.generator(self.config.seed, seeds.BATCHES, epoch))
        # Images are prepared a few batches at a time: cheaper than one by one, and still small enough for the cache.
        block = self.config.batch_size * max(1, PREPARED // self.config.batch_size)
        for indices in order.to(self.device).split(block):
            images = to_unit(self.images.index_select(0, indices))
            prepared = Batch(
                normalise(self.augment(images, draws, bending)),
                self.labels.index_select(0, indices),
                self.true_labels.index_select(0, indices),
            )
            pieces = (tensor.split(self.config.batch_size) for tensor in prepared)
            yield from map(Batch._make, zip(*pieces, strict=True))

    def step(self, batch: Batch, tally: Tally) -> None:
        """One step of the optimizer."""
        with self.autocast:
            logits = self.forward(batch.images).float()
        loss = F.cross_entropy(logits, batch.labels)
        for parameter in self.trained:  # `optimizer.zero_grad` without its records for the profiler
            parameter.grad = None
        loss.backward()
        self._update(self.learning_rate())
        self.steps += 1
        tally.add(loss.detach(), logits.detach(), batch)

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate_at(self.config, self.steps, self.steps_per_epoch)

    def _update(self, learning_rate: float) -> None:
        config = self.config
        if config.l1 and config.l1_kind == "subgradient":
            add_l1_subgradient_(self.l1_parameters, config.l1)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        if config.l1 and config.l1_kind == "proximal":
            proximal_step_(self.l1_parameters, proximal_threshold(config, learning_rate))
        if self.averaged is not None:
            self._average()

    @torch.no_grad()
    def _average(self) -> None:
        # Early on the average is short, so that it does not remember the initial weights.
        decay = min(self.config.ema_decay, (1 + self.steps) / (10 + self.steps))
        for mean, latest in zip(_state(self.averaged), _state(self.model), strict=True):
            if mean.is_floating_point():
                mean.lerp_(latest, 1 - decay)
            else:
                mean.copy_(latest)

    @torch.no_grad()
    def settle(self) -> None:
        """Before the network is tested: what the proximal step holds at 0 is 0 in the average of the weights, too.

        A running average gets ever nearer to 0 and never there.
        """
        if self.averaged is None or not self.config.l1 or self.config.l1_kind != "proximal":
            return
        for mean, latest in zip(penalized(self.averaged, self.config.l1_scope), self.l1_parameters, strict=True):
            mean.mul_(latest != 0)

    def penalty(self) -> Tensor:
        """The L1 term of the loss (nats), a scalar on the device; 0 when L1 is off."""
        if not self.config.l1:
            return torch.zeros((), device=self.device)
        return self.config.l1 * l1_norm(self.l1_parameters)

    def predict(self, images: Tensor, should_stop: Callable[[], bool] | None = None) -> Tensor | None:
        """Logits [N, 10] of the tested network; None when stopped on the way."""
        return predict_logits(self.tested, images, should_stop=should_stop)

    def state(self) -> dict[str, Tensor]:
        """Everything that has to survive between epochs, as CPU copies: "model.*", "optimizer.*" and "ema.*"."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.averaged is not None:
            tensors |= {f"ema.{name}": value for name, value in self.averaged.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": v for name, v in values.items() if v is not None}
        return {name: to_cpu_copy(value) for name, value in tensors.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue from `state()`."""
        self.model.load_state_dict(_under("model.", tensors))
        if self.averaged is not None:
            self.averaged.load_state_dict(_under("ema.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _under("optimizer.", tensors).items():
            index, name = key.split(".", 1)
            # Momentum is added to channels-last weights step by step: in the same memory format it is faster.
            state.setdefault(int(index), {})[name] = _like_channels_last(value)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})


def make_optimizer(config: RunConfig, model: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """SGD or AdamW with the config's decay; one fused kernel a step where PyTorch has it."""
    options = {"lr": config.learning_rate, "fused": device.type in ("cpu", "cuda")}
    if config.optimizer == "adamw":
        return torch.optim.AdamW(decay_groups(model, config), **options)
    return torch.optim.SGD(
        decay_groups(model, config), momentum=config.momentum, nesterov=config.nesterov, **options
    )


def learning_rate_at(config: RunConfig, step: int, steps_per_epoch: int) -> float:
    """The learning rate of the step with this number, from 0; PyTorch's `StepLR` or `OneCycleLR` in closed form.

    One-cycle rises from a 25th of the config's rate and ends at a 250,000th of it, both along a cosine
    (Smith & Topin 2018, arXiv 1708.07120).
    """
    peak = config.learning_rate
    if config.schedule == "constant":
        return peak
    if config.schedule == "step":
        return peak * config.step_factor ** (step // (config.step_epochs * steps_per_epoch))
    last = config.epochs * steps_per_epoch - 1
    top = config.warmup * (last + 1) - 1
    if step <= top:
        return _cosine(peak / 25, peak, step / top if top else 1.0)
    return _cosine(peak, peak / 250_000, (step - top) / (last - top))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def to_cpu_copy(value: Tensor) -> Tensor:
    """A contiguous copy on the CPU that later steps do not change."""
    return value.detach().to("cpu", copy=True).contiguous()


def _state(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _like_channels_last(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value

