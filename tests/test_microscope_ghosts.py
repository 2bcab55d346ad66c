"""Ghost batches against BatchNorm2d on each chunk, and batch mates: they matter in training and not in evaluation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mnist_lab.config import RunConfig
from mnist_lab.data.mnist import load_sample
from mnist_lab.data.regime import make_regime
from mnist_lab.microscope_ghosts import (
    ghost_network,
    ghost_statistics,
    logits_among,
    norm_names,
    training_batches,
)
from mnist_lab.nn.networks import build_network
from mnist_lab.trainer import Trainer

CONFIG = RunConfig(
    network="b", norm="ghost", num_splits=4, dropout=0.1, train_images=200, batch_size=48, label_noise=0.2,
    rotation=5.0,
)
REGIME = make_regime(CONFIG, load_sample())
BATCHES = training_batches(CONFIG, REGIME, 6)


def module_of(config: RunConfig = CONFIG) -> nn.Module:
    module = build_network(config)
    module(BATCHES[1].images)  # so that the running statistics have seen something
    return module.eval()


def test_batches_are_those_of_the_training_without_the_short_ones():
    assert [len(batch.labels) for batch in BATCHES] == [48] * 6
    trainer = Trainer(CONFIG, REGIME, torch.device("cpu"), "float32")
    expected = [*trainer.batches(1)][:4] + [*trainer.batches(2)][:2]
    for batch, other in zip(BATCHES, expected, strict=True):
        assert torch.equal(batch.images, other.images) and torch.equal(batch.labels, other.labels)
    few = training_batches(CONFIG.replace(batch_size=512), REGIME, 2)
    assert [len(batch.labels) for batch in few] == [200, 200]


def test_one_split_is_batch_norm():
    module = module_of()
    network = ghost_network(module, CONFIG, 1)
    plain = build_network(CONFIG.replace(norm="batch", dropout=0.0))
    plain.load_state_dict(module.state_dict())
    assert torch.allclose(network.train()(BATCHES[0].images), plain.train()(BATCHES[0].images), atol=1e-5)
    found = ghost_statistics(network, BATCHES[0].images, "norm1")
    signal = module.conv1(BATCHES[0].images).relu()
    norm = nn.BatchNorm2d(16, momentum=1.0).train()
    norm(signal)
    assert torch.allclose(found.means, norm.running_mean[None], atol=1e-5)
    assert torch.allclose(found.variances, norm.running_var[None], rtol=1e-4)
    assert found.scatter == 0


@pytest.mark.parametrize(("splits", "name"), [(3, "norm2"), (4, "norm4"), (32, "norm7")])
def test_each_ghost_has_the_statistics_of_its_own_chunk(splits, name):
    module = module_of()
    network = ghost_network(module, CONFIG, splits)
    assert not network.training
    found = ghost_statistics(network, BATCHES[0].images, name)
    assert found.means.shape == found.variances.shape == (splits, len(getattr(module, name).weight))
    chunk = BATCHES[0].images.tensor_split(splits)[1]
    # A chunk by itself, through batch norms: what a ghost batch is.
    plain = build_network(CONFIG.replace(norm="batch", dropout=0.0))
    plain.load_state_dict(module.state_dict())
    norm = getattr(plain, name)
    norm.momentum = 1.0
    plain.train()(chunk)
    assert torch.allclose(found.means[1], norm.running_mean, atol=1e-4)
    assert torch.allclose(found.variances[1], norm.running_var, rtol=1e-3, atol=1e-5)
    assert torch.equal(found.running_mean, getattr(module, name).running_mean)
    assert torch.equal(found.running_var, getattr(module, name).running_var)


def test_more_splits_scatter_more():
    module = module_of()
    scatter = [ghost_statistics(ghost_network(module, CONFIG, k), BATCHES[0].images, "norm1").scatter
               for k in (1, 2, 8, 32)]
    assert scatter == sorted(scatter) and scatter[-1] > 2 * scatter[1] > 0


def test_scatter_is_in_running_standard_deviations():
    module = module_of()
    found = ghost_statistics(ghost_network(module, CONFIG, 4), BATCHES[0].images, "norm1")
    away = (found.means - found.means.mean(0)) / found.running_var.sqrt()
    assert found.scatter == pytest.approx(away.square().mean().sqrt().item(), rel=1e-5)


def test_more_splits_than_images_are_one_image_each():
    images = BATCHES[0].images[:5]
    assert len(ghost_statistics(ghost_network(module_of(), CONFIG, 32), images, "norm1").means) == 5


@pytest.mark.parametrize("splits", [1, 6])
def test_batch_mates_move_the_logits_in_training_only(splits):
    module = module_of()
    network = ghost_network(module, CONFIG, splits)
    image, mates = BATCHES[0].images[7], [batch.images for batch in BATCHES[1:]]
    training = logits_among(network, image, mates, training=True)
    evaluation = logits_among(network, image, mates, training=False)
    assert training.shape == evaluation.shape == (5, 10)
    assert evaluation.std(0).max() < 1e-5 and training.std(0).min() > 1e-3
    assert torch.allclose(evaluation[0], module(image[None])[0], atol=1e-5)
    again = logits_among(network, image, mates, training=True)
    assert torch.equal(training, again)  # the running statistics have not moved
    assert all(torch.equal(a, b) for name, a in network.state_dict().items() if "num_batches" not in name
               for b in [module.state_dict()[name]])


def test_only_the_mates_in_its_own_ghost_batch_matter():
    network = ghost_network(module_of(), CONFIG, 4)  # chunks of 12
    image, mates = BATCHES[0].images[0], BATCHES[1].images
    others = mates.clone()
    others[12:] = BATCHES[2].images[12:]
    same = logits_among(network, image, [mates, others], training=True)
    assert torch.allclose(same[0], same[1], atol=1e-5)
    others[5] = BATCHES[2].images[5]
    moved = logits_among(network, image, [mates, others], training=True)
    assert (moved[0] - moved[1]).abs().max() > 1e-4


@pytest.mark.parametrize(("norm", "count"), [("batch", 6), ("ghost", 6), ("group", 0), ("layer", 0), ("none", 0)])
def test_norm_names(norm, count):
    assert len(norm_names(build_network(CONFIG.replace(norm=norm)))) == count


def test_at_least_one_split():
    with pytest.raises(ValueError, match="at least 1"):
        ghost_network(module_of(), CONFIG, 0)
