"""A trained network's weights: how many are small, how many can be cut away, and what its norms multiply by.

"Weights" are those of the convolutions. Nothing here changes the module it is given.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_lab.evaluation import predict_logits


@dataclass(frozen=True)
class LayerShare:
    """How many weights a convolution has, how many of them are exactly 0, and how many below a threshold in size."""

    name: str
    weights: int
    zeros: int
    below: int


@dataclass(frozen=True, eq=False)
class NormScale:
    """What a norm layer multiplies each channel by: its gamma, float32 [C]. `trained` is False for a frozen one."""

    name: str
    gamma: Tensor
    trained: bool


def shares(module: nn.Module, threshold: float) -> list[LayerShare]:
    """For every convolution, in order, how many weights are 0, and how many have |w| < `threshold` (above 0)."""
    return [
        LayerShare(name, len(sizes), int((sizes == 0).sum()), int((sizes < threshold).sum()))
        for name, sizes in _sizes(module).items()
    ]


def small_shares(module: nn.Module, thresholds: Sequence[float]) -> list[float]:
    """The share (0 to 1) of all convolution weights with |w| below each threshold."""
    sizes = torch.cat(list(_sizes(module).values())).sort().values
    places = torch.searchsorted(sizes, torch.tensor(thresholds, dtype=torch.float32))
    return [place / len(sizes) for place in places.tolist()]


def pruned(module: nn.Module, fraction: float) -> nn.Module:
    """A copy in which the smallest `fraction` (0 to 1) of all convolution weights, over all layers, are 0.

    Magnitude pruning without training afterwards: Han, Pool, Tran, Dally 2015, arXiv 1506.02626.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be from 0 to 1, not {fraction!r}")
    module = copy.deepcopy(module)
    weights = [layer.weight for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    sizes = torch.cat([weight.detach().flatten() for weight in weights]).abs()
    kept = torch.ones_like(sizes)
    kept[sizes.argsort(stable=True)[: round(fraction * len(sizes))]] = 0
    with torch.no_grad():
        for weight, mask in zip(weights, kept.split([w.numel() for w in weights]), strict=True):
            weight.mul_(mask.view_as(weight))
    return module


def pruning_curve(module: nn.Module, images: Tensor, labels: Tensor, fractions: Sequence[float]) -> list[float]:
    """Accuracy (per cent) on images uint8 [N, 28, 28] with labels [N] after each fraction of the weights is cut."""
    accuracies = []
    for fraction in fractions:
        answers = predict_logits(pruned(module, fraction), images).argmax(1)
        accuracies.append(100 * (answers == labels).double().mean().item())
    return accuracies


def norm_scales(module: nn.Module) -> list[NormScale]:
    """The gamma of every norm layer that has one, in the order they run; empty for a network without norms."""
    return [
        NormScale(name, layer.weight.detach().float().cpu().clone(), layer.weight.requires_grad)
        for name, layer in module.named_modules()
        if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm) and layer.weight is not None
    ]


def _sizes(module: nn.Module) -> dict[str, Tensor]:
    return {
        name: layer.weight.detach().float().cpu().flatten().abs()
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d)
    }
