"""Networks of the same layers as one network that gives the answers of all of them, for evaluation only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_lab.nn.dropout import Dropout

KEPT = 8  # joined networks, of a megabyte or less each


class Joined(nn.Module):
    """Several chains of the same layers, side by side in the channels: images [N, 1, H, W] -> logits [N, networks, 10].

    Each convolution is one whose groups are those of all of them. In evaluation mode, whatever the networks' own.
    """

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__()
        self.count = len(networks)
        self.layers = nn.ModuleList(
            _join(layers) for layers in zip(*(list(network.children()) for network in networks), strict=True)
        )
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        signal = images.expand(-1, self.count, -1, -1)
        for layer in self.layers:
            signal = layer(signal)
        return signal.reshape(len(images), self.count, -1)


class _Affine(nn.Module):
    """What a batch norm does in evaluation: its running statistics, and gamma and beta."""

    def __init__(self, norms: Sequence[nn.BatchNorm2d]):
        super().__init__()
        for name in ("running_mean", "running_var", "weight", "bias"):
            self.register_buffer(name, torch.cat([getattr(norm, name).detach() for norm in norms]))
        self.eps = norms[0].eps

    def forward(self, signal: Tensor) -> Tensor:
        return F.batch_norm(signal, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def kind(network: nn.Module) -> tuple[str, ...]:
    """What networks must have in common to be joined: their layers, dropout aside, which does nothing here."""
    return tuple(_kind(layer) for layer in network.children())


@lru_cache(maxsize=KEPT)
def joined(networks: tuple[nn.Module, ...]) -> Joined | None:
    """The networks as one; None if that is not possible, because of a norm that mixes channels. They are never changed.

    All of them are of one `kind`, and on the CPU.
    """
    return Joined(networks) if len(networks) > 1 and all(_joinable(layer) for layer in networks[0].children()) else None


def _kind(layer: nn.Module) -> str:
    match layer:
        case nn.BatchNorm2d():  # ghost batch norm is one, and the same in evaluation
            return f"batch norm {layer.num_features} {layer.eps}"
        case Dropout():
            return "dropout"
    return repr(layer)


def _joinable(layer: nn.Module) -> bool:
    known = nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.MaxPool2d | nn.AvgPool2d | nn.Flatten | Dropout
    return isinstance(layer, known) and not (isinstance(layer, nn.BatchNorm2d) and layer.weight is None)


def _join(layers: Sequence[nn.Module]) -> nn.Module:
    first = layers[0]
    match first:
        case nn.Conv2d():
            return _join_convolutions(layers)
        case nn.BatchNorm2d():
            return _Affine(layers)
        case nn.ReLU():
            return nn.ReLU()  # not in place: the input of the first may be the images
        case Dropout():
            return nn.Identity()
    return first


def _join_convolutions(layers: Sequence[nn.Conv2d]) -> nn.Conv2d:
    first, count = layers[0], len(layers)
    made = nn.utils.skip_init(
        nn.Conv2d, first.in_channels * count, first.out_channels * count, first.kernel_size, stride=first.stride,
        padding=first.padding, groups=first.groups * count, bias=False,
    )
    made.weight = nn.Parameter(torch.cat([layer.weight.detach() for layer in layers]), requires_grad=False)
    return made
