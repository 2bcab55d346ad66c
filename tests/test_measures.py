"""Every measure against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mnist_lab.config import RunConfig
from mnist_lab.measures import BINS, SMALL, histogram, loss_and_accuracy, weight_measures
from mnist_lab.nn.networks import build_network


def test_loss_and_accuracy_by_hand():
    logits = torch.zeros(4, 10)
    logits[0, 3] = logits[1, 5] = math.log(3)  # that digit has probability 3 / 12, the others 1 / 12
    loss, accuracy = loss_and_accuracy(logits, torch.tensor([3, 1, 0, 9]))
    expected = (math.log(4) + math.log(12) + 2 * math.log(10)) / 4
    assert loss == pytest.approx(expected, rel=1e-6)
    assert accuracy == 50.0, "of equal logits the first counts, so the third answer is 0 and right"


def test_guessing_costs_log_ten_and_nan_is_passed_on():
    assert loss_and_accuracy(torch.zeros(3, 10), torch.tensor([1, 2, 3]))[0] == pytest.approx(math.log(10))
    assert math.isnan(loss_and_accuracy(torch.full((1, 10), math.nan), torch.tensor([1]))[0])


@pytest.fixture
def network():
    """One convolution with weights 3, -4, 0, 0.0005, -0.0005, SMALL; a norm with gamma 12, beta 84; another frozen."""
    conv = nn.Conv2d(1, 6, 1, bias=False)
    conv.weight.data = torch.tensor([3, -4, 0, 5e-4, -5e-4, SMALL]).view(6, 1, 1, 1)
    norm, frozen = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
    norm.weight.data[0], norm.bias.data[0] = 12, 84
    frozen.weight.data[0], frozen.bias.data[0] = 1_000, 0
    frozen.weight.requires_grad_(False)
    return nn.ModuleDict({"conv1": conv, "norm1": norm, "norm2": frozen})


def test_weight_measures_by_hand(network):
    measured = weight_measures(network)
    assert set(measured) == {"weight_norm", "small_weights", "zero_weights", "histograms"}
    # 3, 4, 12, 84 make 85: all that is trained counts, what is frozen does not.
    assert measured["weight_norm"] == pytest.approx(85, rel=1e-6)
    # Of the six convolution weights three lie below SMALL (SMALL itself does not) and one is zero.
    assert (measured["small_weights"], measured["zero_weights"]) == (3 / 6, 1 / 6)
    assert list(measured["histograms"]) == ["conv1"]
    assert sum(measured["histograms"]["conv1"]["counts"]) == 6


def test_a_histogram_is_symmetric_and_has_zero_in_the_middle_of_a_bin():
    values = torch.tensor([-4.1, -4.1, 0.0, 0.05, -0.05, 4.0, 2.05])
    found = histogram(values)
    edges, counts = found["edges"], found["counts"]
    assert BINS == 41 and len(counts) == BINS and len(edges) == BINS + 1
    assert edges == pytest.approx([-4.1 + 0.2 * number for number in range(42)], abs=2e-6)
    assert {number: count for number, count in enumerate(counts) if count} == {0: 2, 20: 3, 30: 1, 40: 1}
    assert all(type(count) is int for count in counts)


def test_a_histogram_of_zeros_has_a_width():
    found = histogram(torch.zeros(5))
    assert found["edges"][0] == -SMALL and found["edges"][-1] == SMALL
    assert found["counts"][BINS // 2] == 5


def test_of_a_real_network_every_convolution_is_counted_and_none_is_changed():
    network = build_network(RunConfig(network="a")).to(memory_format=torch.channels_last)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measured = weight_measures(network)
    counts = {name: sum(each["counts"]) for name, each in measured["histograms"].items()}
    assert counts == {
        "conv1": 90, "conv2": 900, "conv3": 990, "conv4": 1_089, "conv5": 1_188, "conv6": 1_296, "logits": 1_080,
    }
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
