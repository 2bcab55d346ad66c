"""Several seeds as one network learn what each learns by itself; no time is asserted."""

from __future__ import annotations

import pytest
import torch

from mnist_lab import trainer
from mnist_lab.config import RunConfig
from mnist_lab.data.augment import normalise
from mnist_lab.data.mnist import load_sample
from mnist_lab.data.regime import make_regime
from mnist_lab.nn.networks import build_network
from mnist_lab.seeds_at_once import grouped_steps
from mnist_lab.trainer import Tally, Trainer

SEEDS, STEPS = (0, 3, 5), 4
# What the steps have changed is compared: another seed's change differs by 70 % and more.
PLAIN = RunConfig(train_images=100, batch_size=40, epochs=2, learning_rate=1e-3, dropout=0.0, schedule="constant")
SAME = 1e-5  # of the length of the change; the loss is in float32 on one of the sides


@pytest.fixture
def doubles(monkeypatch):
    """Networks and images in float64: rounding in float32 chooses another pixel in a max pool now and then, with
    another number of threads, too, and what the steps change is then 2 % different.
    """
    monkeypatch.setattr(trainer, "normalise", lambda images: normalise(images).double())
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def separate(config: RunConfig) -> list[dict[str, torch.Tensor]]:
    """Each seed's parameters after `STEPS` steps of the lab's own loop, the second epoch's first among them."""
    found = []
    for seed in SEEDS:
        one = config.replace(seed=seed)
        alone = Trainer(one, make_regime(one, load_sample()), torch.device("cpu"), "float32")
        for batch in [batch for epoch in (1, 2) for batch in alone.batches(epoch)][:STEPS]:
            alone.step(batch, Tally(alone.device))
        found.append(dict(alone.model.named_parameters()))
    return found


def after(steps):
    for _ in range(STEPS):
        last = next(steps)
    return last


@pytest.mark.parametrize("network", ["b", "c"])
@pytest.mark.parametrize("knobs", [{}, {"norm": "ghost", "num_splits": 4}, {"norm": "none"}])
def test_grouped_seeds_equal_separate_runs(network, knobs, doubles):
    config = PLAIN.replace(network=network, **knobs)
    together = dict(after(grouped_steps(config, load_sample(), SEEDS)).named_parameters())
    for place, (seed, alone) in enumerate(zip(SEEDS, separate(config), strict=True)):
        before = dict(build_network(config.replace(seed=seed)).named_parameters())
        for name, value in alone.items():
            changed, difference = value - before[name], together[name].chunk(len(SEEDS))[place] - value
            assert changed.norm() > 0 and difference.norm() < SAME * changed.norm(), name


def test_dropout_is_part_of_it():
    without, dropped = (
        after(grouped_steps(PLAIN.replace(dropout=p), load_sample(), SEEDS)).conv1.weight for p in (0.0, 0.3)
    )
    assert (without - dropped).norm() > 1e-3
