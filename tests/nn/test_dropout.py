"""Dropout is dropout: rate, scale, independence of everything from everything, and the gradient to match.

All seeds are fixed, and every bound is five standard deviations or a p-value of 1e-4: what passes once always does.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from mnist_lab.config import RunConfig
from mnist_lab.nn.dropout import FEW, LEVELS, Dropout, reseed_dropout
from mnist_lab.nn.networks import build_network

RATES = [0.01, 0.05, FEW, FEW + 0.001, 0.25, 0.5]  # three on each side of FEW, where the way of drawing changes
WAYS = [0.05, 0.3]  # one of each
SHAPE = (24, 10, 12, 12)
STEPS = 16


def met(p: float) -> float:
    """The rate that is met: many dropped are counted in 65,536ths."""
    return p if p <= FEW else round(p * LEVELS) / LEVELS


def masks(p: float, shape: tuple[int, ...] = SHAPE, steps: int = STEPS, seed: int = 1) -> np.ndarray:
    """What is dropped in each step, in the order of memory: booleans [steps, *shape]."""
    layer = Dropout(p)
    layer.reseed(seed, 1)
    ones = torch.ones(shape)
    return torch.stack([layer(ones) == 0 for _ in range(steps)]).numpy()


@pytest.fixture(scope="module", params=RATES)
def dropped(request) -> tuple[float, np.ndarray]:
    return met(request.param), masks(request.param)


def test_both_ways_are_tested():
    assert min(RATES) <= FEW < max(RATES) and WAYS[0] <= FEW < WAYS[1]


def test_the_rate(dropped):
    p, mask = dropped
    assert abs(mask.sum() - mask.size * p) < 5 * math.sqrt(mask.size * p * (1 - p))


def test_the_number_dropped_varies_as_independent_ones_do(dropped):
    p, mask = dropped
    counts = mask.reshape(STEPS, SHAPE[0], -1).sum(2)
    size = mask[0, 0].size
    score = ((counts - size * p) ** 2).sum() / (size * p * (1 - p))
    assert 1e-4 < stats.chi2.cdf(score, counts.size) < 1 - 1e-4


def test_what_stays_is_scaled_so_that_the_mean_is_kept():
    for p in RATES:
        layer = Dropout(p)
        out = torch.stack([layer(torch.ones(SHAPE, dtype=torch.float64)) for _ in range(5)])
        scales = out[out != 0].unique()
        assert len(scales) == 1
        assert scales.item() == pytest.approx(1 / (1 - met(p)), rel=1e-6)
        assert abs(scales.item() * (1 - p) - 1) <= (0 if p <= FEW else 1 / LEVELS) + 1e-7
        assert abs(out.mean() - 1) < 5 * math.sqrt(p / (1 - p) / out.numel())


def test_the_gaps_between_dropped_elements_are_geometric(dropped):
    """Chi-square over the gap lengths: a generator with memory, or two elements from one draw, shows here."""
    p, mask = dropped
    gaps = np.concatenate([np.diff(np.flatnonzero(step)) for step in mask])
    most = int(stats.geom.isf(60 / len(gaps), p))
    width = max(1, most // 40)
    edges = np.arange(1, most, width)
    expected = np.diff(np.append(stats.geom.cdf(edges - 1, p), 1.0)) * len(gaps)
    found = np.histogram(gaps, np.append(edges, gaps.max() + 1))[0]
    assert stats.chisquare(found, expected).pvalue > 1e-4


def correlation(a: np.ndarray, b: np.ndarray, p: float) -> float:
    """In standard deviations of what independent masks would show."""
    score = float(((a - p) * (b - p)).mean()) / (p * (1 - p))
    return abs(score) * math.sqrt(a.size)


@pytest.mark.parametrize(("axis", "lags"), [(0, (1, 2, 7)), (1, (1, 2, 16)), (2, (1, 5)), (3, (1, 2)), (4, (1, 2, 4))])
def test_steps_samples_channels_and_positions_are_independent(dropped, axis, lags):
    p, mask = dropped
    for lag in lags:
        first = np.take(mask, range(mask.shape[axis] - lag), axis)
        later = np.take(mask, range(lag, mask.shape[axis]), axis)
        assert correlation(first, later, p) < 5


def test_neighbours_in_memory_are_independent(dropped):
    """One 64-bit word decides four elements: lags of 1 to 4 above all."""
    p, mask = dropped
    flat = mask.reshape(STEPS, -1)
    for lag in (*range(1, 9), 16, 32, 64):
        assert correlation(flat[:, :-lag], flat[:, lag:], p) < 5


@pytest.mark.parametrize("p", WAYS)
@pytest.mark.parametrize("count", [1, 6, 41])
def test_every_position_is_dropped_as_often_as_any_other(p, count):
    steps = 2_000
    often = masks(p, (count,), steps).sum(0)
    score = ((often - steps * met(p)) ** 2 / (steps * met(p) * (1 - met(p)))).sum()
    assert 1e-4 < stats.chi2.cdf(score, count) < 1 - 1e-4, often


@pytest.mark.parametrize("p", [0.01, *WAYS])
@pytest.mark.parametrize("count", [2_003, 12_007])
def test_the_first_and_the_last_positions_too(p, count):
    steps, ends = 200, 60
    mask = masks(p, (count,), steps)
    for end in (mask[:, :ends], mask[:, -ends:], mask[:, -3:], mask[:, :3]):
        assert abs(end.sum() - end.size * met(p)) < 5 * math.sqrt(end.size * p * (1 - p)) + 0.5


@pytest.mark.parametrize("p", WAYS)
def test_evaluation_is_the_identity(p):
    x = torch.randn(SHAPE)
    for inplace in (False, True):
        assert Dropout(p, inplace=inplace).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("p", WAYS)
def test_reseeding_starts_the_same_masks_over(p):
    layer, other = Dropout(p, layer=3), Dropout(p, layer=3)
    ones = torch.ones(SHAPE)
    layer(ones)
    layer.reseed(5, 2)
    first = [layer(ones) for _ in range(3)]
    assert not torch.equal(first[0], first[1])
    layer.reseed(5, 2)
    assert all(torch.equal(layer(ones), mask) for mask in first)
    other.reseed(5, 2)
    torch.manual_seed(3)
    np.random.seed(3)
    assert all(torch.equal(other(ones), mask) for mask in first)


@pytest.mark.parametrize("p", WAYS)
def test_seeds_epochs_and_layers_are_independent(p):
    def mask(seed: int, epoch: int, number: int) -> np.ndarray:
        layer = Dropout(p, layer=number)
        layer.reseed(seed, epoch)
        return (layer(torch.ones(SHAPE)) == 0).numpy()

    made = [mask(*each) for each in [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 1), (1, 2, 2), (2, 1, 2)]]
    for index, a in enumerate(made):
        for b in made[index + 1:]:
            assert correlation(a, b, met(p)) < 5


@pytest.mark.parametrize("p", WAYS)
def test_the_global_generators_are_left_alone(p):
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    Dropout(p)(torch.ones(SHAPE))
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def formats() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    image = torch.randn(6, 5, 4, 3)
    return {
        "contiguous": image,
        "channels last": image.contiguous(memory_format=torch.channels_last),
        "one image": torch.randn(1, 5, 4, 3).contiguous(memory_format=torch.channels_last),
        "one channel": torch.randn(6, 1, 4, 3).contiguous(memory_format=torch.channels_last),
        "one pixel": torch.randn(6, 5, 1, 1).contiguous(memory_format=torch.channels_last),
        "matrix": torch.randn(7, 9),
        "vector": torch.randn(11),
        "empty": torch.randn(0, 5, 4, 3),
    }


def odd_strides() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "transposed": torch.randn(9, 7).t(),
        "permuted images": torch.randn(4, 3, 5, 6).permute(3, 2, 0, 1),
        "expanded": torch.randn(1, 5, 1, 3).expand(6, 5, 4, 3),
        "every other": torch.randn(12, 5, 8, 3)[::2, :, ::2],
        "part of the channels": torch.randn(6, 9, 4, 3).contiguous(memory_format=torch.channels_last)[:, 2:7],
    }


def run(x: torch.Tensor, p: float, inplace: bool, upstream: torch.Tensor):
    """Output and gradient of the input."""
    layer = Dropout(p, inplace=inplace)
    layer.reseed(4, 1)
    leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = layer(leaf * 1.0 if inplace else leaf)
    out.backward(upstream.clone(memory_format=torch.preserve_format))
    return out.detach(), leaf.grad


@pytest.mark.parametrize("p", WAYS)
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("name", formats())
def test_the_gradient_is_the_mask_times_the_scale(name, inplace, p):
    x, scale = formats()[name], 1 / (1 - met(p))
    for upstream in (torch.randn(x.shape), torch.randn(x.shape[::-1]).permute(*reversed(range(x.dim())))):
        out, grad = run(x, p, inplace, upstream)
        kept = out != 0
        torch.testing.assert_close(out, x * kept * scale)
        torch.testing.assert_close(grad, upstream * kept * scale)
        assert out.stride() == x.stride() and out.dtype == x.dtype
    if x.numel() > 100:
        assert 0 < kept.sum() < x.numel()


@pytest.mark.parametrize("p", WAYS)
def test_a_gradient_that_is_one_number_for_all(p):
    """`sum` hands back an expanded scalar: nothing may be written into it."""
    for inplace in (False, True):
        leaf = formats()["channels last"].clone(memory_format=torch.preserve_format).requires_grad_()
        out = Dropout(p, inplace=inplace)(leaf * 1.0)
        out.sum().backward()
        torch.testing.assert_close(leaf.grad, (out != 0) / (1 - met(p)))


@pytest.mark.parametrize("p", WAYS)
@pytest.mark.parametrize("name", odd_strides())
def test_odd_strides_work_too(name, p):
    x = odd_strides()[name]
    before = x.clone()
    layer = Dropout(p)
    layer.reseed(5, 1)  # which drops at least one of the 63
    leaf = x.detach().requires_grad_()
    out = layer(leaf)
    kept = out != 0
    torch.testing.assert_close(out, x * kept / (1 - met(p)))
    assert 0 < kept.sum() < x.numel() and torch.equal(x, before)
    upstream = torch.randn(x.shape)
    (grad,) = torch.autograd.grad(out, leaf, upstream)
    torch.testing.assert_close(grad, upstream * kept / (1 - met(p)))


@pytest.mark.parametrize("p", WAYS)
def test_in_place_writes_into_its_input_and_otherwise_not(p):
    x = formats()["channels last"]
    before = x.clone()
    out = Dropout(p)(x)
    assert torch.equal(x, before) and out.data_ptr() != x.data_ptr() and not out.requires_grad
    out = Dropout(p, inplace=True)(x)
    assert out.data_ptr() == x.data_ptr() and (x == 0).any() and not out.requires_grad


@pytest.mark.parametrize("p", WAYS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types_get_the_same_masks(p, dtype):
    x = torch.randn(SHAPE).contiguous(memory_format=torch.channels_last).abs() + 0.1
    out, grad = run(x, p, True, torch.ones(SHAPE))
    other_out, other_grad = run(x.to(dtype), p, True, torch.ones(SHAPE, dtype=dtype))
    assert other_out.dtype == other_grad.dtype == dtype
    assert torch.equal(other_out != 0, out != 0) and torch.equal(other_grad != 0, grad != 0)
    torch.testing.assert_close(other_out, out.to(dtype), rtol=0.01, atol=0)


@pytest.mark.parametrize("p", [-0.1, 1, 1.0, 1.5, math.nan, math.inf])
def test_an_impossible_rate_is_refused(p):
    with pytest.raises(ValueError, match="dropout p must be"):
        Dropout(p)


@pytest.mark.parametrize("p", [5e-324, 1e-300, 1e-20, 1e-9])
def test_a_rate_of_almost_nothing_drops_nothing(p):
    x = torch.randn(SHAPE)
    torch.testing.assert_close(Dropout(p)(x), x)


def test_reseed_dropout_reaches_every_layer_and_each_has_masks_of_its_own():
    network = build_network(RunConfig(network="a", dropout=0.3))
    layers = [layer for layer in network if isinstance(layer, Dropout)]
    assert len(layers) == 6 and len({layer.layer for layer in layers}) == 6
    ones = torch.ones(50_000)
    [layer(ones.clone()) for layer in layers]
    reseed_dropout(nn.ModuleDict({"inner": network}), 7, 3)
    drawn = [layer(ones.clone()) == 0 for layer in layers]
    for layer, mask in zip(layers, drawn, strict=True):
        again = Dropout(0.3, layer=layer.layer)
        again.reseed(7, 3)
        assert torch.equal(again(ones.clone()) == 0, mask)
    rows = torch.stack(drawn).float()
    assert (torch.corrcoef(rows) - torch.eye(6)).abs().max() < 5 / math.sqrt(50_000)


@pytest.mark.parametrize("dropout", WAYS)
@pytest.mark.parametrize("norm", ["batch", "ghost", "none", "group"])
def test_in_a_network_the_scale_is_applied_once(norm, dropout):
    """What stays of each dropout layer's block is 1 / (1 - p) times what it is without dropout, in training."""
    images = torch.randn(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    plain = build_network(RunConfig(norm=norm))
    network = build_network(RunConfig(norm=norm, dropout=dropout))
    first = [name for name, _ in network.named_children()].index("dropout1") + 1
    for memory_format in (torch.contiguous_format, torch.channels_last):
        x = images.contiguous(memory_format=memory_format)
        with torch.no_grad():
            out, expected = network[:first](x), plain[: first - 1](x)
        kept = out != 0
        torch.testing.assert_close(out, expected * kept / (1 - met(dropout)), rtol=2e-4, atol=1e-5)
