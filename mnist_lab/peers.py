"""The loops that the lab is measured against: MNIST with a DataLoader, as most people write it.

torchvision's dataset, per-image transforms from PIL, a DataLoader with its default of no worker processes, PyTorch's
own dropout, contiguous (NCHW) float32 tensors, and `.item()` for the loss and the correct answers at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from mnist_lab.config import RunConfig
from mnist_lab.nn.dropout import Dropout
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.norms import GhostBatchNorm2d


class PeerLoop:
    """`config`'s network and SGD in that loop, on the CPU.

    `root` is torchvision's data folder with MNIST complete. With `augmented`, source A's per-image transforms, whatever
    the config's own knobs. Only what the sources' recipes need is here: SGD with momentum and a constant rate.
    """

    def __init__(self, config: RunConfig, root: Path | str, *, augmented: bool = False):
        torch.manual_seed(config.seed)
        self.model = with_torch_dropout(build_network(config))
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
        )
        self.train_loader = DataLoader(dataset(root, True, augmented), batch_size=config.batch_size, shuffle=True)
        self.test_loader = DataLoader(dataset(root, False, False), batch_size=config.batch_size)
        self.images_seen = 0

    def epoch(self) -> Iterator[float]:
        """Train for one epoch; yields the loss after every step."""
        self.model.train()
        correct = 0
        for images, labels in self.train_loader:
            self.optimizer.zero_grad()
            logits = self.model(images)
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            self.optimizer.step()
            correct += logits.argmax(dim=1).eq(labels).sum().item()
            self.images_seen += len(labels)
            yield loss.item()

    def forever(self) -> Iterator[float]:
        """`epoch` after `epoch`."""
        while True:
            yield from self.epoch()

    @torch.no_grad()
    def test_accuracy(self) -> float:
        """Per cent of the test images read correctly."""
        self.model.eval()
        correct = sum(
            self.model(images).argmax(dim=1).eq(labels).sum().item() for images, labels in self.test_loader
        )
        return 100 * correct / len(self.test_loader.dataset)


def with_torch_dropout(network: nn.Sequential) -> nn.Sequential:
    """The same network with `torch.nn.Dropout` in place of the lab's own."""
    for layer in network:
        if isinstance(layer, GhostBatchNorm2d):
            layer.gain = 1.0  # torch's dropout scales for itself
    return nn.Sequential(*(
        nn.Dropout(layer.p) if isinstance(layer, Dropout) else layer for layer in network
    ))


def dataset(root: Path | str, train: bool, augmented: bool):
    """torchvision's MNIST with the transforms of the loop that most people write, or of source A's notebook."""
    changes = [
        transforms.RandomRotation((-7.0, 7.0), fill=1),
        transforms.RandomAffine(degrees=20, translate=(0.1, 0.1), scale=(0.9, 1.1)),
        transforms.ColorJitter(brightness=0.1, contrast=0.1),
    ]
    steps = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    return datasets.MNIST(root, train=train, transform=transforms.Compose(changes * augmented + steps))
