"""The loop the lab is measured against: the same network and recipe, written the way most people do."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from mnist_lab.config import RunConfig
from mnist_lab.nn.dropout import Dropout
from mnist_lab.nn.networks import build_network, count_parameters
from mnist_lab.peers import PeerLoop, dataset, with_torch_dropout
from mnist_lab.presets import preset

_spec = importlib.util.spec_from_file_location("mirror", Path(__file__).parent / "data" / "mirror.py")
_mirror = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_mirror)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """torchvision's layout with 400 training and 100 test images of noise."""
    folder = tmp_path_factory.mktemp("mnist")
    _mirror.write_files(folder, _mirror.small_content())
    return folder


@pytest.mark.parametrize(("name", "augmented"), [("b-bn", False), ("a-bn", True), ("b-gbn", False)])
def test_it_trains_and_tests(root, name, augmented):
    peer = PeerLoop(preset(name).config.replace(schedule="constant"), root, augmented=augmented)
    before = peer.model[0].weight.clone()
    losses = list(peer.epoch())
    assert len(losses) == 4 and all(isinstance(loss, float) and math.isfinite(loss) for loss in losses)
    assert peer.images_seen == 400 and not torch.equal(peer.model[0].weight, before)
    assert 0 <= peer.test_accuracy() <= 100 and peer.test_accuracy() == peer.test_accuracy()
    assert not peer.model.training
    forever = peer.forever()
    for _ in range(5):
        next(forever)
    assert peer.images_seen == 400 + 400 + 128, "the short last batch of 16, and into the next epoch"


@pytest.mark.parametrize("name", ["a-bn", "b-bn", "b-gbn", "a-gbn"])
def test_lab_and_peer_train_the_same_network(name):
    config = preset(name).config
    lab, peer = build_network(config), with_torch_dropout(build_network(config))
    assert count_parameters(lab) == count_parameters(peer)
    assert all(torch.equal(a, b) for a, b in zip(lab.parameters(), peer.parameters(), strict=True))
    rates = [layer.p for layer in peer if isinstance(layer, nn.Dropout)]
    assert rates == [layer.p for layer in lab if isinstance(layer, Dropout)] == [config.dropout] * len(rates)
    assert rates and not any(isinstance(layer, Dropout) for layer in peer)


@pytest.mark.parametrize("name", ["b-bn", "b-gbn", "a-bn"])
def test_the_peers_dropout_scales_once(name):
    """With its own dropout switched off, the peer computes in training what the network without dropout does."""
    config = preset(name).config
    peer, plain = with_torch_dropout(build_network(config)), build_network(config.replace(dropout=0.0))
    for layer in peer:
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    images = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(peer(images), plain(images), rtol=1e-3, atol=1e-4)


def test_the_recipe_is_the_configs(root):
    config = RunConfig(learning_rate=0.02, momentum=0.8, weight_decay=1e-3, batch_size=64, schedule="constant")
    peer = PeerLoop(config, root)
    (group,) = peer.optimizer.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.02, 0.8, 1e-3)
    assert peer.train_loader.batch_size == 64 and peer.train_loader.num_workers == 0
    images, labels = next(iter(peer.train_loader))
    assert images.shape == (64, 1, 28, 28) and images.is_contiguous() and labels.dtype == torch.int64


def test_augmented_images_are_changed_and_others_are_not(root):
    plain, changed = dataset(root, True, False), dataset(root, True, True)
    assert torch.equal(plain[0][0], plain[0][0]) and plain[0][1] == changed[0][1]
    assert not torch.equal(changed[0][0], changed[0][0])
    pixels = plain.data[0].float().div(255).sub(0.1307).div(0.3081)
    torch.testing.assert_close(plain[0][0][0], pixels)
    assert len(dataset(root, False, False)) == 100
