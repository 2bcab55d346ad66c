"""How many images there are to train on, and what is said when they are too few."""

from __future__ import annotations

import pytest

from mnist_lab.data.sizes import max_train_images, too_few_images, validation_size


def test_sizes():
    assert [validation_size(n) for n in (60_000, 4_000, 40_000)] == [5_000, 500, 5_000]
    assert max_train_images(4_000, True) == 3_500
    assert max_train_images(4_000, False) == 4_000


@pytest.mark.parametrize(("wanted", "validation"), [("all", False), ("all", True), (4_000, False), (3_500, True)])
def test_enough(wanted, validation):
    assert too_few_images(wanted, 4_000, validation, "sample") is None


def test_too_few():
    assert too_few_images(4_001, 4_000, False, "sample") == (
        "The bundled sample has 4,000 training images; 4,001 were asked for. Choose at most 4,000, or all."
    )
    assert too_few_images(55_001, 60_000, True, "folder") == (
        "The data set has 60,000 training images, of which 5,000 are held out for validation; 55,001 were asked for. "
        "Choose at most 55,000, or all."
    )
