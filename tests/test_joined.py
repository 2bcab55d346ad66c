"""Networks joined into one give each network's own answers."""

from __future__ import annotations

import pytest
import torch

from mnist_lab.answers import probabilities
from mnist_lab.config import RunConfig
from mnist_lab.data.augment import normalise, to_unit
from mnist_lab.device import one_thread
from mnist_lab.evaluation import predict_logits
from mnist_lab.joined import joined, kind
from mnist_lab.nn.networks import NETWORKS, build_network

IMAGES = torch.randint(0, 256, (5, 28, 28), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def network(**settings):
    """A network whose norms have seen something, in evaluation mode."""
    made = build_network(RunConfig(**settings))
    with torch.no_grad():
        made(normalise(to_unit(IMAGES.repeat(10, 1, 1))))
    return made.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_answers_are_each_networks_own(name):
    networks = tuple(
        network(network=name, seed=seed, norm=norm, dropout=dropout)
        for seed, norm, dropout in ((1, "batch", 0.0), (2, "batch", 0.0), (3, "ghost", 0.0))
    )
    assert len({kind(one) for one in networks}) == 1
    together = predict_logits(joined(networks), IMAGES)
    for place, one in enumerate(networks):
        assert torch.allclose(together[:, place], predict_logits(one, IMAGES), atol=1e-4)


def test_whatever_is_mixed():
    networks = [
        network(seed=1), network(network="a", seed=2), network(seed=3, norm="ghost", dropout=0.2), network(seed=4),
        network(seed=5, norm="none"), network(seed=6, norm="layer"), network(seed=7, norm="layer"),
    ]
    found = probabilities(networks, IMAGES)
    for one, said in zip(networks, found, strict=True):
        assert torch.allclose(said, predict_logits(one, IMAGES).softmax(1), atol=1e-5)
    assert joined(tuple(networks[5:])) is None  # layer norm mixes the channels


def test_the_networks_are_left_alone():
    networks = (network(seed=1), network(seed=2))
    before = [parameter.clone() for one in networks for parameter in one.parameters()]
    predict_logits(joined(networks), IMAGES)
    after = [parameter for one in networks for parameter in one.parameters()]
    assert all(torch.equal(one, other) and other.requires_grad for one, other in zip(before, after, strict=True))


def test_one_thread_only_for_a_while():
    before = torch.get_num_threads()
    with pytest.raises(ValueError), one_thread():
        assert torch.get_num_threads() == 1
        raise ValueError
    assert torch.get_num_threads() == before
