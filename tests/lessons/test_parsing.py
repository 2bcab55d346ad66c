"""A lesson's file: what it says, and that whatever is wrong with it is said in a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lesson_text import LESSON, changed

from mnist_lab.lessons.model import LessonError
from mnist_lab.lessons.parsing import parse


def test_what_a_file_says():
    lesson = parse("a-lesson", LESSON)
    assert (lesson.id, lesson.title, lesson.order) == ("a-lesson", "A *lesson*", 1)
    assert [one.name for one in lesson.race.contestants] == ["Plain", "With L1"]
    plain, l1 = (one.config for one in lesson.race.contestants)
    assert (plain.network, plain.epochs, plain.train_images, plain.l1) == ("c", 2, 1_000, 0.0) and l1.l1 == 1e-3
    assert lesson.race.names == {"Plain": "plain", "With L1": "l1"} and lesson.studies == ["scan"]
    assert lesson.next[0].values == {"run": "race:l1", "show": "pruning"}
    assert lesson.claims[0].than == 2


@pytest.mark.parametrize(("value", "place"), [(-1.0, 0), (0.0, 0), (0.1, 1), (2.5, 1), (2.6, 2), (99.0, 2)])
def test_which_option_a_figure_bears_out(value, place):
    assert parse("a", LESSON).predict.answer(value) == place


@pytest.mark.parametrize(("change", "said"), [
    (('title = "A *lesson*"', ""), "title is missing"),
    (('title = "A *lesson*"', "title = 3"), "title has to be a text"),
    (("order = 1", 'order = "first"'), "whole number"),
    (('about = "Before it."', 'abuot = "Before it."'), "abuot"),
    (("up_to = 2.5", "up_to = -1"), "rising|above the one before"),
    (('up_to = 2.5\n', ""), "each but the last with an up_to"),
    (('base = "noisy-1000"', 'base = "noisy-2000"'), "noisy-2000.*noisy-1000"),
    (("l1 = 1e-3 }", "l1 = -1 }"), "between 0 and 1"),
    (("l1 = 1e-3 }", "no_such = 1 }"), "no_such"),
    (("seeds = 2", "seeds = 99"), "1 to 10 seeds"),
    (('id = "l1"\n', 'id = "plain"\n'), "an id of its own"),
    (('from = "scan"\nof', 'from = "scam"\nof'), "scan, |one of"),
    (('minus = "1000-30-bn"\n', ""), "minus"),
    (('record = "gain"', 'record = "no_figure"'), "no_figure"),
    (("{plain}", "{planned}"), "planned"),
    (("{gain:sure}", "{gain:shure}"), "shure"),
    (('is = "above"', 'is = "over"'), "above, below and within"),
    (('figure = "gain"', 'figure = "own"'), "recorded runs"),
    (('of = "l1"', 'of = "l2"'), "contestant"),
    (('page = "Microscope"', 'page = "Telescope"'), "Telescope"),
    (('label = "Look at it"\n', ""), "belong together"),
    (("[race]", "[race"), "no TOML"),
    (('[[next]]', "[next]"), r"\[\[next\]\]"),
])
def test_what_is_wrong_is_said(change, said):
    with pytest.raises(LessonError, match=said) as found:
        parse("a-lesson", changed(change))
    assert str(found.value).endswith((".", ".\n"))


@pytest.mark.parametrize("id", ["A", "a b", "", "ä", "-a", "a" * 70])
def test_a_name_that_is_no_address(id):
    with pytest.raises(LessonError, match="small letters"):
        parse(id, LESSON)


@given(st.sampled_from(LESSON.strip().splitlines()), st.sampled_from(["", "x = 1", "[]", "title = []", "[[claims]]"]))
def test_a_lesson_with_a_broken_line_is_a_lesson_or_says_why(line, instead):
    text = LESSON.replace(line + "\n", instead + "\n", 1)
    try:
        parse("a", text)
    except LessonError as error:
        assert str(error)


@given(st.text(max_size=200))
def test_any_text_is_refused_in_a_sentence(text):
    with pytest.raises(LessonError):
        parse("a", text)
