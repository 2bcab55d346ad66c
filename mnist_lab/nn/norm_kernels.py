"""Batch norm in training on a CPU, forward and backward, over one or more ghost batches, for norms and for blocks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from mnist_lab.nn.dropout import is_channels_last

VECTOR = 8  # float32 values that a CPU handles at once (AVX2); PyTorch's batch norm is slow on what is left over
LARGE = 100_000  # values in a batch


def kernel_is_slow(x: Tensor) -> bool:
    """Whether PyTorch's batch norm is slow on x: a channels-last batch on a CPU whose channels fill no whole vectors.

    Then it handles the rest of every pixel one value at a time, at 4 to 7 times the cost (10 channels, AVX2). On a
    small batch that is still less than what a dozen calls cost.
    """
    return x.device.type == "cpu" and x.shape[1] % VECTOR != 0 and x.numel() >= LARGE and is_channels_last(x)


def batch_norm(
    x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, momenta: list[float], eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """x [N, C, H, W] in as many equal chunks as there are momenta, each normalised by its own statistics.

    Returns the output, and the chunks' means and inverse standard deviations [chunks, C]. Moves the running statistics.
    """
    if len(momenta) == 1 and not kernel_is_slow(x):
        out, mean, inverse_std = torch.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momenta[0], eps
        )
        return out, mean[None], inverse_std[None]
    splits = len(momenta)
    out = torch.empty_like(x)
    mean, inverse_std = saved = weight.new_empty(2, splits, x.shape[1])
    if kernel_is_slow(x):
        _normalise(x, out, weight, bias, running_mean, running_var, momenta, eps, saved)
        return out, mean, inverse_std
    # A chunk is one piece of memory in both formats, so PyTorch's kernel can write each into its place in the output.
    for chunk, place, *statistics, momentum in zip(
        x.chunk(splits), out.chunk(splits), mean.unbind(), inverse_std.unbind(), momenta, strict=True
    ):
        torch.native_batch_norm(
            chunk, weight, bias, running_mean, running_var, True, momentum, eps, out=(place, *statistics)
        )
    return out, mean, inverse_std


def batch_norm_backward(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse_std: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, weight and bias, from that of the output and from what `batch_norm` was given and returned.

    PyTorch's kernel cannot write several chunks into place, and a copy costs a third of it: they are worked out here,
    for all chunks at once. With g the gradient, z the normalised input, <> a mean over a chunk, it is
    (g - <g> - z <g z>) * scale. A tiny operation costs 5 us or more wherever it is, hence the stacked coefficients.
    """
    if len(mean) == 1 and not kernel_is_slow(x):
        return torch.ops.aten.native_batch_norm_backward.default(
            grad, x, weight, None, None, mean[0], inverse_std[0], True, eps, [True, True, True]
        )
    layout = _Layout(x, len(mean))
    values, grads = layout.rows(x), layout.rows(grad)
    out = torch.empty_like(values)
    grad_sum, grad_x_sum = layout.sums(grads, torch.mul(grads, values, out=out))
    grad_z_sum = grad_x_sum.addcmul_(grad_sum, mean, value=-1).mul_(inverse_std)
    # As a linear form in the gradient and the input, so that it takes two passes: scale * g + slope * x + shift.
    scale = inverse_std * weight
    slope = (grad_z_sum * inverse_std).mul_(scale).mul_(-1 / layout.count)
    shift = torch.addcmul(slope * mean, scale, grad_sum, value=1 / layout.count).neg_()
    scale, slope, shift = layout.spread(scale, slope, shift)
    torch.addcmul(shift, values, slope, out=out).addcmul_(grads, scale)
    return layout.images(out), grad_z_sum.sum(0), grad_sum.sum(0)


class GhostNorm(torch.autograd.Function):
    """`torch.cat` of `F.batch_norm` over equal chunks, on a CPU, at about the cost of one batch norm."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
        momenta: list[float], eps: float,
    ) -> Tensor:
        x = x if x.is_contiguous(memory_format=torch.channels_last) else x.contiguous()
        out, *statistics = batch_norm(x, weight, bias, running_mean, running_var, momenta, eps)
        ctx.save_for_backward(x, weight, *statistics)
        ctx.eps = eps
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, grad_weight, grad_bias = batch_norm_backward(grad, *ctx.saved_tensors, ctx.eps)
        return grad_x, grad_weight, grad_bias, None, None, None, None


def _normalise(
    x: Tensor, out: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
    momenta: list[float], eps: float, saved: Tensor,
) -> None:
    """What `torch.native_batch_norm` does to each chunk of x in turn, in whole rows: fills `out` and `saved`."""
    layout = _Layout(x, len(momenta))
    values = layout.rows(x)
    mean = layout.sums(values)[0].div_(layout.count)
    centered = torch.sub(values, *layout.spread(mean))
    squares = layout.sums(centered * centered)[0]
    saved[0], saved[1] = mean, (squares / layout.count).add_(eps).rsqrt_()
    for chunk_mean, chunk_squares, momentum in zip(mean, squares, momenta, strict=True):
        running_mean.lerp_(chunk_mean.to(running_mean.dtype), momentum)
        running_var.lerp_((chunk_squares / (layout.count - 1)).to(running_var.dtype), momentum)
    scale, shift = layout.spread(saved[1] * weight, bias.expand_as(mean))
    out.copy_(layout.images(torch.addcmul(shift, centered, scale, out=centered)))


class _Layout:
    """A batch as it lies in memory: rows [chunks, rows, columns] whose columns repeat one pattern of channels.

    Channels-last: a row is a line of pixels, columns (W, C). Contiguous: a row is an image, columns (C, H * W).
    The coefficients of a channel are spread over a whole row, because an inner loop over 10 or 16 channels takes
    about twice the time.
    """

    def __init__(self, x: Tensor, chunks: int):
        batch, channels, height, width = x.shape
        self.like, self.chunks = x, chunks
        self.count = batch // chunks * height * width  # values per channel in a chunk
        self.is_last = x.is_contiguous(memory_format=torch.channels_last)
        self.format = torch.channels_last if self.is_last else torch.contiguous_format
        self.pattern = (width, channels) if self.is_last else (channels, height * width)
        self.space = 2 if self.is_last else 3  # the dimension of [any, chunks, *pattern] that is not the channels
        columns = self.pattern[0] * self.pattern[1]
        self.shape = (chunks, x.numel() // (chunks * columns), columns)
        self.strides = (self.shape[1] * columns, columns, 1)

    def rows(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] -> [chunks, rows, columns] of at least float32; a view where type and format allow."""
        x = x.to(torch.promote_types(x.dtype, torch.float32)).contiguous(memory_format=self.format)
        return x.as_strided(self.shape, self.strides)

    def images(self, rows: Tensor) -> Tensor:
        """The inverse of `rows`."""
        return rows.as_strided(self.like.shape, self.like.stride()).to(self.like.dtype)

    def sums(self, *rows: Tensor) -> tuple[Tensor, ...]:
        """The sum over each channel of each chunk, for each argument: [chunks, C]."""
        return torch.stack([r.sum(1) for r in rows]).view(-1, self.chunks, *self.pattern).sum(self.space).unbind()

    def spread(self, *coefficients: Tensor) -> tuple[Tensor, ...]:
        """One number per chunk and channel [chunks, C] -> [chunks, 1, columns], for each argument."""
        wide = torch.stack(coefficients).unsqueeze(self.space).expand(-1, -1, *self.pattern)
        return wide.reshape(-1, self.chunks, 1, self.shape[2]).unbind()
