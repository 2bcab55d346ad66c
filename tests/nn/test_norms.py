"""The norms by name. Ghost batches have their own file."""

from __future__ import annotations

import pytest
import torch
from norm_checks import inputs
from torch import nn
from torch.nn import functional as F

from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.nn.norms import NORMS, group_count, make_norm


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
