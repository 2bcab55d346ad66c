"""Ghost batches under the microscope: the statistics of each, and what an image's batch mates do to its logits.

Dropout is off throughout, so that nothing but the norms makes a difference between training and evaluation mode.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_lab.config import RunConfig
from mnist_lab.data.regime import Regime
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.norms import GhostBatchNorm2d
from mnist_lab.trainer import Batch, Trainer

NEARLY_0 = 1e-12  # a variance below this is that of a channel which never changes


@dataclass(frozen=True, eq=False)
class GhostStatistics:
    """What one norm layer sees of one batch cut into k ghost batches, and what it has kept from training.

    `means` and `variances` (unbiased) are float32 [k, C], a row a ghost batch; `running_mean` and `running_var`,
    which evaluation uses, are [C].
    """

    means: Tensor
    variances: Tensor
    running_mean: Tensor
    running_var: Tensor

    @property
    def scatter(self) -> float:
        """How far a ghost's mean is from that of the whole batch: root mean square over ghosts and channels, in the
        channel's running standard deviations. 0 for a single ghost."""
        away = (self.means - self.means.mean(0)) / self.running_var.clamp(min=NEARLY_0).sqrt()
        return away.square().mean().sqrt().item()

    @property
    def from_kept(self) -> Tensor:
        """How far each ghost's mean is from the running one, in running standard deviations: float32 [k, C]."""
        return (self.means - self.running_mean) / self.running_var.clamp(min=NEARLY_0).sqrt()

    @property
    def variance_ratios(self) -> Tensor:
        """Each ghost's variance as a multiple of the running one: float32 [any]; without channels that have none."""
        return (self.variances / self.running_var)[:, self.running_var > NEARLY_0].flatten()


def training_batches(config: RunConfig, regime: Regime, count: int) -> list[Batch]:
    """The first `count` whole batches on which a run with this config was trained, on the CPU, in their order.

    Images are changed and labels are noisy as they were then. Where there are fewer images than a batch holds, an
    epoch is one batch.
    """
    trainer = Trainer(config, regime, torch.device("cpu"), "float32")
    whole = min(config.batch_size, len(regime.train_images))
    epochs = itertools.chain.from_iterable(trainer.batches(epoch) for epoch in itertools.count(1))
    return list(itertools.islice((batch for batch in epochs if len(batch.labels) == whole), count))


def ghost_network(module: nn.Module, config: RunConfig, splits: int) -> nn.Module:
    """A copy with the weights of `module`, whose batch norms cut every batch into `splits` ghost batches, at least 1.

    Without dropout, on the CPU, in evaluation mode. Its running statistics do not move. `config` is the module's.
    """
    if splits < 1:
        raise ValueError(f"splits must be at least 1, not {splits}")
    network = build_network(config.replace(dropout=0.0))
    network.load_state_dict(module.state_dict())
    for layer in network.modules():
        if isinstance(layer, GhostBatchNorm2d):
            layer.num_splits, layer.momentum = splits, 0.0
    return network.eval()


def norm_names(module: nn.Module) -> list[str]:
    """The norm layers that take statistics of a batch; empty for other norms, which look at one image at a time."""
    return [name for name, layer in module.named_modules() if isinstance(layer, nn.BatchNorm2d)]


def ghost_statistics(network: nn.Module, images: Tensor, name: str) -> GhostStatistics:
    """What the norm layer of that name sees in training of normalised images [N, 1, 28, 28].

    `network` is from `ghost_network`; its earlier norms cut the batch as well.
    """
    network.train()
    try:
        with torch.no_grad():
            signal = images
            for other, layer in network.named_children():
                if other == name:
                    break
                signal = layer(signal)
    finally:
        network.eval()
    norm = network.get_submodule(name)
    chunks = [chunk.transpose(0, 1).flatten(1) for chunk in signal.tensor_split(min(norm.num_splits, len(signal)))]
    return GhostStatistics(
        torch.stack([chunk.mean(1) for chunk in chunks]), torch.stack([chunk.var(1) for chunk in chunks]),
        norm.running_mean.clone(), norm.running_var.clone(),
    )


def logits_among(network: nn.Module, image: Tensor, mates: Sequence[Tensor], training: bool) -> Tensor:
    """Logits [M, 10] of one normalised image [1, 28, 28], the first of a batch with each of M sets of batch mates.

    The first image of each set [N, 1, 28, 28] gives way to it. `network` is from `ghost_network`.
    """
    network.train(training)
    try:
        with torch.no_grad():
            return torch.stack([network(torch.cat([image.unsqueeze(0), others[1:]]))[0] for others in mates])
    finally:
        network.eval()
