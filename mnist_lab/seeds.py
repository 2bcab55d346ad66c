"""Where a run's randomness comes from: one generator for each purpose and epoch, all from the run's seed.

Every generator is a function of (seed, stream, epoch), so a resumed run needs no saved generator states and any
epoch can be replayed alone. The numbers come from the CPU, whatever the device, so that every device sees the
same batches.
"""

from __future__ import annotations

import numpy as np
import torch

BATCHES = 1
AUGMENTATION = 2
BENDING = 4  # 3 is dropout's


def generator(seed: int, stream: int, epoch: int) -> torch.Generator:
    """A CPU generator; equal arguments give equal numbers, different streams or epochs unrelated ones."""
    state = np.random.SeedSequence([seed, stream, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
