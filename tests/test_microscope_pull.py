"""The pulls at the weights against autograd on the whole loss, and against what the trainer does."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from mnist_lab.config import RunConfig
from mnist_lab.microscope_pull import Pull, pulls
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.penalties import add_l1_subgradient_, penalized
from mnist_lab.trainer import Batch

GENERATOR = torch.Generator().manual_seed(5)
LABELS = torch.randint(0, 10, (24,), generator=GENERATOR)
BATCH = Batch(torch.randn(24, 1, 28, 28, generator=GENERATOR), LABELS, LABELS)


def network(config: RunConfig):
    module = build_network(config).eval()
    with torch.no_grad():
        module.conv2.weight[:3] = 0
    return module


@pytest.mark.parametrize("scope", ["all", "weights"])
def test_pulls_are_the_gradients_of_the_parts(scope):
    config = RunConfig(l1=1e-3, l1_scope=scope, weight_decay=1e-2, decay_scope=scope)
    module = network(config)
    found = pulls(module, config, BATCH)
    assert not module.training and all(p.grad is None for p in module.parameters())
    module.train()
    trained = [p for p in module.parameters() if p.requires_grad]
    loss = F.cross_entropy(module(BATCH.images), BATCH.labels)
    data = torch.autograd.grad(loss, trained)
    chosen = penalized(module, scope)
    penalty = config.l1 * sum(p.abs().sum() for p in chosen)
    l1 = torch.autograd.grad(penalty, chosen)
    decay = torch.autograd.grad(config.weight_decay / 2 * sum(p.square().sum() for p in chosen), chosen)
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    assert found.penalty == pytest.approx(penalty.item(), rel=1e-5)
    for part, gradients in (("data", data), ("l1", l1), ("decay", decay)):
        length = math.hypot(*(gradient.norm().item() for gradient in gradients))
        assert getattr(found.whole, part) == pytest.approx(length, rel=1e-4)
    assert [layer.name for layer in found.layers][:3] == ["conv1", "norm1", "conv2"]
    conv2 = found.layers[2]
    assert conv2.l1 == pytest.approx(1e-3 * math.sqrt(13 * 16 * 9), rel=1e-5)  # nothing where a weight is 0
    assert (found.layers[1].l1 > 0) == (scope == "all")


def test_the_l1_pull_is_what_training_adds():
    config = RunConfig(l1=0.01)
    module = network(config)
    for p in module.parameters():
        p.grad = torch.zeros_like(p)
    add_l1_subgradient_(penalized(module, "all"), 0.01)
    added = math.hypot(*(p.grad.norm().item() for p in module.parameters()))
    for p in module.parameters():
        p.grad = None
    assert pulls(module, config, BATCH).whole.l1 == pytest.approx(added, rel=1e-5)


def test_the_same_twice_with_dropout_and_the_statistics_do_not_move():
    config = RunConfig(norm="ghost", dropout=0.2, l1=1e-4)
    module = network(config)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    first, second = (pulls(module, config, BATCH) for _ in range(2))
    assert first == second
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_without_a_penalty_nothing_pulls_but_the_data():
    config = RunConfig(norm="none", freeze_gamma=False)
    found = pulls(network(config), config, BATCH)
    assert (found.penalty, found.whole.l1, found.whole.decay, found.whole.l1_share) == (0, 0, 0, 0)
    assert found.whole.data > 0


def test_shares():
    assert Pull("x", 3.0, 1.0, 0.0).l1_share == 0.25
    assert Pull("x", 0.0, 0.0, 1.0).l1_share is None
