"""Figures: what each kind computes, how it stands in a sentence, and what there is nothing to compute from."""

from __future__ import annotations

import math

import pytest
from studies import make_study

from mnist_lab.lessons.figures import COLUMNS, FORMS, KINDS, UNKNOWN, Figure, NotMeasuredError, Records, fill
from mnist_lab.lessons.files import own_folder
from mnist_lab.runs.study import save_study
from mnist_lab.studies import STUDIES

SETTINGS = {name: STUDIES["scan"].settings[name] for name in ("1000-30-bn", "1000-30-l1-1e-3")}


@pytest.fixture
def records(tmp_path) -> Records:
    study = make_study({"1000-30-bn": 80.0, "1000-30-l1-1e-3": 90.0}, seeds=3, settings=SETTINGS, name="scan")
    save_study(study, tmp_path)
    return Records(root=tmp_path)


def rows(*values: float, column: str = "test") -> dict[int, dict[str, float]]:
    return {seed: {column: value} for seed, value in enumerate(values)}


RACE = {"a": rows(80.0, 82.0), "b": rows(85.0, 90.0), "c": {7: {"test": 1.0}}}


@pytest.mark.parametrize(("kind", "minus", "value", "text"), [
    ("mean", "", 87.5, "87.5 %"), ("difference", "a", 6.5, "+6.50 points"), ("times", "a", 87.5 / 81, "1.1"),
    ("times squared", "a", (87.5 / 81) ** 2, "1.2"), ("widest", "", 5.0, "5.00 points"),
    ("largest", "a", 8.0, "8.00 points"),
])
def test_kinds(kind, minus, value, text):
    found = Records(race=RACE).find(Figure(source="race", of="b", kind=kind, minus=minus))
    assert found.value == pytest.approx(value) and found.text() == text and found.seeds == 2


def test_forms():
    figures = {"down": Figure(source="race", of="a", kind="difference", minus="b")}
    assert fill("{down} {down:size} {down:seeds}", figures, Records(race=RACE)) == "−6.50 points 6.50 points two seeds"
    assert fill("{down:sure}", figures, Records(race=RACE)).replace("\u00a0", " ") == (
        "−6.50 points (too few seeds for an interval worth showing, two seeds)"
    )
    three = {"a": rows(80.0, 82.0, 81.0), "b": rows(85.0, 90.0, 87.5)}
    sure = fill("{down:sure}", figures, Records(race=three))
    assert sure.startswith("−6.50 points (95\u00a0% interval −10.23 to −2.77, three seeds)")
    assert set(FORMS) == {"", "size", "sure", "seeds"}


def test_what_there_is_nothing_to_compute_from(tmp_path, records):
    nothing = Records(root=tmp_path / "none", race=RACE)
    for source, of, minus in (("scan", "1000-30-bn", ""), ("race", "nobody", ""), ("race", "a", "c")):
        figure = Figure(source=source, of=of, minus=minus, kind="difference" if minus else "mean")
        assert fill("x {y} z", {"y": figure}, nothing) == f"x {UNKNOWN} z"
    with pytest.raises(NotMeasuredError, match="python -m mnist_lab study scan"):
        nothing.find(Figure(source="scan", of="1000-30-bn"))
    with pytest.raises(NotMeasuredError, match=r"no run of 1000-30-gbn-2 yet\. Make it: python"):
        records.find(Figure(source="scan", of="1000-30-gbn-2"))
    with pytest.raises(NotMeasuredError, match="disputed"):
        Records(race=RACE).find(Figure(source="race", of="a", column="disputed"))


def test_a_study(records):
    found = records.find(Figure(source="scan", of="1000-30-l1-1e-3", minus="1000-30-bn", kind="difference"))
    assert found.value == pytest.approx(10, abs=0.2) and found.seeds == 3
    assert not found.complete, "ten seeds are planned"
    gap = records.find(Figure(source="scan", of="1000-30-bn", column="gap"))
    assert gap.value == pytest.approx(98 - 80, abs=0.3) and gap.unit == "points"


def test_a_study_that_was_made_again_is_read_again(records, tmp_path):
    figure = Figure(source="scan", of="1000-30-bn")
    before = records.find(figure)
    study = make_study({"1000-30-bn": 70.0}, seeds=10, settings=SETTINGS, name="scan")
    save_study(study, tmp_path)
    after = records.find(figure)
    assert before.value > 79 and after.value < 71 and after.complete


def test_what_was_published():
    records = Records()
    twice = records.find(Figure(source="published", of="a-l1-bn", kind="same twice", column="best"))
    assert twice.value == pytest.approx(0.14) and twice.text() == "0.14 points"
    gap = records.find(Figure(source="published", of="a-bn", column="gap"))
    assert gap.value == pytest.approx(98.30 - 99.48)
    chance = records.find(Figure(source="published", of="a-l1-bn", kind="chance", column="best"))
    assert chance.value == pytest.approx(1.96 * math.sqrt(2 * 0.9954 * 0.0046 / 1e4) * 100, rel=1e-3)
    with pytest.raises(NotMeasuredError, match="b-bn"):
        records.find(Figure(source="published", of="b-bn", column="best"))


def test_a_shipped_network():
    found = Records().find(Figure(source="pretrained", of="b-gbn", column="disputed_share"))
    errors = Records().find(Figure(source="pretrained", of="b-gbn", column="errors"))
    disputed = Records().find(Figure(source="pretrained", of="b-gbn", column="disputed"))
    assert found.value == pytest.approx(100 * disputed.value / errors.value) and found.complete
    with pytest.raises(NotMeasuredError):
        Records().find(Figure(source="pretrained", of="no-such"))


def test_the_file_for_teachers_names_all_there_is():
    text = (own_folder() / "README.md").read_text()
    assert not [name for name in (*KINDS, *COLUMNS, *STUDIES, *filter(None, FORMS)) if f"`{name}`" not in text
                and f":{name}}}" not in text and name != "read"]
