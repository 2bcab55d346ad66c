"""Shares of small weights, pruning and gammas against direct counts."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_lab.config import RunConfig
from mnist_lab.evaluation import predict_logits
from mnist_lab.measures import weight_measures
from mnist_lab.microscope_weights import norm_scales, pruned, pruning_curve, shares, small_shares
from mnist_lab.nn.networks import build_network

NETWORK = build_network(RunConfig(network="b", norm="ghost", freeze_gamma=True)).eval()
with torch.no_grad():
    NETWORK.conv2.weight[:4] = 0
    NETWORK.conv4.weight.mul_(0.001)


def flat(module) -> torch.Tensor:
    return torch.cat([m.weight.detach().flatten() for m in module.modules() if isinstance(m, torch.nn.Conv2d)])


def images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 28, 28), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


@given(st.floats(1e-6, 1))
def test_shares_are_counts(threshold):
    found, sizes = shares(NETWORK, threshold), flat(NETWORK).abs()
    assert [layer.name for layer in found] == [
        name for name, layer in NETWORK.named_modules() if isinstance(layer, torch.nn.Conv2d)
    ]
    assert sum(layer.weights for layer in found) == len(sizes)
    assert sum(layer.zeros for layer in found) == int((sizes == 0).sum()) == 4 * 16 * 9
    below = int((sizes < threshold).sum())
    assert sum(layer.below for layer in found) == below
    assert small_shares(NETWORK, [1e-9, threshold]) == [576 / len(sizes), below / len(sizes)]


def test_shares_are_those_of_the_history():
    measured = weight_measures(NETWORK)
    found = shares(NETWORK, 1e-3)
    weights = sum(layer.weights for layer in found)
    assert sum(layer.below for layer in found) / weights == measured["small_weights"]
    assert sum(layer.zeros for layer in found) / weights == measured["zero_weights"]


@settings(max_examples=20)
@given(st.floats(0, 1))
def test_pruning_cuts_the_smallest_and_nothing_else(fraction):
    before = copy.deepcopy(NETWORK.state_dict())
    cut, sizes = pruned(NETWORK, fraction), flat(NETWORK).abs()
    gone = (flat(cut) == 0) & (sizes > 0)
    assert int((flat(cut) == 0).sum()) == max(round(fraction * len(sizes)), int((sizes == 0).sum()))
    kept = flat(cut) != 0
    assert not gone.any() or not kept.any() or sizes[gone].max() <= sizes[kept].min()
    assert torch.equal(flat(cut)[kept], flat(NETWORK)[kept])
    assert all(torch.equal(value, before[name]) for name, value in NETWORK.state_dict().items())
    assert torch.equal(cut.norm1.bias, NETWORK.norm1.bias)


def test_nothing_pruned_changes_nothing_and_everything_pruned_gives_one_answer():
    few = images(60)
    labels = predict_logits(NETWORK, few).argmax(1)
    labels[:6] = (labels[:6] + 1) % 10
    accuracy, all_gone = pruning_curve(NETWORK, few, labels, [0.0, 1.0])
    assert accuracy == pytest.approx(90)
    answers = predict_logits(pruned(NETWORK, 1.0), few)
    assert torch.equal(answers, answers[:1].expand_as(answers))
    assert all_gone == pytest.approx(100 * (labels == answers[0].argmax()).double().mean().item())


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_only_a_share_can_be_pruned(fraction):
    with pytest.raises(ValueError, match="from 0 to 1"):
        pruned(NETWORK, fraction)


@pytest.mark.parametrize(("norm", "trained"), [("batch", True), ("group", True), ("layer", True), ("none", None)])
def test_gammas(norm, trained):
    module = build_network(RunConfig(network="a", norm=norm))
    found = norm_scales(module)
    assert [scale.trained for scale in found] == ([] if trained is None else [trained] * 6)
    for scale in found:
        module.get_submodule(scale.name).weight.data[0] = 7
        assert scale.gamma.tolist() == [1.0] * len(scale.gamma)  # a copy
    assert [scale.gamma[0].item() for scale in norm_scales(module)] == [7.0] * len(found)
    assert not any(scale.trained for scale in norm_scales(NETWORK))
