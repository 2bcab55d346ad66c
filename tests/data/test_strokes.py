"""The scripted digits: all ten, in the styles the lab promises, and every way of writing them."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_lab.data.strokes import GLYPHS, HANDS, Hand, hands, placed, write


def test_all_ten_digits_in_the_styles_that_differ_between_countries():
    assert {glyph.digit for glyph in GLYPHS} == set(range(10))
    assert len({glyph.name for glyph in GLYPHS}) == len(GLYPHS)
    assert {"1 American", "1 European", "7 American", "7 European", "4 open", "4 closed"} <= {g.name for g in GLYPHS}


@pytest.mark.parametrize("glyph", GLYPHS, ids=lambda glyph: glyph.name)
def test_every_hand_stays_on_the_page(glyph):
    for name, hand in hands():
        page = write(glyph, hand)
        assert page.shape == (280, 280) and page.min() == 0
        assert (page[[0, -1]] == 255).all() and (page[:, [0, -1]] == 255).all(), (name, hand)


def test_a_hand_does_what_it_says():
    glyph = next(glyph for glyph in GLYPHS if glyph.name == "1 American")
    ((top, bottom),) = placed(glyph, Hand(x=0.3, y=0.6, height=0.4, slant=45))
    assert np.allclose([top, bottom], [(0.5, 0.4), (0.1, 0.8)])  # leaning right: the top is further right
    ink = write(glyph, Hand(height=0.5, pen=0.2)) < 128
    assert ink.any(0).sum() == pytest.approx(0.1 * 280, abs=2)
    assert ink.any(1).sum() == pytest.approx(0.6 * 280, abs=3)


def test_the_same_hands_each_time():
    assert list(hands(seed=1)) == list(hands(seed=1)) != list(hands(seed=2))
    assert {name for name, _ in hands()} == {*HANDS, "mixed"}
