"""Predictions are float32, in evaluation mode, in order, and can be stopped."""

import pytest
import torch
from torch import nn

from mnist_lab.config import RunConfig
from mnist_lab.data.augment import normalise, to_unit
from mnist_lab.evaluation import predict_logits
from mnist_lab.nn.networks import build_network

IMAGES = torch.randint(0, 256, (23, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network():
    network = build_network(RunConfig(norm="ghost", dropout=0.4))
    network(normalise(to_unit(IMAGES)))  # running statistics other than the initial ones
    return network


def test_logits_are_those_of_the_evaluated_network_whatever_the_batches(network):
    logits = predict_logits(network, IMAGES, batch_size=10)
    assert (logits.shape, logits.dtype, logits.requires_grad) == ((23, 10), torch.float32, False)
    network.eval()
    torch.testing.assert_close(logits, network(normalise(to_unit(IMAGES))).detach())


def test_float32_even_under_autocast(network):
    expected = predict_logits(network, IMAGES)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(predict_logits(network, IMAGES), expected)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_and_the_state_are_restored(network, training):
    network.train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict_logits(network, IMAGES)
    assert {module.training for module in network.modules()} == {training}
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_failure_restores_the_mode():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 10))
    with pytest.raises(RuntimeError):
        predict_logits(network, IMAGES)
    assert network.training


def test_stop_is_asked_before_each_batch(network):
    answers = iter([False, False, True])
    asked = []

    def should_stop():
        asked.append(True)
        return next(answers)

    assert predict_logits(network, IMAGES, batch_size=5, should_stop=should_stop) is None
    assert len(asked) == 3
    assert network.training


def test_no_images_give_no_logits(network):
    assert predict_logits(network, IMAGES[:0]).shape == (0, 10)
