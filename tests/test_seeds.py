"""Every generator is a function of (seed, stream, epoch) and of nothing else."""

from __future__ import annotations

import itertools

import torch

from mnist_lab import seeds
from mnist_lab.nn import dropout


def draws(seed: int, stream: int, epoch: int) -> list[int]:
    generator = seeds.generator(seed, stream, epoch)
    return torch.randint(2**62, (8,), generator=generator).tolist()


def test_equal_arguments_give_equal_numbers_whatever_was_drawn_before():
    first = draws(3, seeds.BATCHES, 2)
    torch.manual_seed(99)
    torch.rand(5)
    draws(3, seeds.BATCHES, 1)
    assert draws(3, seeds.BATCHES, 2) == first


def test_every_difference_gives_unrelated_numbers():
    arguments = list(itertools.product((0, 1, 2, 2**31 - 1), (1, 2, 3), (1, 2, 3)))
    numbers = [number for each in arguments for number in draws(*each)]
    assert len(set(numbers)) == len(numbers) == 8 * len(arguments)


def test_neighbouring_seeds_do_not_correlate():
    generators = (seeds.generator(seed, seeds.BATCHES, 1) for seed in range(20))
    rows = torch.stack([torch.rand(10_000, generator=generator) for generator in generators])
    correlation = torch.corrcoef(rows)
    assert (correlation - torch.eye(20)).abs().max() < 5 / 100, "five standard deviations of 1 / sqrt(10,000)"


def test_no_purpose_shares_another_ones_numbers():
    assert len({seeds.BATCHES, seeds.AUGMENTATION, dropout.STREAM, seeds.BENDING}) == 4


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    draws(1, 1, 1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_numbers_of_earlier_versions():
    """A run interrupted before an update is resumed after it: other numbers would change its second half."""
    assert torch.randint(1000, (5,), generator=seeds.generator(5, 1, 4)).tolist() == [932, 853, 99, 507, 351]
