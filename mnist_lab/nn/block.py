"""A block of a network, a convolution and what follows it, in training on a CPU: forward and backward by hand.

`blocks` makes networks of them, and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_lab.nn.dropout import Dropout, in_memory_order
from mnist_lab.nn.norm_kernels import batch_norm, batch_norm_backward
from mnist_lab.nn.norms import GhostBatchNorm2d


@dataclass(frozen=True)
class Block:
    """Modules that follow each other in a network, as many as `modules` says, the first a convolution.

    A depthwise one is a block by itself; behind another is a ReLU, and then a pooling or norm and dropout, if anything.
    `shape` is that of an image's output [channels, height, width]. Zeros may follow the channels of its input, and
    `filling` of them follow those of its output, so that small outputs come in whole vectors.
    """

    conv: nn.Conv2d
    relu: bool
    pool: nn.MaxPool2d | None
    norm: GhostBatchNorm2d | None
    dropout: Dropout | None
    shape: tuple[int, int, int]
    filling: int
    modules: int

    @property
    def depthwise(self) -> bool:
        """Whether the convolution looks at each channel by itself."""
        return self.conv.groups > 1

    @property
    def values(self) -> int:
        """How many values an image has in the output, channels of zeros included."""
        channels, height, width = self.shape
        return (channels + self.filling) * height * width

    @property
    def scale(self) -> float:
        """What dropout multiplies by where no norm does it."""
        return 1 / (1 - self.dropout.p) if self.dropout.scaling else 1.0

    def forward(
        self, x: Tensor, weight: Tensor, gamma: Tensor | None, beta: Tensor | None, places: Tensor | None
    ) -> tuple[Tensor, _Saved]:
        """The output and what `backward` needs of the way there."""
        groups = len(weight) + self.filling if self.depthwise else 1
        before = x.shape[1] // groups - weight.shape[1]
        weight = weight.to(x.dtype)
        if self.filling or before:
            weight = F.pad(weight, (0, 0, 0, 0, 0, before, 0, self.filling))
        out = torch.conv2d(x, weight, None, 1, self.conv.padding, 1, groups)
        out = out.contiguous(memory_format=torch.channels_last)
        if not self.relu:
            return out, _Saved(x, weight)
        pooled = None
        if self.pool is not None:  # the largest of the rectified is the largest, rectified, for a quarter of the work
            convolved = out
            out, indices = F.max_pool2d(convolved, self.pool.kernel_size, return_indices=True)
            pooled = convolved, indices
        rectified, statistics = out.relu_(), ()
        if self.norm is not None:
            gamma, beta = _filled(gamma, self.filling), _filled(beta, self.filling)
            out, *statistics = self._normalise(rectified, gamma, beta)
        elif places is not None:
            out.mul_(self.scale)
        if places is not None:
            _zero_(out, places)
        return out, _Saved(x, weight, rectified, gamma, places, pooled, statistics)

    def _normalise(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        norm = self.norm
        running = [_filled(one, self.filling) for one in (norm.running_mean, norm.running_var)]
        found = batch_norm(x, gamma, beta, *running, norm.momenta(min(norm.num_splits, len(x))), norm.eps)
        if self.filling:
            norm.running_mean.copy_(running[0][:-self.filling])
            norm.running_var.copy_(running[1][:-self.filling])
        return found

    def backward(self, grad: Tensor, saved: _Saved, wants_input: bool) -> tuple[Tensor | None, ...]:
        """The gradients of the input, if wanted, the weight, gamma and beta. Writes over `grad`, that of the output."""
        x, weight, rectified, gamma, places, pooled, statistics = saved
        grad_gamma = grad_beta = None
        if not self.relu:
            return *self._convolution_backward(grad, x, weight, wants_input), None, None
        chunks = [grad]
        if self.norm is not None:
            if places is not None:
                _zero_(grad, places)
            chunks, grad_gamma, grad_beta = batch_norm_backward(grad, rectified, gamma, *statistics, self.norm.eps)
            if self.filling:
                grad_gamma, grad_beta = grad_gamma[:-self.filling], grad_beta[:-self.filling]
        elif places is not None:
            grad.mul_(self.scale)  # what was dropped is 0 in `rectified`, too
        grad = _rectified_gradient(chunks, rectified, grad)
        if pooled is not None:
            size = [self.pool.kernel_size] * 2
            grad = torch.ops.aten.max_pool2d_with_indices_backward.default(
                grad, pooled[0], size, size, (0, 0), (1, 1), False, pooled[1]
            )
        return *self._convolution_backward(grad, x, weight, wants_input), grad_gamma, grad_beta

    def _convolution_backward(
        self, grad: Tensor, x: Tensor, weight: Tensor, wants_input: bool
    ) -> tuple[Tensor | None, Tensor]:
        groups, padding = len(weight) if self.depthwise else 1, self.conv.padding
        # As a convolution of its own the gradient of the input is faster, and the block before finds it in the cache.
        apart = groups == 1
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward.default(
            grad, x, weight, None, (1, 1), padding, (1, 1), False, (0, 0), groups,
            (wants_input and not apart, True, False),
        )
        if wants_input and apart:
            grad_x = _gradient_of_input(grad, weight, padding)
        own = self.conv.weight
        if weight.shape != own.shape:
            grad_weight = grad_weight[:own.shape[0], :own.shape[1]]
        return grad_x, grad_weight.to(own.dtype)


class _Saved(NamedTuple):
    """What a block's backward pass needs; `weight` and `gamma` as they were used, filled and of the signal's type."""

    x: Tensor
    weight: Tensor
    rectified: Tensor | None = None
    gamma: Tensor | None = None
    places: Tensor | None = None
    pooled: tuple[Tensor, Tensor] | None = None  # the input of the pooling and where its largest values are
    statistics: Sequence[Tensor] = ()


def _rectified_gradient(chunks: list[Tensor], rectified: Tensor, out: Tensor) -> Tensor:
    """`chunks`, as one, where `rectified` is more than zero, and 0 elsewhere; written into `out`."""
    out = chunks[0] if len(chunks) == 1 else out
    parts = rectified.tensor_split(len(chunks)), out.tensor_split(len(chunks))
    for chunk, values, place in zip(chunks, *parts, strict=True):
        torch.ops.aten.threshold_backward.grad_input(chunk, values, 0, grad_input=place)
    return out


def _gradient_of_input(grad: Tensor, weight: Tensor, padding: tuple[int, int]) -> Tensor:
    """What a convolution's input gets back."""
    reach = weight.shape[-1] - 1
    if grad.dtype == torch.bfloat16 and reach > padding[0]:
        # oneDNN's bfloat16 kernel takes half as long again where it pads for itself (16 x 24 x 24, AVX-512).
        grad, padding = F.pad(grad, [reach - padding[0]] * 4), reach
    return torch.conv_transpose2d(grad, weight, None, 1, padding)


def _filled(values: Tensor, filling: int) -> Tensor:
    return F.pad(values, (0, filling)) if filling else values


def _zero_(x: Tensor, places: Tensor) -> None:
    in_memory_order(x).view(-1).index_fill_(0, places, 0)
