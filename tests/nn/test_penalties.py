"""L1 and decay: closed forms, and who takes part."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mnist_lab.config import RunConfig
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.penalties import (
    add_l1_subgradient_,
    decay_groups,
    l1_norm,
    penalized,
    proximal_step_,
    proximal_threshold,
)

WEIGHTS = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20)
FROZEN = RunConfig(network="b", norm="ghost", freeze_gamma=True)


def parameter(values):
    return nn.Parameter(torch.tensor(values, dtype=torch.float32))


@settings(deadline=None, max_examples=50)
@given(WEIGHTS, st.floats(0, 5, width=32))
def test_the_proximal_step_is_soft_thresholding(values, threshold):
    w = parameter(values)
    proximal_step_([w], threshold)
    before = np.array(values, np.float32)
    expected = np.sign(before) * np.maximum(np.abs(before) - np.float32(threshold), 0)
    np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-6, atol=0)
    assert (w.detach().numpy()[np.abs(before) <= np.float32(threshold)] == 0).all()


@settings(deadline=None, max_examples=50)
@given(WEIGHTS, st.floats(2**-6, 1, width=32))
def test_proximal_steps_on_a_quadratic_reach_the_closed_form(target, l1):
    """argmin 1/2 |w - t|^2 + l1 |w| is t soft-thresholded: in one step of size 1, or in many smaller ones."""
    t = torch.tensor(target)
    expected = np.sign(target) * np.maximum(np.abs(target) - l1, 0)
    for learning_rate, momentum, steps in ((1.0, 0.0, 1), (0.5, 0.0, 40), (0.1, 0.9, 400)):
        config = RunConfig(l1=l1, l1_kind="proximal", momentum=momentum)
        w = nn.Parameter(torch.ones_like(t))
        optimizer = torch.optim.SGD([w], lr=learning_rate, momentum=momentum)
        for _ in range(steps):
            optimizer.zero_grad()
            (0.5 * (w - t).square().sum()).backward()
            optimizer.step()
            proximal_step_([w], proximal_threshold(config, learning_rate))
        np.testing.assert_allclose(w.detach().numpy(), expected, atol=1e-5)


def test_a_weight_that_is_no_number_stays_one():
    """Divergence must be seen, not hidden by a step that turns it into zero."""
    w = parameter([float("nan"), 1.0])
    proximal_step_([w], 0.5)
    assert w.isnan().tolist() == [True, False]


@settings(deadline=None, max_examples=50)
@given(WEIGHTS, st.floats(0, 1))
def test_the_subgradient_is_added_and_is_zero_at_zero(values, l1):
    w = parameter([*values, 0.0])
    w.grad = torch.full_like(w, 0.25)
    add_l1_subgradient_([w], l1)
    expected = 0.25 + l1 * np.sign(np.array([*values, 0.0], np.float32))
    np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-6)
    assert w.grad[-1] == 0.25


def test_the_subgradient_is_the_gradient_of_the_norm():
    w = parameter([3.0, -0.5, 1e-3])
    (0.1 * w.abs().sum()).backward()
    expected = w.grad.clone()
    w.grad.zero_()
    add_l1_subgradient_([w], 0.1)
    torch.testing.assert_close(w.grad, expected)


def test_a_parameter_without_a_gradient_is_left_alone():
    w = parameter([1.0])
    add_l1_subgradient_([w], 0.1)
    assert w.grad is None


@settings(deadline=None, max_examples=50)
@given(st.lists(WEIGHTS, min_size=1, max_size=4))
def test_l1_norm_is_the_sum_of_absolute_values(values):
    norm = l1_norm([parameter(v) for v in values])
    assert norm.shape == ()
    assert not norm.requires_grad
    assert norm.item() == pytest.approx(sum(abs(x) for v in values for x in v), rel=1e-5)


def test_l1_norm_of_nothing_is_zero():
    assert l1_norm([]).item() == 0


@pytest.mark.parametrize(("scope", "count"), [("all", 9_836), ("weights", 9_752)])
def test_a_frozen_gamma_takes_no_part_in_l1(scope, count):
    network = build_network(FROZEN)
    chosen = penalized(network, scope)
    assert sum(p.numel() for p in chosen) == count
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    add_l1_subgradient_(chosen, 0.5)
    proximal_step_(chosen, 0.5)
    for name, p in network.named_parameters():
        if name.startswith("norm") and name.endswith("weight"):
            assert torch.equal(p, torch.ones_like(p))
            assert not p.grad.any()
    assert l1_norm(chosen) < 9_000


@pytest.mark.parametrize(
    ("config", "decaying", "rest"),
    [
        (RunConfig(weight_decay=0.1), 9_920, 0),
        (RunConfig(weight_decay=0.1, decay_scope="weights"), 9_752, 168),
        (FROZEN.replace(weight_decay=0.1), 9_836, 0),
        (FROZEN.replace(weight_decay=0.1, decay_scope="weights"), 9_752, 84),
        (RunConfig(norm="none", weight_decay=0.1, decay_scope="weights"), 9_752, 0),
    ],
)
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_what_decays(config, decaying, rest, optimizer):
    """With zero gradients a step of SGD or AdamW only decays: by lr * decay, and by nothing."""
    network = build_network(config)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    groups = decay_groups(network, config)
    assert [sum(p.numel() for p in group["params"]) for group in groups] == [decaying, rest]
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer(groups, lr=0.5).step()
    for name, p in network.named_parameters():
        decays = p.requires_grad and (config.decay_scope == "all" or p.ndim > 1)
        torch.testing.assert_close(p.detach(), before[name] * (0.95 if decays else 1.0))
