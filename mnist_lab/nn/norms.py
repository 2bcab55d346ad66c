"""The norm layers a network can be built with: GhostBatchNorm2d, our own, and the registry name -> layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_lab.config import RunConfig

MOST_GROUPS = 4


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
    per channel.
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
        if splits == 1:  # a split, even into one, would be copied on the way back
            return F.batch_norm(x, *running, weight, bias, True, *self.momenta(1), self.eps)
        chunks = zip(x.tensor_split(splits), self.momenta(splits), strict=True)
        return torch.cat([F.batch_norm(chunk, *running, weight, bias, True, m, self.eps) for chunk, m in chunks])

    def momenta(self, splits: int) -> list[float]:
        """The momentum of each chunk in turn, so that k updates equal one by `momentum` towards the plain mean."""
        m = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        return [m / (splits - later * m) for later in reversed(range(splits))]

    def extra_repr(self) -> str:
        """What `print(module)` shows between the brackets."""
        return f"{self.num_features}, num_splits={self.num_splits}, eps={self.eps}, momentum={self.momentum}"


def group_count(channels: int) -> int:
    """How many groups group norm makes of so many channels: the most, up to 4, that divides them (11 gives 1)."""
    return max(groups for groups in range(1, MOST_GROUPS + 1) if channels % groups == 0)


NORMS: dict[str, Callable[[RunConfig, int], nn.Module | None]] = {
    "batch": lambda config, channels: GhostBatchNorm2d(channels, 1, freeze_gamma=config.freeze_gamma),
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
