"""Judging a lesson's claims, and the claims of the lessons that ship held against the recorded runs."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from lesson_text import LESSON, changed
from studies import make_study

from mnist_lab.data.augment import normalise, to_unit
from mnist_lab.data.mnist import load_sample
from mnist_lab.lessons.claims import judge
from mnist_lab.lessons.figures import Records
from mnist_lab.lessons.files import load_lessons, own_folder
from mnist_lab.lessons.model import ABOVE, BELOW, WITHIN
from mnist_lab.lessons.parsing import parse
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import network_of
from mnist_lab.runs.study import save_study
from mnist_lab.studies import STUDIES
from mnist_lab.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED, UNMEASURED

SETTINGS = {name: STUDIES["scan"].settings[name] for name in ("1000-30-bn", "1000-30-l1-1e-3")}
LESSONS, BROKEN = load_lessons([own_folder()])
CLAIMS = [
    pytest.param(lesson, place, id=f"{lesson.id}-{place + 1}")
    for lesson in LESSONS for place in range(len(lesson.claims))
]


def outcome(tmp_path, gain: float, relation: str, than: str, seeds: int = 10, spread: float = 0.03):
    means = {"1000-30-bn": 80.0, "1000-30-l1-1e-3": 80.0 + gain}
    save_study(make_study(means, seeds, spread, settings=SETTINGS, name="scan"), tmp_path)
    text = changed(('is = "above"', f'is = "{relation}"'), ("than = 2", f"than = {than}"))
    (judged,) = judge(parse("a", text), Records(root=tmp_path))
    return judged


@pytest.mark.parametrize(("gain", "relation", "than", "expected"), [
    (3.0, ABOVE, "2", SUPPORTED), (1.0, ABOVE, "2", CONTRADICTED), (2.0, ABOVE, "2", UNDECIDED),
    (-3.0, BELOW, "-2", SUPPORTED), (3.0, BELOW, "2", CONTRADICTED), (0.1, WITHIN, "1", SUPPORTED),
    (3.0, WITHIN, "1", CONTRADICTED), (1.0, WITHIN, "1", UNDECIDED), (3.0, BELOW, '"plain"', SUPPORTED),
])
def test_outcomes(tmp_path, gain, relation, than, expected):
    judged = outcome(tmp_path, gain, relation, than, spread=1.0 if expected == UNDECIDED else 0.03)
    assert judged.outcome == expected and judged.complete and "95 % interval" in judged.figure


def test_one_seed_decides_nothing_and_some_are_not_all(tmp_path):
    assert outcome(tmp_path, 3.0, ABOVE, "2", seeds=1).outcome == UNDECIDED
    some = outcome(tmp_path, 3.0, ABOVE, "2", seeds=4)
    assert some.outcome == SUPPORTED and not some.complete


def test_nothing_recorded(tmp_path):
    (judged,) = judge(parse("a", LESSON), Records(root=tmp_path))
    assert judged.outcome == UNMEASURED and "python -m mnist_lab study scan" in judged.figure


def test_the_eight_lessons_are_there_and_whole():
    assert [lesson.order for lesson in LESSONS] == [1, 2, 3, 4, 5, 6, 7, 8] and BROKEN == []
    for lesson in LESSONS:
        assert lesson.claims and lesson.sources and lesson.next and lesson.about and lesson.predict.own


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.id)
def test_no_result_is_typed(lesson):
    texts = [lesson.explanation, *(claim.text for claim in lesson.claims)]
    assert not [hit for text in texts for hit in re.findall(r"\d[\d.]* ?(?:%|points)", text)]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.id)
def test_figures_are_of_settings_that_the_studies_have(lesson):
    for figure in lesson.figures.values():
        if figure.source in STUDIES:
            assert {figure.of, *filter(None, [figure.minus])} <= STUDIES[figure.source].settings.keys()


@pytest.mark.parametrize(("lesson", "place"), CLAIMS)
def test_the_recorded_runs_show_what_a_lesson_claims(lesson, place):
    judged = judge(lesson, Records())[place]
    if lesson.figures[judged.claim.figure].source in STUDIES and not judged.complete:
        pytest.skip(f"the study is not complete, {judged.outcome} so far: {judged.figure}")
    assert judged.outcome == SUPPORTED, f"{judged.claim.text} {judged.figure}"


def test_before_a_batch_norm_the_size_of_the_weights_means_nothing():
    """What lesson 5 says: half as large weights, and the network answers as before."""
    network = copy.deepcopy(network_of(Library().pretrained.load("b-bn")))
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    images = normalise(to_unit(load_sample().test_images[:500]))
    for norm in norms:
        norm.train()
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    with torch.no_grad():
        before = network(images)
        for layer in convolutions[:-1]:
            layer.weight *= 0.5
        after = network(images)
        convolutions[-1].weight *= 0.5
        last = network(images)
    torch.testing.assert_close(after, before, rtol=0.02, atol=0.02)
    assert not torch.allclose(last, before, rtol=0.02, atol=0.02), "the last layer has no norm behind it"
