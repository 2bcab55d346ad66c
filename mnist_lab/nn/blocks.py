"""A network's forward pass in training on a CPU, block by block instead of module by module: the same, and faster.

A step of these networks is short: on two cores over a third of it is not arithmetic but getting from one operation to
the next, with one core waiting for the other. A block (convolution, ReLU, norm, dropout) is one node for autograd here;
its gradient is worked out in place, all dropout layers draw their numbers at once, and channels are filled up to whole
vectors. The modules keep the parameters and running statistics, and are what is tested and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from mnist_lab.nn.dropout import FEW, Dropout, in_memory_order, is_channels_last, positions_in_turn
from mnist_lab.nn.networks import output_shapes
from mnist_lab.nn.norm_kernels import VECTOR, batch_norm, batch_norm_backward
from mnist_lab.nn.norms import GhostBatchNorm2d

BY_CHANNEL = (nn.MaxPool2d, nn.AvgPool2d, Dropout)  # what treats each channel by itself, channels of zeros too


@dataclass(frozen=True)
class Block:
    """Modules that follow each other in a network, with a ReLU behind the convolution.

    `shape` is that of an image's output [channels, height, width]. A block with a pooling has nothing behind it.
    """

    conv: nn.Conv2d
    pool: nn.MaxPool2d | None
    norm: GhostBatchNorm2d | None
    dropout: Dropout | None
    shape: tuple[int, int, int]

    @property
    def filling(self) -> int:
        """How many channels of zeros follow the convolution's own in the output, to make whole vectors for a norm."""
        return -self.shape[0] % VECTOR if self.norm is not None else 0

    @property
    def values(self) -> int:
        """How many values an image has in the output, those channels included."""
        channels, height, width = self.shape
        return (channels + self.filling) * height * width

    @property
    def scale(self) -> float:
        """What dropout multiplies by where no norm does it."""
        return 1 / (1 - self.dropout.p) if self.dropout.scaling else 1.0


class BlockForward:
    """Calls `network`, a chain on the CPU as `build_network` makes it: images [N, 1, 28, 28] -> logits [N, 10].

    Outputs, gradients and running statistics are those of `network(images)` to float tolerance; dropout has the
    same distribution and draws from the stream of the first dropout layer. What it is not made for goes through
    the network itself: evaluation, autocast, and a batch that the ghost batches do not divide.
    """

    def __init__(self, network: nn.Sequential):
        self.network = network
        self.parts = list(_parts(network))
        blocks = [part for part in self.parts if isinstance(part, Block)]
        self.norms = [block.norm for block in blocks if block.norm is not None]
        self.dropping = [block for block in blocks if block.dropout is not None]

    def __call__(self, images: Tensor) -> Tensor:
        if not self._applies(images):
            return self.network(images)
        places, affine = self._places(len(images)), self._affine()
        signal, channels = images, images.shape[1]
        for part in self.parts:
            if isinstance(part, Block):
                weight, bias = (next(affine), next(affine)) if part.norm is not None else (None, None)
                dropped = next(places) if part.dropout is not None else None
                signal = _BlockFunction.apply(signal, part.conv.weight, weight, bias, part, dropped)
                channels = part.conv.out_channels
            elif isinstance(part, BY_CHANNEL):
                signal = part(signal)
            else:
                signal = part(signal[:, :channels] if signal.shape[1] > channels else signal)
                channels = signal.shape[1]
        return signal

    def _applies(self, images: Tensor) -> bool:
        batch = len(images)
        return (
            self.network.training and images.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
            and batch > 0 and all(batch % min(norm.num_splits, batch) == 0 for norm in self.norms)
        )

    def _places(self, batch: int) -> Iterator[Tensor]:
        """Where each dropout layer in turn sets the output of its block to zero: indices in the order of memory."""
        if not self.dropping:
            return iter(())
        dropout, counts = self.dropping[0].dropout, [batch * block.values for block in self.dropping]
        return map(torch.from_numpy, positions_in_turn(dropout.numbers, counts, dropout.p))

    def _affine(self) -> Iterator[Tensor]:
        """Scale and shift of each norm in turn, times its gain. Counts the step, as a batch norm does."""
        if not self.norms:
            return iter(())
        torch._foreach_add_([norm.num_batches_tracked for norm in self.norms], 1)
        affine = [parameter for norm in self.norms for parameter in (norm.weight, norm.bias)]
        gains = [norm.gain for norm in self.norms for _ in range(2)]
        return iter(affine if set(gains) == {1.0} else torch._foreach_mul(affine, gains))


