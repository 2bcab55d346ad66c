"""L1, by subgradient or by proximal step, and which parameters L1 and weight decay act on.

A parameter that is not trained (a frozen gamma) takes no part in any of it. Nothing here reads a number back from
the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_lab.config import RunConfig


def penalized(module: nn.Module, scope: str) -> list[nn.Parameter]:
    """The trained parameters a penalty acts on: with "all" every one, with "weights" the convolutions' weights."""
    return [p for p in module.parameters() if p.requires_grad and _in_scope(p, scope)]


@torch.no_grad()
def l1_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """The sum of all |w|, as a scalar on the parameters' device; zero without parameters. Carries no gradient."""
    if not parameters:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.cat([p.flatten() for p in parameters]), 1)


@torch.no_grad()
def add_l1_subgradient_(parameters: Sequence[nn.Parameter], l1: float) -> None:
    """Adds `l1 * sign(w)` to each gradient, 0 where w is 0: between backward and step.

    A parameter without a gradient is left alone, as the optimizer leaves it.
    """
    for p in parameters:
        if p.grad is not None:
            p.grad.add_(p.sign(), alpha=l1)


@torch.no_grad()
def proximal_step_(parameters: Sequence[nn.Parameter], threshold: float) -> None:
    """Soft-thresholding, `w = sign(w) * max(|w| - threshold, 0)`: after a step, with `proximal_threshold`.

    What is within the threshold becomes exactly zero. With this after plain gradient steps training is ISTA
    (Daubechies, Defrise, De Mol 2004, arXiv math/0307152).
    """
    for p in parameters:
        p.copy_(F.softshrink(p, threshold))


def proximal_threshold(config: RunConfig, learning_rate: float) -> float:
    """How much a proximal step takes off every weight: learning rate * lambda, over 1 - momentum with SGD.

    Momentum adds up a lasting gradient to 1 / (1 - momentum) times itself. With this factor the pull towards zero keeps
    pace, so that both kinds of L1 come to rest at the same weights, where the data's gradient is lambda.
    """
    momentum = config.momentum if config.optimizer == "sgd" else 0.0
    return learning_rate * config.l1 / (1 - momentum)


def decay_groups(module: nn.Module, config: RunConfig) -> list[dict[str, Any]]:
    """Two parameter groups for `torch.optim`: what decays, and the rest, which may be empty."""
    trained = penalized(module, "all")
    return [
        {"params": [p for p in trained if _in_scope(p, config.decay_scope)], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if not _in_scope(p, config.decay_scope)], "weight_decay": 0.0},
    ]


def _in_scope(parameter: nn.Parameter, scope: str) -> bool:
    return scope == "all" or parameter.ndim > 1
