"""Norms from histograms against the weights themselves, and the two ratios."""

from __future__ import annotations

import math

import pytest
import torch

from mnist_lab.config import RunConfig
from mnist_lab.measures import weight_measures
from mnist_lab.microscope_history import effective_learning_rate, layers, penalty_share, squared_norm
from mnist_lab.nn.networks import build_network


def weights(kind: str) -> torch.nn.Module:
    module = build_network(RunConfig(network="a", seed=3))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, torch.nn.Conv2d) and kind != "uniform":
                layer.weight.normal_(0, 0.2, generator=generator)
                if kind == "sparse":
                    layer.weight.mul_(torch.rand(layer.weight.shape, generator=generator) < 0.1)
    return module


@pytest.mark.parametrize("kind", ["uniform", "normal", "sparse"])
def test_the_norm_is_that_of_the_weights_to_about_a_per_cent(kind):
    module = weights(kind)
    record = weight_measures(module)
    true = {n: layer.weight.square().sum().item() for n, layer in module.named_modules()
            if isinstance(layer, torch.nn.Conv2d)}
    assert layers([record]) == list(true)
    assert math.sqrt(squared_norm(record)) == pytest.approx(math.sqrt(sum(true.values())), rel=0.01)
    for name, value in true.items():
        assert math.sqrt(squared_norm(record, name)) == pytest.approx(math.sqrt(value), rel=0.03)


def test_effective_learning_rate():
    assert effective_learning_rate(0.1, 4.0) == 0.025
    assert effective_learning_rate(0.1, 0.0) is None


def test_effective_learning_rate_is_the_angle_that_a_step_turns():
    """In front of a norm: weights twice as long, a step that turns them by a quarter of the angle."""
    generator = torch.Generator().manual_seed(0)
    inputs, target = torch.randn(200, 5, generator=generator), torch.randn(200, generator=generator)
    direction = torch.randn(5, generator=generator)
    angles = []
    for length in (1.0, 2.0):
        w = (direction * length).requires_grad_()
        out = inputs @ w
        loss = ((out - out.mean()) / out.std() - target).square().mean()
        loss.backward()
        step = 1e-3 * w.grad
        angles.append((step.norm() / w.norm()).item())
    assert angles[0] / angles[1] == pytest.approx(4, rel=1e-4)


def test_penalty_share():
    assert penalty_share({"train_loss": 3.0, "penalty": 1.0}) == 0.25
    assert penalty_share({"train_loss": 0.5, "penalty": 0.0}) == 0
    assert penalty_share({"train_loss": 0.0, "penalty": 0.0}) is None
    assert penalty_share({"train_loss": math.nan, "penalty": 1.0}) is None


def test_no_history_has_no_layers():
    assert layers([]) == []