class _BlockFunction(torch.autograd.Function):
    """x [N, channels, H, W] -> the block's output. Zeros may follow the channels of both.

    It writes over the gradient that it is given: nothing but the next part of the chain may see the output.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, gamma: Tensor | None, beta: Tensor | None, block: Block,
        places: Tensor | None,
    ) -> Tensor:
        ctx.block, filling, norm = block, block.filling, block.norm
        if filling or x.shape[1] > weight.shape[1]:
            weight = F.pad(weight, (0, 0, 0, 0, 0, x.shape[1] - weight.shape[1], 0, filling))
        convolved = out = torch.conv2d(x, weight, None, 1, block.conv.padding)
        indices = None
        if block.pool is not None:  # the largest of the rectified is the largest, rectified, for a quarter of the work
            out, indices = F.max_pool2d(convolved, block.pool.kernel_size, return_indices=True)
        rectified = out.relu_()
        statistics: list[Tensor] = []
        if norm is not None:
            gamma, beta, *running = (
                _filled(one, filling) for one in (gamma, beta, norm.running_mean, norm.running_var)
            )
            momenta = norm.momenta(min(norm.num_splits, len(x)))
            out, *statistics = batch_norm(rectified, gamma, beta, *running, momenta, norm.eps)
            if filling:
                norm.running_mean.copy_(running[0][:-filling])
                norm.running_var.copy_(running[1][:-filling])
        elif places is not None:
            out.mul_(block.scale)
        if places is not None:
            _zero_(out, places)
        pooled = (None, None) if indices is None else (convolved, indices)
        ctx.save_for_backward(x, weight, rectified, gamma, places, *pooled, *statistics)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, rectified, gamma, places, convolved, indices, *statistics = ctx.saved_tensors
        block, grad_gamma, grad_beta = ctx.block, None, None
        own = slice(block.conv.out_channels)
        last = is_channels_last(rectified)
        grad = grad.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
        if block.norm is not None:
            if places is not None:
                _zero_(grad, places)
            grad, grad_gamma, grad_beta = batch_norm_backward(grad, rectified, gamma, *statistics, block.norm.eps)
            if block.filling:
                grad_gamma, grad_beta = grad_gamma[own], grad_beta[own]
        elif places is not None:
            grad.mul_(block.scale)  # what was dropped is 0 in `rectified`, too
        torch.ops.aten.threshold_backward.grad_input(grad, rectified, 0, grad_input=grad)
        if block.pool is not None:
            size = [block.pool.kernel_size] * 2
            grad = torch.ops.aten.max_pool2d_with_indices_backward.default(
                grad, convolved, size, size, (0, 0), (1, 1), False, indices
            )
        padding = block.conv.padding
        grad_weight = torch.ops.aten.convolution_backward.default(
            grad, x, weight, None, (1, 1), padding, (1, 1), False, (0, 0), 1, (False, True, False)
        )[1]
        if weight.shape != block.conv.weight.shape:
            grad_weight = grad_weight[own, :block.conv.in_channels]
        # The gradient of the input comes last, so that the block before finds it in the cache.
        grad_x = torch.conv_transpose2d(grad, weight, None, 1, padding) if ctx.needs_input_grad[0] else None
        return grad_x, grad_weight, grad_gamma, grad_beta, None, None


def _filled(values: Tensor, filling: int) -> Tensor:
    return F.pad(values, (0, filling)) if filling else values


def _zero_(x: Tensor, places: Tensor) -> None:
    in_memory_order(x).view(-1).index_fill_(0, places, 0)


def _parts(network: nn.Sequential) -> Iterator[Block | nn.Module]:
    shapes, modules = output_shapes(network), dict(network.named_children())
    names = list(modules)
    while names:
        name = names.pop(0)
        conv, norm, dropout = modules[name], None, None
        if not (_is_plain(conv) and names and isinstance(modules[names[0]], nn.ReLU)):
            yield conv
            continue
        last = names.pop(0)
        if names and isinstance(modules[names[0]], nn.MaxPool2d):
            last = names.pop(0)
            yield Block(conv, modules[last], None, None, shapes[last])
            continue
        if names and isinstance(modules[names[0]], GhostBatchNorm2d):
            norm = modules[names.pop(0)]
        if names and isinstance(modules[names[0]], Dropout) and modules[names[0]].p <= FEW:
            dropout = modules[names.pop(0)]
        yield Block(conv, None, norm, dropout, shapes[last])


def _is_plain(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d) and module.bias is None and module.groups == 1
        and module.stride == module.dilation == (1, 1)
    )
