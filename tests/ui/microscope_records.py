"""Runs made by hand for the Microscope page: real networks with a history of their own weights, never trained."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

import fake_training

from mnist_lab.config import RunConfig
from mnist_lab.data import files
from mnist_lab.events import Epoch
from mnist_lab.measures import weight_measures
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.penalties import l1_norm, penalized
from mnist_lab.runs.writer import RunWriter
from mnist_lab.training import Checkpoint, TrainedRun

CONFIG = RunConfig(network="b", epochs=3, train_images=100, batch_size=32, label_noise=0.1)
L1 = CONFIG.replace(l1=1e-3, l1_kind="proximal")


def network(config: RunConfig, shrink: float = 1.0, zeros: float = 0.0) -> nn.Sequential:
    """An untrained network with its weights shrunk, and the first of each convolution at zero."""
    module = build_network(config)
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.Conv2d):
                flat = layer.weight.mul_(shrink).view(-1)
                flat[: round(zeros * len(flat))] = 0
    module(torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(1)))  # for the running statistics
    return module.eval()


def epoch_of(config: RunConfig, module: nn.Module, epoch: int) -> Epoch:
    """The history's line of an epoch after which the network was this one."""
    penalty = config.l1 * l1_norm(penalized(module, config.l1_scope)).item()
    tested = epoch == config.epochs
    return replace(
        fake_training.epoch_event(epoch, 1.0), penalty=penalty, eval_loss=0.2 if tested else None,
        eval_accuracy=90.0 if tested else None, learning_rate=0.1 / epoch, **weight_measures(module),
    )


def begin(root: Path, id: str, config: RunConfig, modules: list[nn.Module]) -> RunWriter:
    """A run that goes on, after an epoch for each network, with the last one in its checkpoint."""
    writer = RunWriter.create(root, id, config)
    started = fake_training.started_event(config)
    started.data.update(checksum=files.SAMPLE_CHECKSUM, source="sample", test_images=1000)
    writer.started(started)
    history = [asdict(epoch_of(config, module, number)) for number, module in enumerate(modules, start=1)]
    if modules:
        tensors = {f"model.{name}": value for name, value in modules[-1].state_dict().items()}
        writer.checkpoint(Checkpoint(epoch=len(history), tensors=tensors, history=history, seconds=1.0))
    return writer


def finished(root: Path, id: str, config: RunConfig = CONFIG, *, zeros: float = 0.0) -> nn.Module:
    """A finished run of three epochs, whose weights get smaller; its network."""
    modules = [network(config, shrink, zeros) for shrink in (1.0, 0.5, 0.25)][: config.epochs]
    writer = begin(root, id, config, modules)
    writer.finish(TrainedRun(
        config=config, history=[], status="finished", weights=modules[-1].state_dict(), test_logits=None,
        test_labels=torch.zeros(0), summary={"parameters": 9920, "epochs": 3, "test_accuracy": 90.0},
        timings={"seconds": 1.0},
    ))
    return modules[-1]
