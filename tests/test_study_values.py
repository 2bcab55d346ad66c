"""What is measured of a study's runs, on made-up runs whose numbers are known."""

from __future__ import annotations

import math

import pytest
from studies import LABELS, make_study

from mnist_lab.claims import Side
from mnist_lab.study_values import measured, values_of


def test_measures_of_a_run():
    run = make_study({"b-bn": 99.4}, seeds=1).runs[0]
    run.history["eval_accuracy"][-10:] = [1, 2, 3, 4, 5, 90, 91, 92, 93, 94]
    assert measured(run, LABELS, "test") == 92 and measured(run, LABELS, "test before") == 3
    assert measured(run, LABELS, "wobble") == pytest.approx(math.sqrt(2.5))
    assert measured(run, LABELS, "test at the end") == pytest.approx(run.summary["test_accuracy"])
    run.history["eval_accuracy"] = run.history["eval_accuracy"][:3]
    assert math.isnan(measured(run, LABELS, "test"))


def test_the_share_of_errors_on_disputed_labels():
    run = make_study({"a-gbn": 99.4}, seeds=1).runs[0]
    run.digits[:] = LABELS
    assert math.isnan(measured(run, LABELS, "disputed"))
    for wrong in (947, 9729, 3, 4, 5):
        run.digits[wrong] = (LABELS[wrong] + 1) % 10
    assert measured(run, LABELS, "disputed") == 40


def test_values_of_a_setting_that_is_not_there():
    assert values_of(make_study({"b-bn": 99.4}), Side("b-gbn")) == {}
