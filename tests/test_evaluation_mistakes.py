"""What a network gets wrong, counted: confusion, disputed labels, two networks, neighbours. No torch is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.special import log_softmax

from mnist_lab.data import files
from mnist_lab.evaluation import DISPUTED, Answers, accuracy, confusion, nearest, pair

digits = some.integers(0, 9)


def answers_of(labels, said, indices=None) -> Answers:
    """Answers in which the network is fairly sure of what it said."""
    logits = np.eye(10, dtype=np.float32)[np.array(said, np.int64)] * 3
    labels = np.array(labels, np.int64)
    return Answers(np.arange(len(labels)) if indices is None else np.array(indices), labels, logits.reshape(-1, 10))


@given(some.lists(some.tuples(digits, digits), max_size=60))
def test_confusion_counts_every_image_once(images):
    labels, said = (np.array([image[i] for image in images], np.int64) for i in (0, 1))
    table = confusion(labels, said)
    assert (table.shape, table.sum()) == ((10, 10), len(images))
    for label, answer in np.ndindex(10, 10):
        assert table[label, answer] == images.count((label, answer))
    assert np.array_equal(table, answers_of(labels, said).confusion())


@given(some.lists(some.tuples(digits, digits, digits), min_size=1, max_size=60))
def test_a_pair_puts_every_image_in_one_of_four_boxes(images):
    labels, a, b = (np.array(column) for column in zip(*images, strict=True))
    first, second = answers_of(labels, a), answers_of(labels, b)
    found = pair(first, second)
    boxes = np.stack([found.only_first, found.only_second, found.both, found.neither])
    assert (boxes.sum(0) == 1).all()
    for place, (label, one, other) in enumerate(images):
        assert found.only_first[place] == (one != label and other == label)
        assert found.both[place] == (one != label and other != label)
    difference = second.confusion() - first.confusion()
    assert difference.sum() == 0 and (difference.sum(1) == 0).all()
    assert np.trace(difference) == found.only_first.sum() - found.only_second.sum()


def test_pairs_are_of_the_same_images_only():
    first = answers_of([1, 2], [1, 2])
    for other in (answers_of([1, 2], [1, 2], [0, 2]), answers_of([1, 3], [1, 2]), answers_of([1], [1])):
        with pytest.raises(ValueError, match="same images"):
            pair(first, other)


@given(some.lists(some.floats(-100, 100, width=32), min_size=10, max_size=10), digits)
def test_probabilities_are_the_softmax(logits, label):
    one = Answers(np.array([3]), np.array([label]), np.array([logits], np.float32))
    expected = log_softmax(np.array([logits], np.float32).astype(float), 1)
    np.testing.assert_allclose(one.log_probabilities, expected, atol=1e-9)
    assert one.losses[0] == pytest.approx(-expected[0, label])
    assert one.confidence[0] == pytest.approx(np.exp(expected.max())) and 0.1 - 1e-9 <= one.confidence[0] <= 1


def test_a_network_that_diverged_has_no_probabilities_and_raises_nothing():
    one = Answers(np.array([0]), np.array([1]), np.full((1, 10), np.nan, np.float32))
    assert np.isnan(one.confidence).all() and one.wrong.tolist() == [True]


@pytest.mark.parametrize(
    ("indices", "labels", "logits"),
    [
        (np.arange(2), np.array([1, 2]), np.zeros((2, 9))),
        (np.arange(3), np.array([1, 2]), np.zeros((2, 10))),
        (np.arange(2), np.array([1, 10]), np.zeros((2, 10))),
        (np.arange(2), np.array([1, -1]), np.zeros((2, 10))),
        (np.arange(2), np.array([1.0, 2.0]), np.zeros((2, 10))),
        (np.arange(2), np.array([[1, 2]]), np.zeros((2, 10))),
    ],
)
def test_what_does_not_fit_together_is_refused(indices, labels, logits):
    with pytest.raises(ValueError, match=r"\."):
        Answers(indices, labels, logits)


def test_disputed_labels_and_the_accuracy_without_them():
    indices = np.array([946, 947, 948, 9729])
    answers = answers_of([8, 8, 3, 5], [8, 9, 5, 6], indices)
    assert answers.disputed.tolist() == [False, True, False, True]
    assert accuracy(answers.wrong) == 25
    assert accuracy(answers.wrong[~answers.disputed]) == 50
    assert np.isnan(accuracy(answers.wrong[:0]))
    assert (answers.row(948), answers.row(949)) == (2, None)


def test_the_fifteen_labels_are_those_of_the_paper(full_data):
    """MNIST's own labels: the raters' majority is another digit, and in a tie one of the two is the label."""
    labels = files.read_folder(full_data)[3]
    named = {947: 8, 1621: 0, 1901: 9, 2462: 2, 2597: 5, 3558: 5, 5937: 5, 6651: 0, 6783: 1, 9729: 5}
    assert len(DISPUTED) == 15 and sum(len(seen) == 1 for seen in DISPUTED.values()) == len(named)
    for index, label in named.items():
        assert labels[index] == label and DISPUTED[index] != (label,)
    assert all(labels[index] in seen for index, seen in DISPUTED.items() if len(seen) == 2)


@given(some.lists(some.floats(-10, 10), min_size=1, max_size=30), some.floats(-10, 10), some.integers(1, 40))
def test_the_nearest_are_nearest(values, target, count):
    places, distances = nearest(np.array(values)[:, None], np.array([target]), count)
    expected = sorted(abs(value - target) for value in values)[:count]
    np.testing.assert_allclose(distances, expected, atol=1e-9)
    assert len(set(places.tolist())) == len(places) == min(count, len(values))


def test_counting_needs_no_torch():
    code = "import sys, mnist_lab.evaluation; assert 'torch' not in sys.modules"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
