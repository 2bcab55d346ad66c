"""What pulls at a network's weights in one step: the data, L1, and weight decay, each as the length of its gradient."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from mnist_lab.config import RunConfig
from mnist_lab.nn.dropout import reseed_dropout
from mnist_lab.nn.penalties import penalized
from mnist_lab.trainer import Batch


@dataclass(frozen=True)
class Pull:
    """Lengths (L2 norms) of the parts of the gradient on a layer's trained parameters, or on all of them.

    `data` is the gradient of the data loss, `l1` L1's subgradient `lambda * sign(w)`, `decay` that of the weight
    decay, `decay * w`. `l1_share` is l1 / (l1 + data); None where neither pulls.
    """

    name: str
    data: float
    l1: float
    decay: float

    @property
    def l1_share(self) -> float | None:
        """How much of the pull is L1's, 0 to 1."""
        return self.l1 / (self.l1 + self.data) if self.l1 + self.data > 0 else None


@dataclass(frozen=True)
class Pulls:
    """One step's loss in nats, data and L1 penalty apart, and the pulls: in all, and by layer in the order they run."""

    loss: float
    penalty: float
    whole: Pull
    layers: tuple[Pull, ...]


def pulls(module: nn.Module, config: RunConfig, batch: Batch) -> Pulls:
    """What the next step of a run with these weights would meet on this batch, on the module's device.

    In training mode, as in training: with the batch's own statistics and with dropout (always the same one).
    The module is left as it is.
    """
    module = copy.deepcopy(module).train()
    reseed_dropout(module, config.seed, 1)
    loss = F.cross_entropy(module(batch.images), batch.labels)
    loss.backward()
    with_l1 = {id(p) for p in penalized(module, config.l1_scope)}
    with_decay = {id(p) for p in penalized(module, config.decay_scope)}
    layers = []
    for name, layer in module.named_children():
        trained = [p for p in layer.parameters() if p.requires_grad]
        if trained:
            layers.append(Pull(
                name, _length([p.grad for p in trained]),
                _length([config.l1 * p.detach().sign() for p in trained if id(p) in with_l1]),
                _length([config.weight_decay * p.detach() for p in trained if id(p) in with_decay]),
            ))
    parts = (math.hypot(*(getattr(layer, part) for layer in layers)) for part in ("data", "l1", "decay"))
    penalty = config.l1 * sum(p.detach().abs().sum().item() for p in penalized(module, config.l1_scope))
    return Pulls(loss.item(), penalty, Pull("all", *parts), tuple(layers))


def _length(tensors: Sequence[torch.Tensor]) -> float:
    return math.hypot(*(tensor.norm().item() for tensor in tensors))
