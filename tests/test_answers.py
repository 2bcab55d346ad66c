"""What several networks say about one image, and the curves of a changed one."""

from __future__ import annotations

import torch

from mnist_lab.answers import SHIFTS, TURNS, WIDTHS, curves, probabilities
from mnist_lab.config import RunConfig
from mnist_lab.data.mnist import load_sample
from mnist_lab.evaluation import predict_logits
from mnist_lab.nn.networks import build_network

NETWORKS = [build_network(RunConfig(seed=seed)).eval() for seed in (1, 2)]
IMAGE = load_sample().test_images[7]


def test_each_network_says_its_own():
    images = load_sample().test_images[:3]
    found = probabilities(NETWORKS, images)
    assert found.shape == (2, 3, 10)
    for network, said in zip(NETWORKS, found, strict=True):
        assert torch.equal(said, predict_logits(network, images).softmax(1))


def test_curves_go_through_the_image_itself():
    usual = probabilities(NETWORKS[:1], IMAGE[None])[0, 0, 4].item()
    for curve in curves(NETWORKS[0], IMAGE, digit=4):
        assert len(curve.values) == len(curve.probabilities) == len(curve.images)
        middle = curve.values.index(0)
        assert torch.equal(curve.images[middle], IMAGE), curve.name
        assert abs(curve.probabilities[middle] - usual) < 1e-5
        assert torch.allclose(
            torch.from_numpy(curve.probabilities), probabilities(NETWORKS[:1], curve.images)[0, :, 4], atol=1e-6
        )


def test_the_images_are_changed_as_the_titles_say():
    right, down, turned, wider = (curve.images for curve in curves(NETWORKS[0], IMAGE, digit=4))
    assert torch.equal(right[SHIFTS.index(3)][:, 3:], IMAGE[:, :-3])
    assert torch.equal(down[SHIFTS.index(-2)][:-2], IMAGE[2:])
    ink = wider.flatten(1).sum(1, dtype=torch.int64)
    assert (ink.diff()[WIDTHS.index(0) + 1:] > 0).all() and ink[0] < ink[WIDTHS.index(0)] < ink[-1]
    line = torch.zeros(28, 28, dtype=torch.uint8)
    line[4:14, 13:15] = 255  # a clock's hand at twelve
    at = curves(NETWORKS[0], line, digit=1)[2].images[TURNS.index(60)].float()
    columns = torch.arange(28.0)
    assert (at.sum(0) * columns).sum() / at.sum() > 16  # to the right: clockwise
