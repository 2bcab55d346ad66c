"""Dropout whose random numbers are drawn fast on a CPU, and which can be replayed from a seed and an epoch.

PyTorch's CPU dropout draws one Bernoulli number for each element from one serial generator: a third of a training
step of these networks. Two ways round it, both element by element independent:

- few dropped: draw the gaps between dropped elements (geometric, from a table) and visit only those;
- many dropped: let one 64-bit word decide four elements, 16 bits each, by an ordinary vectorised comparison.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

STREAM = 3  # keeps dropout's random numbers apart from those of the batches and the augmentation
LEVELS = 2**16  # what one number of 16 bits can tell apart: rates are met to within 1/65,536
RARE = 0.01  # below this rate the gaps are too various for a table
FEW = 0.1  # up to this rate gaps are faster than a number for every element (measured on 2 threads: about even)


class Dropout(nn.Module):
    """Sets elements to zero with probability `p` while training and scales the rest by 1 / (1 - p).

    The same contract as `torch.nn.Dropout` (Srivastava et al. 2014) with random numbers of its own: `reseed` fixes
    every mask that follows. `layer` tells the dropout layers of one network apart. With `inplace` it may overwrite its
    input and also the gradient of its output, so that output must go to one layer only. With `scaling` set to False
    the layer before has multiplied by 1 / (1 - p) already.
    Raises ValueError for p outside [0, 1).
    """

    def __init__(self, p: float, layer: int = 0, inplace: bool = False):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout p must be at least 0 and below 1, not {p!r}")
        self.p, self.layer, self.inplace, self.scaling = p, layer, inplace, True
        self.reseed(0, 0)

    def reseed(self, seed: int, epoch: int) -> None:
        """Start the masks of this epoch over; equal arguments give equal masks on the same kind of device."""
        sequence = np.random.SeedSequence([seed, STREAM, self.layer, epoch])
        self.numbers = np.random.Generator(np.random.SFC64(sequence))
        self._device_seed = int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
        self._device_generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape, dtype and memory format (of odd strides: contiguous)."""
        if not self.training or self.p == 0:
            return x
        if not x.is_contiguous() and not is_channels_last(x):
            x = x.contiguous()  # places are counted in the order of memory
        if x.device.type == "cpu" and self.p <= FEW:
            places = torch.from_numpy(positions(self.numbers, x.numel(), self.p))
            return _ZeroAt.apply(x, places, 1 / (1 - self.p) if self.scaling else 1.0, self.inplace)
        mask = self._cpu_mask(x) if x.device.type == "cpu" else self._device_mask(x)
        return x.mul_(mask) if self.inplace else x * mask

    def _cpu_mask(self, x: Tensor) -> Tensor:
        count = x.numel()
        words = self.numbers.integers(0, 2**64 - 1, size=-(-count // 4), dtype=np.uint64, endpoint=True)
        bits = torch.from_numpy(words.view(np.int16))[:count]
        dropped = round(self.p * LEVELS)
        mask = torch.empty_like(x, requires_grad=False)
        flat = in_memory_order(mask)
        torch.ge(bits.view(flat.shape), dropped - LEVELS // 2, out=flat)
        return mask.mul_(LEVELS / (LEVELS - dropped)) if self.scaling else mask

    def _device_mask(self, x: Tensor) -> Tensor:
        if self._device_generator is None or self._device_generator.device != x.device:
            self._device_generator = torch.Generator(x.device).manual_seed(self._device_seed)
        mask = torch.empty_like(x, requires_grad=False)
        mask.bernoulli_(1 - self.p, generator=self._device_generator)
        return mask.mul_(1 / (1 - self.p)) if self.scaling else mask

    def extra_repr(self) -> str:
        """What `print(module)` shows between the brackets."""
        return f"p={self.p}, inplace={self.inplace}"


def positions(numbers: np.random.Generator, count: int, p: float) -> np.ndarray:
    """Which of `count` elements to drop: int64, ascending; each is among them with probability p, independently."""
    expected = count * p
    # Six standard deviations more than expected: one draw in a billion falls short, by an element or two.
    draws = int(expected + 6 * math.sqrt(expected)) + 8
    if p < RARE:
        rate = max(-math.log1p(-p), 1e-30)  # what float32 can divide by
        gaps = numbers.standard_exponential(draws, dtype=np.float32) / rate
        # No more than the last element needs, so that it fits an integer.
        places = np.cumsum(np.minimum(gaps, 2 * count).astype(np.int64) + 1) - 1
    else:
        words = numbers.bit_generator.random_raw(-(-draws // 4)).view(np.uint16)
        # Converted before and after, because numpy is slower when it converts on the way.
        places = gap_table(p).take(words.astype(np.intp)).astype(np.int64)
        places[0] -= 1
        np.cumsum(places, out=places)
    return places[: places.searchsorted(count)]


@functools.lru_cache(maxsize=8)
def gap_table(p: float) -> np.ndarray:
    """How far it is to the next dropped element, for each of 65,536 equally likely numbers: small unsigned integers.

    The geometric distribution, each probability within 1/65,536.
    """
    quantiles = (np.arange(LEVELS) + 0.5) / LEVELS
    gaps = np.ceil(np.log1p(-quantiles) / math.log1p(-p))
    return gaps.astype(np.min_scalar_type(int(gaps.max())))


def positions_in_turn(numbers: np.random.Generator, counts: Sequence[int], p: float) -> list[np.ndarray]:
    """`positions` of several layers with `counts` elements, drawn at once: a call costs as much as 20,000 elements."""
    *starts, count = itertools.accumulate(counts, initial=0)
    places = positions(numbers, count, p)
    cuts = [*places.searchsorted(starts).tolist(), len(places)]
    parts = [places[cut:end] for cut, end in itertools.pairwise(cuts)]
    for part, start in zip(parts, starts, strict=True):
        part -= start
    return parts


class _ZeroAt(torch.autograd.Function):
    """x * scale with zeros at some places (int64, in the order of x's memory)."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, places: Tensor, scale: float, inplace: bool) -> Tensor:
        ctx.save_for_backward(places)
        ctx.scale, ctx.inplace, ctx.is_last = scale, inplace, is_channels_last(x)
        if inplace:
            ctx.mark_dirty(x)
        return _zero_at(x, places, scale, inplace)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (places,) = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last if ctx.is_last else torch.contiguous_format)
        return _zero_at(grad, places, ctx.scale, ctx.inplace), None, None, None


def _zero_at(x: Tensor, places: Tensor, scale: float, inplace: bool) -> Tensor:
    if not inplace:
        x = x * scale
    elif scale != 1:
        x.mul_(scale)
    in_memory_order(x).view(-1).index_fill_(0, places, 0)
    return x


def is_channels_last(x: Tensor) -> bool:
    """Whether x is an image batch whose channels lie side by side and nothing else would describe it better."""
    return x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def in_memory_order(x: Tensor) -> Tensor:
    """A contiguous view of x: itself, or its channels moved to the end. Raises RuntimeError if there is none."""
    return x.permute(0, 2, 3, 1) if is_channels_last(x) else x.view(x.shape)


def reseed_dropout(module: nn.Module, seed: int, epoch: int) -> None:
    """`Dropout.reseed` for every dropout layer of `module`."""
    for layer in module.modules():
        if isinstance(layer, Dropout):
            layer.reseed(seed, epoch)
