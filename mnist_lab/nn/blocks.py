"""A network's forward pass in training on a CPU, block by block instead of module by module: the same, and faster.

A step of these networks is short: on two cores over a third of it is not arithmetic but getting from one operation to
the next, with one core waiting for the other. Here blocks (convolution, ReLU, norm, dropout) that follow each other are
one node for autograd, which gives back each block's memory as soon as it has the gradient, so that the next works in
the cache; all dropout layers draw their numbers at once, and channels are filled up to whole vectors. The modules keep
the parameters and running statistics, and are what is tested and kept.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from mnist_lab.nn.block import Block
from mnist_lab.nn.dropout import FEW, Dropout, positions_in_turn
from mnist_lab.nn.networks import output_shapes
from mnist_lab.nn.norm_kernels import VECTOR
from mnist_lab.nn.norms import GhostBatchNorm2d

SMALL = 5_000  # values of an image: in larger outputs zeros cost more than they save (network A, AVX2 and AVX-512)
# What treats each channel by itself, and so channels of zeros, too.
BY_CHANNEL = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, Dropout)


class BlockForward:
    """Calls `network`, a chain on the CPU as `build_network` makes it: images [N, 1, 28, 28] -> logits [N, 10].

    Outputs, gradients and running statistics are those of `network(images)` to float tolerance, in the type of the
    images or that of autocast; dropout has the same distribution and draws from the stream of the first dropout layer.
    Backward goes through it once, without a graph of its own. In evaluation the network itself is called.
    """

    def __init__(self, network: nn.Sequential):
        self.network = network
        self.parts = list(_parts(network))
        self.blocks = [block for part in self.parts if isinstance(part, list) for block in part]
        self.norms = [block.norm for block in self.blocks if block.norm is not None]
        self.dropping = [block for block in self.blocks if block.dropout is not None]

    def __call__(self, images: Tensor) -> Tensor:
        if not (self.network.training and images.device.type == "cpu" and len(images)):
            return self.network(images)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else images.dtype
        places, affine = self._places(len(images)), self._affine()
        signal, channels = images.to(dtype, memory_format=torch.channels_last), images.shape[1]
        for part in self.parts:
            if isinstance(part, list):
                dropped = [next(places) if block.dropout is not None else None for block in part]
                parameters = [
                    (block.conv.weight, *((None, None) if block.norm is None else next(affine))) for block in part
                ]
                signal = _Blocks.apply(signal, part, dropped, *itertools.chain(*parameters))
                channels = part[-1].conv.out_channels
            elif isinstance(part, BY_CHANNEL):
                signal = part(signal)
            else:
                signal = part(signal[:, :channels] if signal.shape[1] > channels else signal)
                channels = signal.shape[1]
        return signal

    def _places(self, batch: int) -> Iterator[Tensor]:
        """Where each dropout layer in turn sets the output of its block to zero: indices in the order of memory."""
        if not self.dropping:
            return iter(())
        dropout, counts = self.dropping[0].dropout, [batch * block.values for block in self.dropping]
        return map(torch.from_numpy, positions_in_turn(dropout.numbers, counts, dropout.p))

    def _affine(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Scale and shift of each norm in turn, times its gain. Counts the step, as a batch norm does."""
        if not self.norms:
            return iter(())
        torch._foreach_add_([norm.num_batches_tracked for norm in self.norms], 1)
        affine = [parameter for norm in self.norms for parameter in (norm.weight, norm.bias)]
        gains = [norm.gain for norm in self.norms for _ in range(2)]
        affine = affine if set(gains) == {1.0} else torch._foreach_mul(affine, gains)
        return zip(affine[::2], affine[1::2], strict=True)


