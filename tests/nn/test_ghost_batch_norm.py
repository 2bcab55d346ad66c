"""GhostBatchNorm2d against its definition: one BatchNorm2d for each chunk, and the average of what they learn."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from norm_checks import (
    FORMATS,
    TOLERANCE,
    assert_close,
    check_one_value_per_channel,
    independent,
    inputs,
    nn_copy,
    run,
    with_parameters,
)
from torch import nn

from mnist_lab.nn.norms import GhostBatchNorm2d


@settings(max_examples=150, deadline=None)
@given(
    batch=st.integers(1, 40), splits=st.integers(1, 32), channels=st.integers(1, 6), height=st.integers(1, 7),
    width=st.integers(1, 7), memory_format=st.sampled_from(list(FORMATS)), dtype=st.sampled_from(list(TOLERANCE)),
    seed=st.integers(0, 99),
)
def test_every_chunk_gets_a_batch_norm_of_its_own(
    batch, splits, channels, height, width, memory_format, dtype, seed
):
    x, grad = inputs(batch, channels, height, width, dtype, memory_format, seed)
    splits_used = min(splits, batch)
    norm = with_parameters(GhostBatchNorm2d(channels, splits, dtype=torch.promote_types(dtype, torch.float32)))
    if batch // splits_used * height * width == 1:
        check_one_value_per_channel(norm, x)
        return
    # Rounding grows with mean / standard deviation, and chunks of very few values may have next to no variance.
    chunks = [c.double() for c in x.tensor_split(splits_used)]
    worst = max(float(((1 + c.abs().mean((0, 2, 3))) / (c.var((0, 2, 3), unbiased=False) + norm.eps).sqrt()).max())
                for c in chunks)
    expected, (mean, var) = independent(norm, x, grad, splits_used)
    actual = run(norm, x, grad)
    assert actual[0].dtype == actual[1].dtype == dtype
    for ours, theirs in zip(actual, expected, strict=True):
        assert_close(ours, theirs, dtype, size=float(grad.abs().max()) * max(1.0, worst) ** 2)
    statistics = torch.float32 if dtype is torch.bfloat16 else dtype
    assert_close(norm.running_mean, mean, statistics)
    assert_close(norm.running_var, var, statistics)
    assert norm.num_batches_tracked == 1


def test_one_value_per_channel_in_the_smaller_chunks_only():
    norm = GhostBatchNorm2d(3, 4)
    check_one_value_per_channel(norm, torch.randn(5, 3, 1, 1))


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("batch", "splits"), [(12, 1), (1, 4)])
def test_one_split_equals_batch_norm_exactly(memory_format, batch, splits):
    ghost = with_parameters(GhostBatchNorm2d(5, splits))
    batch_norm = nn.BatchNorm2d(5)
    batch_norm.load_state_dict(ghost.state_dict())
    x, grad = inputs(batch, 5, 6, 7, memory_format=memory_format)
    for ours, theirs in zip(run(ghost, x, grad), run(batch_norm, x, grad), strict=True):
        assert torch.equal(ours, theirs)
    for name, value in batch_norm.state_dict().items():
        assert torch.equal(ghost.state_dict()[name], value)


@pytest.mark.parametrize("batch", [128, 96, 101])
@pytest.mark.parametrize("memory_format", FORMATS)
def test_a_real_layer_is_as_exact_as_batch_norm(memory_format, batch):
    x, grad = inputs(batch, 16, 26, 26, memory_format=memory_format)
    norm = with_parameters(GhostBatchNorm2d(16, 4))
    expected, _ = independent(norm, x, grad, 4)
    plain = copy.deepcopy(norm)
    pieces = [run(nn_copy(plain), c, g) for c, g in zip(x.tensor_split(4), grad.tensor_split(4), strict=True)]
    ours = run(norm, x, grad)
    for index in (0, 1):
        torch_error = (torch.cat([piece[index] for piece in pieces]) - expected[index]).abs().max()
        assert (ours[index] - expected[index]).abs().max() <= 10 * torch_error
    for index in (2, 3):  # sums over 86,528 values
        assert_close(ours[index], expected[index], torch.float32)


def test_an_input_far_from_zero_keeps_its_precision():
    x, grad = inputs(16, 4, 9, 9)
    x = x + 300
    norm = with_parameters(GhostBatchNorm2d(4, 4))
    expected, (_, var) = independent(norm, x, grad, 4)
    actual = run(norm, x, grad)
    # float32 holds 300 to 2^-16; a variance from a difference of squares would be wrong in the second digit
    for ours, theirs in zip(actual, expected, strict=True):
        assert (ours - theirs).abs().max() <= 3e-3 * theirs.abs().max()
    torch.testing.assert_close(norm.running_var.double(), var, rtol=1e-4, atol=0)


@pytest.mark.parametrize("splits", [2, 4, 5])
@pytest.mark.parametrize("memory_format", FORMATS)
def test_gradients_agree_with_finite_differences(splits, memory_format):
    norm = with_parameters(GhostBatchNorm2d(3, splits, dtype=torch.float64))
    x, _ = inputs(8, 3, 3, 2, torch.float64, memory_format)

    def call(x, weight, bias):
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x,))

    arguments = (x.requires_grad_(), norm.weight.detach().requires_grad_(), norm.bias.detach().requires_grad_())
    assert torch.autograd.gradcheck(call, arguments)


def test_without_momentum_the_statistics_are_the_average_of_all_steps():
    norm = GhostBatchNorm2d(3, 2, momentum=None)
    steps = [inputs(8, 3, 4, 4, seed=seed)[0] for seed in range(3)]
    for x in steps:
        norm(x)
    chunks = [chunk for x in steps for chunk in x.tensor_split(2)]
    expected = torch.stack([c.mean((0, 2, 3)) for c in chunks]).mean(0)
    torch.testing.assert_close(norm.running_mean, expected)
    torch.testing.assert_close(norm.running_var, torch.stack([c.var((0, 2, 3)) for c in chunks]).mean(0))
    assert norm.num_batches_tracked == 3


def test_evaluation_equals_batch_norm_and_changes_nothing():
    norm = with_parameters(GhostBatchNorm2d(4, 4)).eval()
    before = copy.deepcopy(norm.state_dict())
    x, _ = inputs(7, 4, 5, 5)
    assert torch.equal(norm(x), nn_copy(norm).eval()(x))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


@pytest.mark.parametrize("splits", [2, 32])
def test_weights_move_freely_between_batch_norm_and_any_splits(splits):
    batch_norm = with_parameters(nn.BatchNorm2d(6))
    ghost = GhostBatchNorm2d(6, splits)
    assert ghost.load_state_dict(batch_norm.state_dict()) == batch_norm.load_state_dict(ghost.state_dict())
    assert {n: v.shape for n, v in ghost.state_dict().items()} == {
        n: v.shape for n, v in batch_norm.state_dict().items()
    }


@pytest.mark.parametrize("splits", [1, 4])
def test_a_frozen_gamma_is_stored_and_not_trained(splits):
    norm = GhostBatchNorm2d(5, splits, freeze_gamma=True)
    x, grad = inputs(8, 5, 4, 4)
    _, x_grad, weight_grad, bias_grad = run(norm, x, grad)
    assert weight_grad is None
    torch.testing.assert_close(bias_grad, grad.sum((0, 2, 3)))
    assert x_grad.abs().max() > 0
    assert torch.equal(norm.state_dict()["weight"], torch.ones(5))


@pytest.mark.parametrize("memory_format", FORMATS)
def test_under_bfloat16_autocast_statistics_stay_float32(memory_format):
    conv = nn.Conv2d(3, 5, 3, bias=False).to(memory_format=FORMATS[memory_format])
    norm = GhostBatchNorm2d(5, 4)
    x, _ = inputs(12, 3, 8, 8, memory_format=memory_format)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = conv(x)
        y = norm(hidden)
    assert y.dtype == hidden.dtype == torch.bfloat16
    y.float().square().mean().backward()
    assert norm.running_mean.dtype == norm.weight.grad.dtype == conv.weight.grad.dtype == torch.float32
    chunks = hidden.detach().float().tensor_split(4)
    expected = 0.1 * torch.stack([c.mean((0, 2, 3)) for c in chunks]).mean(0)
    torch.testing.assert_close(norm.running_mean, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_the_memory_format_is_kept(memory_format):
    x, grad = inputs(8, 5, 6, 7, memory_format=memory_format)
    norm = GhostBatchNorm2d(5, 4)
    x.requires_grad_()
    y = norm(x)
    y.backward(grad)
    assert y.is_contiguous(memory_format=FORMATS[memory_format])
    assert x.grad.stride() == x.stride()


def test_other_layouts_of_input_and_gradient_give_the_same_numbers():
    x, grad = inputs(8, 5, 6, 6, seed=1)
    expected = run(GhostBatchNorm2d(5, 4), x, grad)
    transposed = run(GhostBatchNorm2d(5, 4), x.mT.contiguous().mT, grad.contiguous())
    broadcast = run(GhostBatchNorm2d(5, 4), x, grad[:1, :1, :1, :1].expand_as(x))
    for ours, theirs in zip(transposed, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        broadcast[1], run(GhostBatchNorm2d(5, 4), x, grad[:1, :1, :1, :1].expand_as(x).contiguous())[1]
    )


def test_nonsense_is_refused_as_batch_norm_does():
    with pytest.raises(ValueError, match="expected 4D input"):
        GhostBatchNorm2d(3, 2)(torch.zeros(4, 3, 5))
    with pytest.raises(ValueError, match="num_splits"):
        GhostBatchNorm2d(3, 0)
