"""Subset, noise and validation: exact counts, nested sets, and one stream of random numbers for each."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_lab.config import RunConfig
from mnist_lab.data.mnist import Mnist
from mnist_lab.data.regime import make_regime
from mnist_lab.data.sizes import max_train_images

MNIST_COUNTS = (5_923, 6_742, 5_958, 6_131, 5_842, 5_421, 5_918, 6_265, 5_851, 5_949)
SAMPLE_COUNTS = (400,) * 10


def fake(counts, source="folder", tests=50):
    """Images without a picture: the first two pixels hold the image's number, so that mix-ups show."""
    labels = torch.from_numpy(np.random.default_rng(0).permutation(np.repeat(np.arange(10), counts)))
    images = torch.zeros(len(labels), 28, 28, dtype=torch.uint8)
    images[:, 0, 0], images[:, 0, 1] = torch.arange(len(labels)) // 256, torch.arange(len(labels)) % 256
    test_labels = torch.arange(tests) % 10
    return Mnist(images, labels, torch.full((tests, 28, 28), 9, dtype=torch.uint8), test_labels, source, "here", "0")


def numbers(images):
    return images[:, 0, 0].long() * 256 + images[:, 0, 1].long()


@pytest.fixture(scope="module")
def sample():
    return fake(SAMPLE_COUNTS, "sample")


@pytest.fixture(scope="module")
def full():
    return fake(MNIST_COUNTS)


def regime(data, **settings):
    return make_regime(RunConfig(**settings), data)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(100, 4_000), noise=st.floats(0, 0.6), seed=st.integers(0, 2**31 - 1))
def test_any_subset_is_balanced_and_any_noise_exact(n, noise, seed):
    data = fake(SAMPLE_COUNTS)
    r = regime(data, train_images=n, label_noise=noise, seed=seed)
    counts = r.true_labels.bincount(minlength=10)
    assert counts.max() - counts.min() <= 1
    assert len(r.train_labels) == n == len(r.train_indices.unique())
    assert torch.equal(numbers(r.train_images), r.train_indices)
    assert torch.equal(r.true_labels, data.train_labels[r.train_indices])
    assert int((r.train_labels != r.true_labels).sum()) == round(noise * n)
    assert r.train_labels.min() >= 0
    assert r.train_labels.max() <= 9


def test_images_and_labels_are_tensors_of_the_agreed_types(sample):
    r = regime(sample, train_images=100, validation=True)
    for field in dataclasses.fields(r):
        value = getattr(r, field.name)
        if field.name != "eval_name":
            assert value.dtype == (torch.uint8 if field.name.endswith("images") else torch.int64), field.name


@pytest.mark.parametrize("validation", [False, True])
def test_all_is_every_image_there_is_once(full, validation):
    r = regime(full, train_images="all", validation=validation)
    assert len(r.train_indices) == max_train_images(60_000, validation) == 60_000 - 5_000 * validation
    assert len(r.train_indices.unique()) == len(r.train_indices)


def test_mnist_is_balanced_until_the_fives_run_out(full):
    assert regime(full, train_images=54_210).true_labels.bincount().tolist() == [5_421] * 10
    counts = regime(full, train_images=55_000).true_labels.bincount()
    assert counts[5] == 5_421
    others = counts[torch.arange(10) != 5]
    assert others.max() - others.min() <= 1
    assert counts.sum() == 55_000


def test_small_sets_are_contained_in_large_ones(sample):
    large = regime(sample, train_images=1_000, seed=5).train_indices
    assert torch.equal(regime(sample, train_images=305, seed=5).train_indices, large[:305])


def test_another_seed_gives_another_set_and_the_same_seed_the_same(sample):
    first, again, other = (regime(sample, train_images=200, label_noise=0.3, seed=s) for s in (1, 1, 2))
    assert torch.equal(first.train_indices, again.train_indices)
    assert torch.equal(first.train_labels, again.train_labels)
    assert len(np.intersect1d(first.train_indices, other.train_indices)) < 50  # 10 expected


def test_other_settings_of_the_run_change_nothing(sample):
    base = dict(train_images=200, label_noise=0.3, seed=1)
    expected = regime(sample, **base)
    for other in (dict(network="a"), dict(norm="ghost"), dict(dropout=0.2), dict(batch_size=16), dict(rotation=9.0)):
        r = regime(sample, **base, **other)
        assert torch.equal(r.train_indices, expected.train_indices)
        assert torch.equal(r.train_labels, expected.train_labels)


def test_more_noise_changes_more_labels_and_the_others_alike(sample):
    weak, strong = (regime(sample, train_images=1_000, label_noise=noise) for noise in (0.3, 0.4))
    changed = weak.train_labels != weak.true_labels
    assert changed.sum() == 300
    assert torch.equal(weak.train_labels[changed], strong.train_labels[changed])
    other = regime(sample, train_images=1_000, label_noise=0.3, seed=1)
    also_changed = changed & (other.train_labels != other.true_labels)
    assert 50 < also_changed.sum() < 130  # other places for another seed: 90 of the 300 by chance


def test_noise_is_uniform_over_the_other_nine_digits(full):
    r = regime(full, label_noise=0.6)
    changed = r.train_labels != r.true_labels
    pairs = torch.zeros(10, 10)
    pairs.index_put_((r.true_labels[changed], r.train_labels[changed]), torch.ones(36_000), accumulate=True)
    assert (pairs.diagonal() == 0).all()
    expected = r.true_labels.bincount(minlength=10) * 0.6 / 9
    off = pairs[~torch.eye(10, dtype=torch.bool)].view(10, 9)
    assert (off - expected[:, None]).abs().max() < 5 * 20  # the standard deviation is about 20


def test_noise_leaves_the_data_set_alone():
    data = fake(SAMPLE_COUNTS)
    before = data.train_labels.clone()
    regime(data, label_noise=0.6)
    assert torch.equal(data.train_labels, before)


def test_without_validation_epochs_report_the_test_set(sample):
    r = regime(sample, label_noise=0.5)
    assert r.eval_name == "test"
    assert r.eval_images is r.test_images is sample.test_images
    assert r.eval_labels is r.test_labels is sample.test_labels


def test_validation_is_balanced_true_apart_and_the_same_for_every_seed(full):
    first, other = (regime(full, validation=True, label_noise=0.6, seed=s) for s in (1, 2))
    assert first.eval_name == "validation"
    assert first.eval_labels.bincount().tolist() == [500] * 10
    held_out = numbers(first.eval_images)
    assert torch.equal(first.eval_labels, full.train_labels[held_out])
    assert torch.equal(held_out, numbers(other.eval_images))
    assert len(np.intersect1d(held_out, first.train_indices)) == 0
    assert first.test_images is full.test_images


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match=r"The bundled sample .* Choose at most 3,500, or all"):
        regime(fake(SAMPLE_COUNTS, "sample"), train_images=3_501, validation=True)
    assert len(regime(fake(SAMPLE_COUNTS, "sample"), train_images=3_500, validation=True).train_images) == 3_500