class _Blocks(torch.autograd.Function):
    """x [N, channels, H, W] -> the output of the last of some blocks that follow each other.

    `parameters` are each block's weight, gamma and beta in turn. It writes over the gradient that it is given, if that
    is channels-last: nothing but the next part of the network may see the output.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, blocks: list[Block], places: list[Tensor | None], *parameters: Tensor | None
    ) -> Tensor:
        ctx.blocks, ctx.saved = blocks, []
        for number, (block, dropped) in enumerate(zip(blocks, places, strict=True)):
            x, saved = block.forward(x, *parameters[3 * number : 3 * number + 3], dropped)
            ctx.saved.append(saved)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad = grad.contiguous(memory_format=torch.channels_last)
        gradients: list[Tensor | None] = []
        for block in reversed(ctx.blocks):
            wants_input = len(ctx.saved) > 1 or ctx.needs_input_grad[0]
            grad, *own = block.backward(grad, ctx.saved.pop(), wants_input)
            gradients = own + gradients
        return grad, None, None, *gradients


def _parts(network: nn.Sequential) -> Iterator[list[Block] | Callable[[Tensor], Tensor]]:
    """The network as blocks that follow each other, and what is between and behind them."""
    shapes, blocks, filling = output_shapes(network), [], 0
    layers = [(module, shapes[name]) for name, module in network.named_children()]
    while layers:
        block = _block(layers, filling)
        if block is not None:
            blocks.append(block)
            del layers[: block.modules]
            filling = block.filling
            continue
        if blocks:
            yield blocks
        blocks = []
        module, shape = layers.pop(0)
        filling = filling if isinstance(module, BY_CHANNEL) else 0
        yield _part(module, shape)
    if blocks:
        yield blocks


def _block(layers: list[tuple[nn.Module, tuple[int, ...]]], filling: int) -> Block | None:
    """The block that the first of `layers` (modules and the shapes of their outputs) begin with, if they do.

    `filling` is how many channels of zeros its input has.
    """
    modules = [*(module for module, _ in layers), None, None, None]
    conv, relu = modules[:2]
    if not _is_plain(conv) or _is_at_one_place(*layers[0]):
        return None
    if conv.groups > 1:
        return Block(conv, False, None, None, None, layers[0][1], filling, 1)
    if not isinstance(relu, nn.ReLU):
        return None
    if isinstance(modules[2], nn.MaxPool2d):
        return Block(conv, True, modules[2], None, None, layers[2][1], 0, 3)
    count, norm, dropout = 2, None, None
    if isinstance(modules[count], GhostBatchNorm2d):
        norm, count = modules[count], count + 1
    if isinstance(modules[count], Dropout) and modules[count].p <= FEW:
        dropout, count = modules[count], count + 1
    shape = layers[count - 1][1]
    filling = -conv.out_channels % VECTOR if norm is not None and math.prod(shape) < SMALL else 0
    return Block(conv, True, None, norm, dropout, shape, filling, count)


def _part(module: nn.Module, shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """`module`, or where one place is left of each image, the same as a mean or as products: less to set up."""
    if shape[1:] == (1, 1) and isinstance(module, nn.AvgPool2d):
        return nn.AdaptiveAvgPool2d(1)
    return functools.partial(_at_one_place, module) if _is_at_one_place(module, shape) else module


def _is_at_one_place(module: nn.Module, shape: tuple[int, ...]) -> bool:
    return _is_plain(module) and module.padding == (0, 0) and shape[1:] == (1, 1)


def _at_one_place(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """conv(x) for an x as large as the kernel, in the type of the weights: so small a product gains by no other."""
    x = x.to(conv.weight.dtype)
    if conv.groups > 1:
        return (x * conv.weight.squeeze(1)).sum((2, 3), keepdim=True)
    rows, weight = (tensor.permute(0, 2, 3, 1).flatten(1) for tensor in (x, conv.weight))
    with torch.autocast("cpu", enabled=False):
        return F.linear(rows, weight)[:, :, None, None]


def _is_plain(module: nn.Module | None) -> bool:
    """Whether it is a convolution without bias and stride, ordinary or depthwise."""
    return (
        isinstance(module, nn.Conv2d) and module.bias is None and module.stride == module.dilation == (1, 1)
        and module.groups in (1, module.in_channels) and (module.groups == 1 or module.out_channels == module.groups)
    )
