"""The norms by name, and FastBatchNorm2d, which is BatchNorm2d by other means. Ghost batches have their own file."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from norm_checks import assert_close, check_one_value_per_channel, independent, inputs, run, with_parameters
from torch import nn
from torch.nn import functional as F

from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.nn import norm_kernels
from mnist_lab.nn.norms import NORMS, FastBatchNorm2d, group_count, make_norm


def test_the_registry_has_every_norm_of_the_config():
    assert set(NORMS) == set(KNOBS["norm"].choices)


def test_the_registry_follows_the_config():
    ghost = make_norm(RunConfig(norm="ghost", num_splits=8, freeze_gamma=True), 10)
    assert (ghost.num_splits, ghost.weight.requires_grad) == (8, False)
    batch = make_norm(RunConfig(norm="batch", freeze_gamma=True), 10)
    assert isinstance(batch, nn.BatchNorm2d) and batch.num_splits == 1
    assert not batch.weight.requires_grad
    assert make_norm(RunConfig(norm="batch"), 10).weight.requires_grad
    assert make_norm(RunConfig(norm="none"), 10) is None


def test_layer_norm_normalises_each_image_over_channels_height_and_width():
    x, _ = inputs(3, 10, 5, 5)
    torch.testing.assert_close(make_norm(RunConfig(norm="layer"), 10)(x), F.layer_norm(x, x.shape[1:]))


@pytest.mark.parametrize(("channels", "groups"), [(10, 2), (11, 1), (12, 4), (16, 4), (9, 3)])
def test_group_norm_makes_the_most_groups_that_divide_the_channels(channels, groups):
    assert group_count(channels) == make_norm(RunConfig(norm="group"), channels).num_groups == groups


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 20), channels=st.integers(1, 20), height=st.integers(1, 7), width=st.integers(1, 7),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]), seed=st.integers(0, 99),
)
def test_fast_batch_norm_is_batch_norm(batch, channels, height, width, dtype, seed):
    x, grad = inputs(batch, channels, height, width, dtype, "channels_last", seed)
    norm = with_parameters(FastBatchNorm2d(channels))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(norm_kernels, "LARGE", 0)
        if batch * height * width == 1:
            check_one_value_per_channel(norm, x)
            return
        expected, (mean, var) = independent(norm, x, grad, 1)
        actual = run(norm, x, grad)
    least = (x.double().var((0, 2, 3), unbiased=False) + norm.eps).sqrt()
    worst = float(((1 + x.double().abs().mean((0, 2, 3))) / least).max())
    for ours, theirs in zip(actual, expected, strict=True):
        assert_close(ours, theirs, dtype, size=float(grad.abs().max()) * max(1.0, worst) ** 2)
    assert_close(norm.running_mean, mean, torch.float32)
    assert_close(norm.running_var, var, torch.float32)
    assert norm.num_batches_tracked == 1


def test_fast_batch_norm_takes_the_fast_way_only_for_a_large_channels_last_batch(monkeypatch):
    taken = []
    monkeypatch.setattr(FastBatchNorm2d, "_forward_in_chunks", lambda self, x, splits: taken.append(x.shape) or x)
    norm = FastBatchNorm2d(10)
    large = torch.randn(128, 10, 28, 28)
    norm(large)
    norm(large[:1].to(memory_format=torch.channels_last))
    norm.eval()(large.to(memory_format=torch.channels_last))
    assert not taken
    norm.train()(large.to(memory_format=torch.channels_last))
    assert taken == [large.shape]


def test_fast_batch_norm_keeps_its_precision_far_from_zero():
    x, grad = inputs(128, 10, 28, 28)
    norm = FastBatchNorm2d(10)
    y = norm((x + 1000).contiguous(memory_format=torch.channels_last))
    reference = nn.BatchNorm2d(10).double()((x + 1000).double())
    assert (y.double() - reference).abs().max() < 1e-3  # float32 spacing at 1,000 is 6e-5, standard deviation about 1
