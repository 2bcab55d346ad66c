"""The seeds of one configuration as one network, for `bench`: on a CPU that gains less than runs side by side, so the
lab does not train so (figures in README.md)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from mnist_lab.config import RunConfig
from mnist_lab.data.mnist import Mnist
from mnist_lab.data.regime import make_regime
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.norms import make_norm
from mnist_lab.trainer import Batch, Trainer, make_optimizer

CPU = torch.device("cpu")


def grouped_steps(config: RunConfig, data: Mnist, seeds: Sequence[int]) -> Iterator[nn.Module]:
    """Steps without end of one network with grouped convolutions, a group a seed, each with its seed's batches.

    For SGD at a constant rate without L1, and for norms that look at each channel by itself. Dropout draws from one
    stream for all seeds; without it, seed k's weights are those of its separate run, to float tolerance.
    """
    network = side_by_side(config, seeds).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(config, network, CPU)
    for batches in _batches(config, data, seeds):
        images = torch.cat([batch.images for batch in batches], 1).contiguous(memory_format=torch.channels_last)
        labels = torch.stack([batch.labels for batch in batches], 1)
        logits = network(images).unflatten(1, (len(seeds), -1))
        optimizer.zero_grad(set_to_none=True)
        # The sum over seeds of each one's mean, so that no seed's gradient depends on how many there are.
        (len(seeds) * F.cross_entropy(logits.flatten(0, 1), labels.flatten())).backward()
        optimizer.step()
        yield network


def side_by_side(config: RunConfig, seeds: Sequence[int]) -> nn.Sequential:
    """The networks of `seeds` as one: images [N, seeds, 28, 28], a channel for each -> logits [N, seeds * 10]."""
    networks, whole = [build_network(config.replace(seed=seed)) for seed in seeds], nn.Sequential()
    for name, first in networks[0].named_children():
        if isinstance(first, nn.Conv2d):
            channels = (len(seeds) * count for count in (first.in_channels, first.out_channels))
            layer = nn.Conv2d(
                *channels, first.kernel_size, first.stride, first.padding, groups=len(seeds) * first.groups, bias=False
            )
            weights = [network.get_submodule(name).weight for network in networks]
            layer.weight = nn.Parameter(torch.cat(weights).detach())
        else:
            layer = make_norm(config, len(seeds) * first.num_features) if isinstance(first, nn.BatchNorm2d) else first
        whole.add_module(name, layer)
    return whole


def _batches(config: RunConfig, data: Mnist, seeds: Sequence[int]) -> Iterator[tuple[Batch, ...]]:
    configs = [config.replace(seed=seed) for seed in seeds]
    trainers = [Trainer(one, make_regime(one, data), CPU, "float32") for one in configs]
    for epoch in itertools.count():
        yield from zip(*(trainer.batches(1 + epoch % config.epochs) for trainer in trainers), strict=True)
