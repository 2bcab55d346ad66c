"""The norm layers a network can be built with: GhostBatchNorm2d, our own, and the registry name -> layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from mnist_lab.config import RunConfig
from mnist_lab.nn.dropout import is_channels_last

MOST_GROUPS = 4
LARGE = 100_000  # values in a batch


class GhostBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over `num_splits` ghost batches: Hoffer, Hubara, Soudry 2017, arXiv 1705.08741.

    In training a batch [N, C, H, W] is cut into `x.tensor_split(min(num_splits, N))`, and each chunk is normalised by
    its own mean and biased variance. The running statistics move once a step, by `momentum`, towards the plain mean
    over chunks of the chunks' means and of their unbiased variances (`momentum=None`: the average over all steps).
    In evaluation, and with one split, this is `nn.BatchNorm2d`; parameters and buffers have the same names and
    shapes whatever the splits, so weights move freely between the two.

    `freeze_gamma` keeps the scale at 1: it is stored and counted, but not trained (source B). `gain` is a factor on the
    output in training, 1 unless a dropout that follows leaves its scaling to this layer: here it costs nothing.
    Raises what `nn.BatchNorm2d` raises: `ValueError` for an input that is not 4-D or for a chunk with a single value
    per channel. On a CPU it can be differentiated once.
    """

    def __init__(
        self,
        num_features: int,
        num_splits: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        freeze_gamma: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__(num_features, eps, momentum, device=device, dtype=dtype)
        if num_splits < 1:
            raise ValueError(f"num_splits must be at least 1, got {num_splits}")
        self.num_splits, self.gain = num_splits, 1.0
        self.weight.requires_grad_(not freeze_gamma)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] -> the same shape, type and memory format."""
        self._check_input_dim(x)
        splits = min(self.num_splits, x.shape[0])
        if not self.training or (splits < 2 and self.gain == 1):
            return super().forward(x)
        return self._forward_in_chunks(x, splits)

    def _forward_in_chunks(self, x: Tensor, splits: int) -> Tensor:
        smallest = x.shape[0] // splits
        if smallest * x.shape[2] * x.shape[3] == 1:
            F.batch_norm(x[:smallest], None, None, training=True)  # raises BatchNorm2d's own error
        self.num_batches_tracked.add_(1)
        running = self.running_mean, self.running_var
        weight, bias = (self.weight, self.bias) if self.gain == 1 else (self.weight * self.gain, self.bias * self.gain)
        if x.device.type == "cpu" and x.shape[0] % splits == 0 and (splits > 1 or _kernel_is_slow(x)):
            return _GhostNorm.apply(x, weight, bias, *running, self._momenta(splits), self.eps)
        if splits == 1:  # a split, even into one, would be copied on the way back
            return F.batch_norm(x, *running, weight, bias, True, *self._momenta(1), self.eps)
        chunks = zip(x.tensor_split(splits), self._momenta(splits), strict=True)
        return torch.cat([F.batch_norm(chunk, *running, weight, bias, True, m, self.eps) for chunk, m in chunks])

    def _momenta(self, splits: int) -> list[float]:
        """The momentum of each chunk in turn, so that k updates equal one by `momentum` towards the plain mean."""
        m = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        return [m / (splits - later * m) for later in reversed(range(splits))]

    def extra_repr(self) -> str:
        """What `print(module)` shows between the brackets."""
        return f"{self.num_features}, num_splits={self.num_splits}, eps={self.eps}, momentum={self.momentum}"


class FastBatchNorm2d(GhostBatchNorm2d):
    """`nn.BatchNorm2d`, to float tolerance, without its slow case on a CPU (see `_kernel_is_slow`)."""

    def __init__(self, num_features: int, freeze_gamma: bool = False):
        super().__init__(num_features, 1, freeze_gamma=freeze_gamma)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] -> the same shape, type and memory format."""
        if self.training and _kernel_is_slow(x):
            return self._forward_in_chunks(x, 1)
        return super().forward(x)


class _GhostNorm(torch.autograd.Function):
    """`torch.cat` of `F.batch_norm` over equal chunks, on a CPU, at about the cost of one batch norm.

    A chunk is one piece of memory in both formats, so PyTorch's kernel can write each into its place in the output.
    Its backward cannot, and a copy into place costs a third of it: the gradient is worked out here, for all chunks at
    once. A tiny operation costs 5 us or more wherever it is, hence the stacked coefficients.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
        momenta: list[float], eps: float,
    ) -> Tensor:
        splits = len(momenta)
        x = x if x.is_contiguous(memory_format=torch.channels_last) else x.contiguous()
        out = torch.empty_like(x)
        mean, inverse_std = saved = weight.new_empty(2, splits, x.shape[1])
        places = zip(x.chunk(splits), out.chunk(splits), *(s.unbind() for s in saved), momenta, strict=True)
        if _kernel_is_slow(x):
            _normalise(x, out, weight, bias, running_mean, running_var, momenta, eps, saved)
        else:
            for chunk, place, *statistics, momentum in places:
                torch.native_batch_norm(
                    chunk, weight, bias, running_mean, running_var, True, momentum, eps, out=(place, *statistics)
                )
        ctx.save_for_backward(x, weight, mean, inverse_std)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """With g the gradient, z the normalised input, <> a mean over a chunk: (g - <g> - z <g z>) * scale."""
        x, weight, mean, inverse_std = ctx.saved_tensors
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
        grad_weight = grad_z_sum.sum(0) if ctx.needs_input_grad[1] else None
        return layout.images(out), grad_weight, grad_sum.sum(0), None, None, None, None


def _kernel_is_slow(x: Tensor) -> bool:
    """Whether PyTorch's batch norm is slow on x: a channels-last batch on a CPU whose channels fill no whole vectors.

    Then it handles the rest of every pixel one value at a time, at 4 to 7 times the cost (10 channels, AVX2). On a
    small batch that is still less than what a dozen calls cost.
    """
    return x.device.type == "cpu" and x.shape[1] % 8 != 0 and x.numel() >= LARGE and is_channels_last(x)


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


def group_count(channels: int) -> int:
    """How many groups group norm makes of so many channels: the most, up to 4, that divides them (11 gives 1)."""
    return max(groups for groups in range(1, MOST_GROUPS + 1) if channels % groups == 0)


def _batch_norm(config: RunConfig, channels: int) -> nn.BatchNorm2d:
    return FastBatchNorm2d(channels, freeze_gamma=config.freeze_gamma)


NORMS: dict[str, Callable[[RunConfig, int], nn.Module | None]] = {
    "batch": _batch_norm,
    "ghost": lambda config, channels: GhostBatchNorm2d(
        channels, config.num_splits, freeze_gamma=config.freeze_gamma
    ),
    "none": lambda config, channels: None,
    "layer": lambda config, channels: nn.GroupNorm(1, channels),  # over C, H and W, a scale and shift per channel
    "group": lambda config, channels: nn.GroupNorm(group_count(channels), channels),
}


def make_norm(config: RunConfig, channels: int) -> nn.Module | None:
    """The norm that `config` asks for, for [N, channels, H, W]; None without one. Draws no random numbers."""
    return NORMS[config.norm](config, channels)
