"""Batch norm over chunks against one float64 BatchNorm2d for each, by PyTorch's kernel and many pixels at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from norm_checks import TOLERANCE, assert_close, independent, inputs, with_parameters

from mnist_lab.nn import norm_kernels
from mnist_lab.nn.norm_kernels import batch_norm, batch_norm_backward
from mnist_lab.nn.norms import GhostBatchNorm2d


def step(norm: GhostBatchNorm2d, x: torch.Tensor, grad: torch.Tensor):
    """Output and gradients (input, gamma, beta) of one training step; moves `norm`'s running statistics."""
    weight, bias = norm.weight.detach(), norm.bias.detach()
    momenta = norm.momenta(norm.num_splits)
    out, mean, inverse_std = batch_norm(x, weight, bias, norm.running_mean, norm.running_var, momenta, norm.eps)
    chunks, *affine = batch_norm_backward(grad, x, weight, mean, inverse_std, norm.eps)
    assert [len(chunk) for chunk in chunks] == [len(chunk) for chunk in x.tensor_split(norm.num_splits)]
    assert all(chunk.dtype == x.dtype for chunk in (out, *chunks))
    return out, torch.cat(chunks), *affine


@settings(max_examples=150, deadline=None)
@given(
    batch=st.integers(1, 40), splits=st.integers(1, 5), channels=st.integers(2, 20), height=st.integers(2, 7),
    width=st.integers(2, 7), dtype=st.sampled_from(list(TOLERANCE)), by_pixels=st.booleans(), seed=st.integers(0, 99),
)
def test_every_chunk_gets_a_batch_norm_of_its_own(batch, splits, channels, height, width, dtype, by_pixels, seed):
    assume(splits <= batch)
    x, grad = inputs(batch, channels, height, width, dtype, "channels_last", seed)
    norm = with_parameters(GhostBatchNorm2d(channels, splits, dtype=torch.promote_types(dtype, torch.float32)))
    expected, (mean, var) = independent(norm, x, grad, splits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(norm_kernels, "VECTOR", 64 if by_pixels else 1)
        patch.setattr(norm_kernels, "LARGE", 0)
        actual = step(norm, x, grad)
    # Rounding grows with mean / standard deviation, and chunks of few values may have next to no variance.
    chunks = [c.double() for c in x.tensor_split(splits)]
    worst = max(float(((1 + c.abs().mean((0, 2, 3))) / (c.var((0, 2, 3), unbiased=False) + norm.eps).sqrt()).max())
                for c in chunks)
    for ours, theirs in zip(actual, expected, strict=True):
        assert_close(ours, theirs, dtype, size=float(grad.abs().max()) * max(1.0, worst) ** 2)
    statistics = torch.float32 if dtype is torch.bfloat16 else dtype
    assert_close(norm.running_mean, mean, statistics)
    assert_close(norm.running_var, var, statistics)


@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize(("channels", "size"), [(10, 28), (11, 13)])
def test_a_real_layer_is_as_exact_as_pytorch(channels, size, splits, monkeypatch):
    x, grad = inputs(128, channels, size, size)
    norm = with_parameters(GhostBatchNorm2d(channels, splits))
    before = norm.running_mean.clone(), norm.running_var.clone()
    expected, _ = independent(norm, x, grad, splits)
    taken = []
    wide = norm_kernels._Wide
    monkeypatch.setattr(norm_kernels, "_Wide", lambda x: taken.append(len(x)) or wide(x))
    monkeypatch.setattr(norm_kernels, "LARGE", 0)
    ours = step(norm, x, grad)
    assert taken == [128 // splits] * 2 * splits, "many pixels at a time"
    monkeypatch.setattr(norm_kernels, "VECTOR", 1)
    norm.running_mean.copy_(before[0])
    norm.running_var.copy_(before[1])
    theirs = step(norm, x, grad)
    for mine, their, exact in zip(ours, theirs, expected, strict=True):
        assert (mine - exact).abs().max() <= 10 * (their - exact).abs().max() + 1e-6


def test_it_keeps_its_precision_far_from_zero(monkeypatch):
    monkeypatch.setattr(norm_kernels, "VECTOR", 64)
    x, grad = inputs(128, 10, 28, 28)
    x = x + 1000
    norm = GhostBatchNorm2d(10, 1)
    expected, (mean, var) = independent(norm, x, grad, 1)
    out, *_ = step(norm, x, grad)
    assert (out - expected[0]).abs().max() < 1e-3  # float32 spacing at 1,000 is 6e-5, standard deviation about 1
    torch.testing.assert_close(norm.running_mean.double(), mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(norm.running_var.double(), var, rtol=1e-4, atol=0)


def test_small_chunks_and_whole_vectors_go_to_pytorch_at_once(monkeypatch):
    monkeypatch.setattr(norm_kernels, "_Wide", lambda x: pytest.fail("many pixels at a time"))
    monkeypatch.setattr(norm_kernels, "VECTOR", 8)
    for channels, size in ((10, 6), (16, 26)):
        x, grad = inputs(128, channels, size, size)
        step(GhostBatchNorm2d(channels, 1), x, grad)
