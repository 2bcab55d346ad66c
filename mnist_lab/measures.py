"""What is measured on a network after every epoch, besides its accuracy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALL = 1e-3
BINS = 41  # odd, so that one bin has zero in its middle


def loss_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (per cent) of logits [N, 10] and labels [N], both on the CPU."""
    loss = F.cross_entropy(logits, labels).item()
    return loss, 100 * (logits.argmax(1) == labels).sum().item() / len(labels)


def weight_measures(module: nn.Module) -> dict:
    """`weight_norm`, `small_weights`, `zero_weights` and `histograms`, as `events.Epoch` defines them."""
    convolutions = {
        name: layer.weight.detach().float().cpu().flatten()
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d)
    }
    weights = torch.cat(list(convolutions.values())).abs()
    trainable = torch.cat([p.detach().float().cpu().flatten() for p in module.parameters() if p.requires_grad])
    return {
        "weight_norm": trainable.norm().item(),
        "small_weights": (weights < SMALL).double().mean().item(),
        "zero_weights": (weights == 0).double().mean().item(),
        "histograms": {name: histogram(values) for name, values in convolutions.items()},
    }


def histogram(values: Tensor) -> dict[str, list[float]]:
    """Counts in `BINS` equal bins, symmetric about zero, and their edges (`BINS` + 1 of them)."""
    reach = max(values.abs().max().item(), SMALL)
    counts, edges = torch.histogram(values, bins=BINS, range=(-reach, reach))
    return {"edges": [round(edge, 6) for edge in edges.tolist()], "counts": [int(count) for count in counts.tolist()]}
