"""What the tests of the norms share: inputs, one training step, and what it must come to."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

# What rounding may do, relative to the largest value compared. Output and gradient are sums of a few terms of that
# size over at most some thousand values: a few units in the last place (2^-24; 2^-9 for bfloat16 results).
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 2e-2}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def inputs(batch, channels, height, width, dtype=torch.float32, memory_format="channels_last", seed=0):
    """An input with a mean other than zero, the gradient that comes back, and the memory format of both."""
    generator = torch.Generator().manual_seed(seed)
    x, grad = torch.randn(2, batch, channels, height, width, generator=generator, dtype=torch.float64)
    x = x * torch.rand(channels, 1, 1, generator=generator) * 2 + torch.randn(channels, 1, 1, generator=generator)
    shape = FORMATS[memory_format]
    return x.to(dtype).contiguous(memory_format=shape), grad.to(dtype).contiguous(memory_format=shape)


def with_parameters(norm, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in norm.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
        norm.running_mean.copy_(torch.randn(norm.num_features, generator=generator))
        norm.running_var.copy_(torch.rand(norm.num_features, generator=generator) + 0.5)
    return norm


def run(norm, x, grad):
    """Output and gradients (input, gamma, beta) of one training step."""
    x = x.detach().clone().requires_grad_()
    y = norm(x)
    y.backward(grad)
    return y.detach(), x.grad, norm.weight.grad, norm.bias.grad


def independent(norm, x, grad, splits):
    """The same from one float64 BatchNorm2d per chunk, and the plain means of their running statistics."""
    parts, means, variances = [], [], []
    for chunk, chunk_grad in zip(x.tensor_split(splits), grad.tensor_split(splits), strict=True):
        batch_norm = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum)
        batch_norm.load_state_dict(norm.state_dict())
        parts.append(run(batch_norm.double().train(), chunk.double(), chunk_grad.double()))
        means.append(batch_norm.running_mean)
        variances.append(batch_norm.running_var)
    y, x_grad, weight_grad, bias_grad = zip(*parts, strict=True)
    return (
        (torch.cat(y), torch.cat(x_grad), sum(weight_grad), sum(bias_grad)),
        (torch.stack(means).mean(0), torch.stack(variances).mean(0)),
    )


def assert_close(actual, expected, dtype, size=1.0):
    scale = max(size, expected.abs().max().item())
    error = (actual.double() - expected.double()).abs().max().item()
    assert error <= TOLERANCE[dtype] * scale, f"{error:.2e} of {scale:.2e}"


def check_one_value_per_channel(norm, x):
    before = copy.deepcopy(norm.state_dict())
    chunk = x[-1:]
    with pytest.raises(ValueError, match="Expected more than 1 value per channel") as theirs:
        nn.BatchNorm2d(norm.num_features)(chunk)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel") as ours:
        norm(x)
    if len(x) > 1:
        assert str(ours.value) == str(theirs.value)
        assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def nn_copy(norm):
    batch_norm = nn.BatchNorm2d(norm.num_features)
    batch_norm.load_state_dict(norm.state_dict())
    return batch_norm
