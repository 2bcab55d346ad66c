"""The network of a run, of one that has ended and of one that goes on."""

from __future__ import annotations

import fake_training as fake
import pytest
import torch

from mnist_lab.config import RunConfig
from mnist_lab.nn.networks import build_network
from mnist_lab.runs.networks import latest_network_of, network_of
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.writer import RunWriter
from mnist_lab.training import Checkpoint


def live(store: RunStore, config: RunConfig, prefixes: tuple[str, ...]) -> tuple[RunWriter, list]:
    """A run that goes on, with a network in its checkpoint under each prefix."""
    writer = RunWriter.create(store.root, "live", config)
    modules = [build_network(config.replace(seed=seed)) for seed, _ in enumerate(prefixes, start=1)]
    tensors = {
        f"{prefix}{name}": value for prefix, module in zip(prefixes, modules, strict=True)
        for name, value in module.state_dict().items()
    }
    history = [vars(fake.epoch_event(1))]
    writer.checkpoint(Checkpoint(epoch=1, tensors=tensors, history=history, seconds=1.0))
    return writer, modules


@pytest.mark.parametrize(("decay", "tested"), [(0.0, 0), (0.99, 1)])
def test_a_run_that_goes_on_has_the_network_that_is_tested(tmp_path, decay, tested):
    store = RunStore(tmp_path)
    writer, modules = live(store, RunConfig(network="a", ema_decay=decay), ("model.", "ema.")[: 1 + bool(decay)])
    found = latest_network_of(store.load("live"))
    assert torch.equal(found.conv1.weight, modules[tested].conv1.weight) and not found.training
    with pytest.raises(RunError):
        network_of(store.load("live"))
    writer.close()


def test_the_next_checkpoint_is_another_network(tmp_path):
    store = RunStore(tmp_path)
    writer, (module,) = live(store, RunConfig(network="a"), ("model.",))
    first = latest_network_of(store.load("live"))
    assert latest_network_of(store.load("live")) is first
    tensors = {f"model.{name}": value + 1 for name, value in module.state_dict().items()}
    history = [vars(fake.epoch_event(epoch)) for epoch in (1, 2)]
    writer.checkpoint(Checkpoint(epoch=2, tensors=tensors, history=history, seconds=2.0))
    assert torch.equal(latest_network_of(store.load("live")).conv1.weight, module.conv1.weight + 1)
    writer.close()


def test_without_weights_and_without_a_checkpoint_there_is_none(tmp_path):
    store = RunStore(tmp_path)
    writer, _ = live(store, RunConfig(network="a"), ("model.",))
    writer.fail("It broke.", "")
    with pytest.raises(RunError, match="This run has no weights"):
        latest_network_of(store.load("live"))
