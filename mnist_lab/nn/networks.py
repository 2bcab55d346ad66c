"""Networks A, B and C, each described once as rows of data, and the modules made from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from mnist_lab.config import RunConfig
from mnist_lab.nn.dropout import Dropout
from mnist_lab.nn.norms import GhostBatchNorm2d, make_norm

IMAGE_SHAPE = (1, 28, 28)


@dataclass(frozen=True)
class Conv:
    """A convolution without bias, and what follows it: a ReLU, then norm and dropout as the config says."""

    channels: int
    kernel: int = 3
    padding: int = 0
    stride: int = 1
    relu: bool = True
    norm: bool = True


@dataclass(frozen=True)
class Depthwise:
    """A convolution without bias that looks at every channel by itself, one kernel for each, and nothing after it.

    With a 1x1 convolution behind it, which mixes the channels, it does the work of a full convolution with a fraction
    of the weights (Chollet 2017, arXiv 1610.02357).
    """

    kernel: int = 3
    padding: int = 0


@dataclass(frozen=True)
class Pool:
    """A pooling whose stride is its size; what is left over at the edge is dropped."""

    kind: str  # "max" | "average"
    size: int


@dataclass(frozen=True)
class NetworkSpec:
    """A network from image to logits: nothing about it is written anywhere else. `source` says where it is from."""

    title: str
    source: str
    rows: tuple[Conv | Depthwise | Pool, ...]


def separable(channels: int) -> tuple[Depthwise, Conv]:
    """What stands for a 3x3 convolution in network C."""
    return Depthwise(padding=1), Conv(channels, kernel=1)


LOGITS = dict(channels=10, relu=False, norm=False)
NETWORKS: dict[str, NetworkSpec] = {
    "a": NetworkSpec("Network A", "Ashish Jain and Rahul Jain, EVA assignment 6", (
        Conv(10, padding=1), Conv(10), Pool("max", 2),
        Conv(11, padding=1), Conv(11), Pool("max", 2),
        Conv(12, padding=1), Conv(12),
        Conv(**LOGITS),
    )),
    "b": NetworkSpec("Network B", "gmshashank, EVA session 3", (
        Conv(16), Conv(16), Conv(16, kernel=1, norm=False), Pool("max", 2),
        Conv(16), Conv(16), Conv(10), Conv(10, padding=1), Pool("average", 6),
        Conv(**LOGITS, kernel=1),
    )),
    # A full convolution only where there is one channel. Its stride makes every later layer four times cheaper, and
    # the last depthwise one weighs each place of a map where an average would lose where it was.
    "c": NetworkSpec("Network C", "MNIST Lab", (
        Conv(16, kernel=5, stride=2),
        *separable(24), *separable(24), *separable(24), Pool("max", 2),
        *separable(32), *separable(32), *separable(32), *separable(40), Depthwise(6),
        Conv(**LOGITS, kernel=1),
    )),
}


def build_network(config: RunConfig) -> nn.Sequential:
    """The network of `config`, in training mode on the CPU: images [N, 1, 28, 28] -> logits [N, 10].

    Initial weights are PyTorch's own (as after `torch.manual_seed(config.seed)`), from a generator of their own:
    one seed gives the same convolutions whatever the norm and the dropout, and no other random state is touched.
    """
    network = nn.Sequential()
    for name, module in _modules(config):
        network.add_module(name, module)
    generator = torch.Generator().manual_seed(config.seed)
    for module in network:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
    return network


def _modules(config: RunConfig) -> Iterator[tuple[str, nn.Module]]:
    channels, convs, pools = IMAGE_SHAPE[0], 0, 0
    for row in NETWORKS[config.network].rows:
        if isinstance(row, Pool):
            pools += 1
            yield f"pool{pools}", {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[row.kind](row.size)
            continue
        if isinstance(row, Depthwise):
            yield f"depthwise{convs + 1}", nn.utils.skip_init(
                nn.Conv2d, channels, channels, row.kernel, padding=row.padding, groups=channels, bias=False
            )
            continue
        convs += 1
        yield f"conv{convs}" if row.relu else "logits", nn.utils.skip_init(
            nn.Conv2d, channels, row.channels, row.kernel, stride=row.stride, padding=row.padding, bias=False
        )
        channels = row.channels
        yield from _after_conv(config, row, convs)
    yield "flatten", nn.Flatten()


def _after_conv(config: RunConfig, row: Conv, number: int) -> Iterator[tuple[str, nn.Module]]:
    """ReLU, norm, dropout: in this order, as both sources have it. Dropout layers are numbered by their convolution."""
    if row.relu:
        yield f"relu{number}", nn.ReLU(inplace=True)  # a convolution does not need its own output to be differentiated
    norm = make_norm(config, row.channels) if row.norm else None
    if norm is not None:
        yield f"norm{number}", norm
    if row.norm and config.dropout > 0:
        # A norm does not need its own output to be differentiated (a ReLU does), and a convolution or a pooling comes
        # next, so the dropout may write over both the norm's output and the gradient.
        dropout = Dropout(config.dropout, layer=number, inplace=norm is not None)
        if isinstance(norm, GhostBatchNorm2d):
            norm.gain, dropout.scaling = 1 / (1 - config.dropout), False
        yield f"dropout{number}", dropout


@dataclass(frozen=True)
class LayerRow:
    """One layer as the table in the app shows it. `output` is like "16 x 24 x 24" (channels, height, width)."""

    name: str
    text: str
    output: str
    parameters: int
    trainable: int


def layer_table(module: nn.Module) -> list[LayerRow]:
    """What `module` is made of, in the order it runs, found by sending one empty image through it.

    The module keeps its mode and is not changed otherwise.
    """
    shapes = output_shapes(module)
    return [_row(name, module.get_submodule(name), shape) for name, shape in shapes.items()]


def output_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of an image's output of each layer, by name, in the order they run; found in the same way."""
    shapes: dict[str, tuple[int, ...]] = {}
    hooks = [
        leaf.register_forward_hook(
            lambda _leaf, _inputs, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
        for name, leaf in module.named_modules() if not list(leaf.children())
    ]
    was_training = module.training
    parameter = next(module.parameters())
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, *IMAGE_SHAPE, device=parameter.device, dtype=parameter.dtype))
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    return shapes


