"""What a trained network answers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mnist_lab.data.augment import normalise, to_unit

BATCH = 500  # images; from 250 to 1,000 a CPU takes about the same time


def predict_logits(
    module: nn.Module, images: Tensor, batch_size: int = BATCH, should_stop: Callable[[], bool] | None = None
) -> Tensor | None:
    """Logits float32 [N, 10], on the CPU, for images uint8 [N, 28, 28] on any device.

    Always in evaluation mode and in float32, whatever the training precision; the module's mode is restored.
    Returns None when `should_stop`, asked before each batch, says so.
    """
    device = next(module.parameters()).device
    was_training = module.training
    module.eval()
    try:
        logits = []
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            for batch in images.split(batch_size):
                if should_stop is not None and should_stop():
                    return None
                logits.append(module(normalise(to_unit(batch.to(device)))))
        return torch.cat(logits).cpu()
    finally:
        module.train(was_training)
