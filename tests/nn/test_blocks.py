"""BlockForward gives what the network itself gives: outputs, gradients and running statistics, in double precision."""

from __future__ import annotations

import copy
import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mnist_lab.config import RunConfig
from mnist_lab.nn import blocks
from mnist_lab.nn.blocks import BlockForward
from mnist_lab.nn.dropout import FEW, positions, positions_in_turn, reseed_dropout
from mnist_lab.nn.networks import build_network
from mnist_lab.nn.norms import GhostBatchNorm2d


def data(batch: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(batch)
    return (
        torch.randn(batch, 1, 28, 28, generator=generator, dtype=dtype),
        torch.randint(10, (batch,), generator=generator),
    )


def backward(forward, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    logits = forward(images)
    F.cross_entropy(logits, labels).backward()
    return logits.detach()


def check_alike(network: nn.Module, reference: nn.Module) -> None:
    for (name, ours), theirs in zip(network.named_parameters(), reference.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, msg=lambda text, name=name: f"{name}: {text}")
    for (name, ours), theirs in zip(network.named_buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=lambda text, name=name: f"{name}: {text}")


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from("abc"), norm=st.sampled_from(["none", "batch", "ghost", "layer", "group"]),
    splits=st.sampled_from([2, 3, 4]), freeze=st.booleans(), batch=st.integers(4, 13), steps=st.integers(1, 3),
    memory_format=st.sampled_from([torch.contiguous_format, torch.channels_last]), vector=st.sampled_from([8, 16]),
)
def test_it_is_the_network(name, norm, splits, freeze, batch, steps, memory_format, vector):
    """Batches that the ghost batches do not divide, and every filling that processors ask for, among them."""
    config = RunConfig(network=name, norm=norm, num_splits=splits, freeze_gamma=freeze)
    network = build_network(config).double().to(memory_format=memory_format)
    reference = copy.deepcopy(network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "VECTOR", vector)
        forward = BlockForward(network)
    for step in range(steps):  # gradients add up over the steps, running statistics move on
        images, labels = data(batch + step)
        torch.testing.assert_close(backward(forward, images, labels), backward(reference, images, labels))
    check_alike(network, reference)


class Masked(nn.Module):
    """Dropout with a mask that is given."""

    def __init__(self, kept: torch.Tensor, scale: float):
        super().__init__()
        self.kept, self.scale = kept, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.kept * self.scale


@pytest.mark.parametrize("norm", ["none", "batch", "ghost"])
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_with_dropout_it_is_the_network_with_the_same_masks(name, norm, monkeypatch):
    config = RunConfig(network=name, norm=norm, dropout=0.05, num_splits=4)
    network = build_network(config).double().to(memory_format=torch.channels_last)
    forward = BlockForward(network)
    drawn = []
    monkeypatch.setattr(
        blocks, "positions_in_turn", lambda *given: drawn.append(positions_in_turn(*given)) or drawn[-1]
    )
    reference = copy.deepcopy(network)
    images, labels = data(12)
    logits = backward(forward, images, labels)
    in_blocks = {id(block.dropout) for block in forward.dropping}
    names = [name for name, layer in network.named_children() if id(layer) in in_blocks]
    assert len(drawn) == 1 and len(drawn[0]) == len(names) == len(forward.dropping) > 4
    for layer_name, block, places in zip(names, forward.dropping, drawn[0], strict=True):
        channels, height, width = block.shape
        kept = torch.ones(12, height, width, channels + block.filling)
        kept.view(-1)[torch.from_numpy(places)] = 0
        assert 0.03 < 1 - kept.mean() < 0.08, "it is dropout"
        scale = 1 / 0.95 if norm == "none" else 1.0
        setattr(reference, layer_name, Masked(kept.permute(0, 3, 1, 2)[:, :channels], scale))
    torch.testing.assert_close(logits, backward(reference, images, labels))
    check_alike(network, reference)


@pytest.mark.parametrize("norm", ["none", "batch", "ghost", "layer"])
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_in_bfloat16_it_is_as_exact_as_the_network_under_autocast(name, norm):
    exact = build_network(RunConfig(network=name, norm=norm)).to(memory_format=torch.channels_last)
    network, modules = copy.deepcopy(exact), copy.deepcopy(exact)
    images, labels = data(48, torch.float32)
    backward(exact.double(), images.double(), labels)
    errors = []
    for each, forward in ((network, BlockForward(network)), (modules, modules)):
        with torch.autocast("cpu", torch.bfloat16):
            logits = forward(images)
        F.cross_entropy(logits.float(), labels).backward()
        assert all(parameter.grad.dtype == torch.float32 for parameter in each.parameters())
        errors.append([
            float((ours.grad - theirs.grad).norm() / theirs.grad.norm())
            for ours, theirs in zip(each.parameters(), exact.parameters(), strict=True)
        ] + [
            float((ours - theirs).norm() / theirs.norm())
            for ours, theirs in zip(each.buffers(), exact.buffers(), strict=True) if ours.is_floating_point()
        ])
    for number, (ours, theirs) in enumerate(zip(*errors, strict=True)):
        assert ours <= 2 * theirs + 0.01, (number, ours, theirs)


@pytest.mark.parametrize("dropout", [FEW + 0.01, 0.5])
@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_more_dropout_goes_through_its_own_layers(dropout, norm, monkeypatch):
    """A block without dropout changes the masks of no layer that follows it, where no channel is filled up."""
    monkeypatch.setattr(blocks, "SMALL", 0)
    network = build_network(RunConfig(network="c", norm=norm, dropout=dropout)).double()
    network.to(memory_format=torch.channels_last)
    reference, forward = copy.deepcopy(network), BlockForward(network)
    assert not forward.dropping
    for each in (network, reference):
        reseed_dropout(each, 3, 1)
    images, labels = data(8)
    torch.testing.assert_close(backward(forward, images, labels), backward(reference, images, labels))
    check_alike(network, reference)


def test_filled_channels_go_through_more_dropout():
    network = build_network(RunConfig(network="a", norm="batch", dropout=0.5)).double()
    images, labels = data(8)
    assert backward(BlockForward(network), images, labels).isfinite().all()
    assert all(parameter.grad.shape == parameter.shape for parameter in network.parameters())


@pytest.mark.parametrize(("name", "runs", "between"), [
    ("a", [2, 2, 2], ["MaxPool2d", "MaxPool2d", "at one place", "Flatten"]),
    ("b", [7], ["AdaptiveAvgPool2d", "at one place", "Flatten"]),
    ("c", [6, 8], ["Conv2d", "ReLU", "GhostBatchNorm2d", "MaxPool2d", "at one place", "at one place", "Flatten"]),
])
def test_a_network_is_made_of_few_runs_of_blocks(name, runs, between):
    forward = BlockForward(build_network(RunConfig(network=name, norm="batch")))
    assert [len(part) for part in forward.parts if isinstance(part, list)] == runs
    assert [
        "at one place" if isinstance(part, functools.partial) else type(part).__name__
        for part in forward.parts if not isinstance(part, list)
    ] == between


def test_the_blocks_of_network_b(monkeypatch):
    monkeypatch.setattr(blocks, "VECTOR", 8)
    made = BlockForward(build_network(RunConfig(network="b", norm="batch", dropout=0.05))).blocks
    assert [block.shape for block in made] == [
        (16, 26, 26), (16, 24, 24), (16, 12, 12), (16, 10, 10), (16, 8, 8), (10, 6, 6), (10, 6, 6),
    ]
    assert [block.filling for block in made] == [0, 0, 0, 0, 0, 6, 6]
    assert [block.pool is not None for block in made] == [False, False, True, False, False, False, False]


def test_in_evaluation_the_network_itself_is_called(monkeypatch):
    network = build_network(RunConfig(norm="ghost", num_splits=4))
    forward = BlockForward(network)
    images, _ = data(8, torch.float32)
    monkeypatch.setattr(blocks._Blocks, "apply", lambda *_given: pytest.fail("computed in blocks"))
    assert torch.equal(forward.network.eval()(images), forward(images))
    with pytest.raises(pytest.fail.Exception, match="in blocks"):
        network.train()
        forward(images)


def test_it_leaves_the_network_as_it_was():
    network = build_network(RunConfig(norm="batch", dropout=0.05))
    before = copy.deepcopy(network.state_dict())
    BlockForward(network)
    assert network.training and all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_it_follows_weights_that_are_loaded_and_moved():
    network, other = (build_network(RunConfig(norm="batch", seed=seed)) for seed in (0, 1))
    forward = BlockForward(network)
    network.load_state_dict(other.state_dict())
    network.double()
    images, labels = data(6)
    torch.testing.assert_close(backward(forward, images, labels), backward(other.double(), images, labels))
    check_alike(network, other)


def test_momentum_none_is_the_average_over_all_steps():
    network = build_network(RunConfig(norm="ghost", num_splits=2)).double()
    for layer in network:
        if isinstance(layer, GhostBatchNorm2d):
            layer.momentum = None
    reference, forward = copy.deepcopy(network), BlockForward(network)
    for batch in (4, 6):
        images, labels = data(batch)
        backward(forward, images, labels)
        backward(reference, images, labels)
    check_alike(network, reference)


@given(
    counts=st.lists(st.integers(0, 3_000), max_size=6), p=st.sampled_from([0.001, 0.01, 0.05, FEW]),
    seed=st.integers(0, 99),
)
def test_positions_in_turn_are_those_of_all_together(counts, p, seed):
    parts = positions_in_turn(np.random.Generator(np.random.SFC64(seed)), counts, p)
    whole = positions(np.random.Generator(np.random.SFC64(seed)), sum(counts), p)
    starts = np.cumsum([0, *counts])
    assert len(parts) == len(counts)
    for part, count in zip(parts, counts, strict=True):
        assert part.dtype == np.int64 and (part >= 0).all() and (part < count).all()
    joined = [part + start for part, start in zip(parts, starts[:-1], strict=True)]
    assert (np.concatenate([np.empty(0, np.int64), *joined]) == whole).all()


def test_each_layer_of_a_step_and_each_step_has_a_mask_of_its_own():
    numbers = np.random.Generator(np.random.SFC64(1))
    count, p = 40_000, 0.05
    masks = np.zeros((6, count))
    for row, places in zip(masks, positions_in_turn(numbers, [count] * 3, p) + positions_in_turn(
        numbers, [count] * 3, p
    ), strict=True):
        row[places] = 1
    assert abs(np.corrcoef(masks) - np.eye(6)).max() < 5 / math.sqrt(count)
    assert (abs(masks.sum(1) - count * p) < 5 * math.sqrt(count * p * (1 - p))).all()