def count_parameters(module: nn.Module) -> tuple[int, int]:
    """How many numbers `module` has as parameters, and how many of them are trained (a frozen gamma is not)."""
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def _row(name: str, leaf: nn.Module, shape: tuple[int, ...]) -> LayerRow:
    return LayerRow(name, _text(leaf), " x ".join(map(str, shape)), *count_parameters(leaf))


def _text(leaf: nn.Module) -> str:
    match leaf:
        case nn.Conv2d():
            return _conv_text(leaf)
        case nn.MaxPool2d():
            return f"max pool {_square(leaf.kernel_size)}"
        case nn.AvgPool2d():
            return f"average pool {_square(leaf.kernel_size)}"
        case nn.BatchNorm2d():
            return _batch_norm_text(leaf)
        case nn.GroupNorm():
            return f"group norm, {leaf.num_groups} groups" if leaf.num_groups > 1 else "layer norm (one group)"
        case nn.ReLU():
            return "ReLU"
        case Dropout():
            return f"dropout {leaf.p:g}"
    return type(leaf).__name__.lower()


def _conv_text(conv: nn.Conv2d) -> str:
    each = " each by itself" if conv.groups > 1 else f" -> {conv.out_channels}"
    stride = f", stride {conv.stride[0]}" if conv.stride[0] > 1 else ""
    padding = f", padding {conv.padding[0]}" if conv.padding[0] else ""
    return f"conv {_square(conv.kernel_size)}, {conv.in_channels}{each}{stride}{padding}"


def _batch_norm_text(norm: nn.BatchNorm2d) -> str:
    splits = getattr(norm, "num_splits", 1)
    text = "batch norm" if splits == 1 else f"ghost batch norm, {splits} splits"
    return text if norm.weight.requires_grad else f"{text}, gamma frozen"


def _square(size: int | tuple[int, int]) -> str:
    height, width = size if isinstance(size, tuple) else (size, size)
    return f"{height}x{width}"
