"""Batch norm in training on a CPU, forward and backward, over one or more ghost batches, for `blocks`."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

# How many float32 values a CPU handles at once. PyTorch's batch norm takes what is left over of a pixel's channels one
# value at a time, at 4 to 7 times the cost (10 channels, AVX2).
VECTOR = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
PIXELS = 32  # so many pixels together are whole vectors whatever the channels, with AVX-512 and in bfloat16, too
LARGE = 50_000  # values in a chunk: below it, one slow call costs less than the dozen that avoid it


def batch_norm(
    x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, momenta: Sequence[float],
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """x [N, C, H, W], channels-last, in as many chunks as there are momenta, each normalised by its own statistics.

    The chunks are `x.tensor_split(len(momenta))`. Returns the output, and their means and inverse standard deviations
    [chunks, C]. Moves the running statistics, for one chunk after the other.
    """
    splits = len(momenta)
    if splits == 1 and not _is_slow(x):
        out, mean, inverse_std = torch.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momenta[0], eps
        )
        return out, mean[None], inverse_std[None]
    out = torch.empty_like(x)
    mean, inverse_std = weight.new_empty(2, splits, x.shape[1])
    # A chunk is one piece of memory, so that it can be written into its place in the output.
    for chunk, place, *statistics, momentum in zip(
        x.tensor_split(splits), out.tensor_split(splits), mean, inverse_std, momenta, strict=True
    ):
        if _is_slow(chunk):
            _normalise(chunk, place, weight, bias, running_mean, running_var, momentum, eps, *statistics)
        else:
            torch.native_batch_norm(
                chunk, weight, bias, running_mean, running_var, True, momentum, eps, out=(place, *statistics)
            )
    return out, mean, inverse_std


def batch_norm_backward(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse_std: Tensor, eps: float
) -> tuple[list[Tensor], Tensor, Tensor]:
    """The gradients of x, a chunk at a time, of weight and of bias.

    From `grad`, that of the output, with the strides of x, and from what `batch_norm` was given and returned.
    """
    splits = len(mean)
    chunks, *affine = zip(*(
        _normalise_backward(part, values, weight, *statistics) if _is_slow(values)
        else torch.ops.aten.native_batch_norm_backward.default(
            part, values, weight, None, None, *statistics, True, eps, [True, True, True]
        )
        for part, values, *statistics in zip(
            grad.tensor_split(splits), x.tensor_split(splits), mean, inverse_std, strict=True
        )
    ), strict=True)
    return list(chunks), *(each[0] if splits == 1 else torch.stack(each).sum(0) for each in affine)


def _is_slow(x: Tensor) -> bool:
    return x.shape[1] % VECTOR != 0 and x.numel() >= LARGE


def _normalise(
    x: Tensor, out: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, momentum: float,
    eps: float, mean: Tensor, inverse_std: Tensor,
) -> None:
    """What `torch.native_batch_norm` does to x: fills `out`, `mean` and `inverse_std`."""
    wide = _Wide(x)
    found_mean, var = wide.statistics()
    mean.copy_(found_mean)
    torch.rsqrt(var + eps, out=inverse_std)
    running_mean.lerp_(mean, momentum)
    running_var.lerp_(var.mul_(wide.count / (wide.count - 1)), momentum)  # the running variance is the unbiased one
    scale = inverse_std * weight
    wide.linear(scale, torch.addcmul(bias, mean, scale, value=-1), out)


def _normalise_backward(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse_std: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What `native_batch_norm_backward` does.

    With g the gradient, z the normalised input and <> a mean over x, that of x is (g - <g> - z <g z>) * scale.
    """
    wide = _Wide(x)
    grad_z_sum, grad_sum = wide.gradient_sums(grad, mean)
    grad_z_sum.mul_(inverse_std)
    # As a linear form in the input and the gradient, so that it takes two passes: slope * x + shift + scale * g.
    scale = inverse_std * weight
    slope = (grad_z_sum * inverse_std).mul_(scale).mul_(-1 / wide.count)
    shift = torch.addcmul(slope * mean, scale, grad_sum, value=1 / wide.count).neg_()
    out = torch.empty_like(x)
    wide.linear(slope, shift, out)
    wide.add_scaled_(out, grad, scale)
    return out, grad_z_sum, grad_sum


class _Wide:
    """A channels-last batch [N, C, H, W] as [1, pixels * C, rows, 1] for PyTorch's kernels: many pixels count as one.

    So channels fill whole vectors, and a pixel's sums do not wait for those of the one before. What the kernels say of
    a channel's copies is put together. Coefficients and results are [C] and at least float32.
    """

    def __init__(self, x: Tensor):
        batch, self.channels, height, width = x.shape
        self.count = batch * height * width  # values per channel
        self.pixels = math.gcd(self.count, PIXELS)
        self.rows, self.columns = self.count // self.pixels, self.pixels * self.channels
        self.x = self.view(x)
        self.zeros, self.ones = _constants(self.columns, torch.promote_types(x.dtype, torch.float32))

    def view(self, x: Tensor) -> Tensor:
        """x, or another tensor with its strides."""
        return x.as_strided((1, self.columns, self.rows, 1), (1, 1, self.columns, 1))

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of each channel."""
        # Without running statistics, which nobody wants here, the kernel would round its results to the type of x.
        unused = torch.zeros_like(self.zeros), torch.zeros_like(self.zeros)
        means, variances = (
            each.view(self.pixels, -1) for each in torch.batch_norm_update_stats(self.x, *unused, 0.0)
        )
        # The variance of all is the mean of the variances and the variance of the means.
        between, mean = torch.var_mean(means, 0, correction=0)
        return mean, between.add_(variances.mean(0))

    def gradient_sums(self, grad: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        """The sums of `grad` times what x is above its `mean`, and of `grad`."""
        # In evaluation the gradients of scale and shift are these sums, over a standard deviation: of 1 here.
        _, *sums = torch.ops.aten.native_batch_norm_backward.default(
            self.view(grad), self.x, self.ones, self._spread(mean), self.ones, None, None, False, 0.0,
            [False, True, True],
        )
        return torch.stack(sums).view(2, self.pixels, -1).sum(1).unbind()

    def linear(self, scale: Tensor, shift: Tensor, out: Tensor) -> None:
        """Writes scale * x + shift into `out`, which has the strides of x."""
        nothing = self.zeros[:0]
        torch.native_batch_norm(
            self.x, self._spread(scale), self._spread(shift), self.zeros, self.ones, False, 0.0, 0.0,
            out=(self.view(out), nothing, nothing),
        )

    def add_scaled_(self, out: Tensor, grad: Tensor, scale: Tensor) -> None:
        """Adds scale * grad to `out`; both have the strides of x."""
        rows, grads = (each.as_strided((self.rows, self.columns), (self.columns, 1)) for each in (out, grad))
        rows.addcmul_(grads, self._spread(scale).to(out.dtype))

    def _spread(self, coefficients: Tensor) -> Tensor:
        """One number per channel, for every column."""
        return coefficients.expand(self.pixels, -1).reshape(-1)


@functools.lru_cache(maxsize=64)
def _constants(count: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """So many zeros and ones, which nobody changes."""
    return torch.zeros(count, dtype=dtype), torch.ones(count, dtype=dtype)
