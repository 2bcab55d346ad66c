"""The Class page: the picture for everybody, the link, the password, and what it opens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from class_lab import CLASS_PAGE, PASSWORD, ClassLab
from lab import OTHER, OWNER, TRAIN_PAGE, Lab, button, query, words
from test_state import of

from mnist_lab.classroom.locks import parse_lock
from mnist_lab.classroom.room import TRUST_HOURS
from mnist_lab.config import RunConfig
from mnist_lab.config_forms import from_query
from mnist_lab.contestants import varied
from mnist_lab.runs.race import RaceStore, start_race
from mnist_lab.ui import class_charts, class_state, class_teacher, class_view, lessons_state, page_state, token
from mnist_lab.ui.chart_specs import AXIS_NUMBER

SETTING = RunConfig(train_images=300, epochs=3)
OTHER_SETTING = SETTING.replace(norm="ghost")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = ClassLab(tmp_path, monkeypatch)
    yield lab
    lab.close()


def runs(lab, accuracies, config=SETTING) -> None:
    for seed, accuracy in enumerate(accuracies):
        lab.finished(accuracy, browser=f"{seed:064x}", config=config.replace(seed=seed))


def log_in(at, password: str = PASSWORD):
    of(at.text_input, "Password").input(password)
    return button(at, "Log in").click().run()


def test_before_anything_is_finished_the_page_says_so(lab):
    at = lab.open(CLASS_PAGE)
    assert "No finished run of this setting yet" in words(at) and "A dot appears" in words(at)


def test_the_runs_of_one_setting_in_one_picture_with_what_follows(lab):
    runs(lab, (85.0, 86.0, 88.0))
    runs(lab, (90.0,), OTHER_SETTING)
    at = lab.open(CLASS_PAGE)
    said = words(at)
    assert "The class's 3 runs of the same setting" in said and "3.00 points apart" in said
    assert "Mean 86.33 %" in said and "20 images of the bundled sample" in said
    other = lab.room.pool().group_of(OTHER_SETTING)
    linked = lab.open(CLASS_PAGE, setting=other.key)
    assert "The class's one run of this setting" in words(linked) and "One run does not show" in words(linked)


def test_a_link_whose_setting_has_no_runs_says_so(lab):
    runs(lab, (85.0, 86.0))
    runs(lab, (90.0,), OTHER_SETTING)
    at = lab.open(CLASS_PAGE, setting="nonsense")
    assert class_view.GONE in words(at) and "The class's 2 runs" in words(at)
    assert query(at) == {"setting": "nonsense"}, "runs of it may still come"
    other = lab.room.pool().group_of(OTHER_SETTING).key
    of(at.selectbox, "Setting").set_value(other).run()
    assert class_view.GONE not in words(at) and query(at) == {"setting": other}


def test_the_address_names_the_setting_shown_though_nobody_chose_it(lab, monkeypatch):
    runs(lab, (85.0, 86.0))
    runs(lab, (90.0,), OTHER_SETTING)
    bare = lab.open(CLASS_PAGE, browser=OTHER)
    assert query(bare) == {"setting": lab.room.pool().group_of(SETTING).key}
    mine = lab.open(norm="ghost", train_images="300", epochs="3")
    mine.query_params.clear()  # as links between pages do
    mine.switch_page(CLASS_PAGE).run()
    assert query(mine) == {"setting": lab.room.pool().group_of(OTHER_SETTING).key}
    assert "The class's one run" in words(lab.open(CLASS_PAGE, browser=OTHER, **query(mine)))
    monkeypatch.setattr(page_state, "LATE_SECONDS", 0)
    monkeypatch.setattr(page_state, "OWN_SECONDS", 0)
    runs(lab, (90.0, 91.0, 92.0, 93.0), OTHER_SETTING)
    bare.query_params.clear()  # Back, to the address before
    bare.run()
    assert query(bare) == {}, "written anew, Back would lead nowhere"
    assert "The class's 2 runs" in words(bare), "what was shown before"


def test_a_setting_that_is_gone_makes_room_for_another_in_the_address_too(lab):
    runs(lab, (85.0, 86.0))
    at = lab.open(CLASS_PAGE)
    lab.room.delete(lab.room.ids())
    at.run()
    assert "No finished run" in words(at)
    runs(lab, (90.0,), OTHER_SETTING)
    at.run()
    assert query(at) == {"setting": lab.room.pool().group_of(OTHER_SETTING).key}
    assert "The class's one run" in words(at) and class_view.GONE not in words(at), "no link has asked for it"


def test_what_is_shown_stays_when_another_setting_gets_more_runs(lab):
    runs(lab, (85.0, 86.0))
    runs(lab, (90.0,), OTHER_SETTING)
    at = log_in(lab.open(CLASS_PAGE))
    shown = lab.room.pool().group_of(SETTING).key
    before, read = lab.room.pool(), lab.room.pool
    runs(lab, (90.0, 91.0, 92.0, 93.0), OTHER_SETTING)
    assert before.groups[0].key == shown != read().groups[0].key

    class Moving:
        """The pool of before for the whole page, and what there is now for the part that is drawn again."""

        curve, refresh, asked = read.curve, read.refresh, 0

        def __call__(self):
            self.asked += 1
            return before if self.asked == 1 else read()

    lab.room.pool = Moving()
    for _ in range(2):
        at.run()
        assert of(at.selectbox, "Setting").value == shown and "The class's 2 runs" in words(at)
    at.button(key="class_delete_setting").click().run()
    assert lab.room.pool().group_of(SETTING) is None and len(lab.room.ids()) == 5


def test_the_picture_follows_while_runs_end_and_go(lab):
    runs(lab, (85.0, 86.0))
    at = lab.open(CLASS_PAGE)
    lab.finished(80.0, config=SETTING.replace(seed=9))
    at.run()
    assert "The class's 3 runs" in words(at)
    lab.room.delete(lab.room.ids())
    at.run()
    assert "No finished run" in words(at)


def test_nobody_is_named(lab):
    id = lab.finished(85.0, config=SETTING)
    lab.store.rename(id, "Ada Lovelace")
    at = lab.open(CLASS_PAGE, browser=OTHER)
    assert "Ada" not in words(at) and token.owner_hash(OWNER) not in str(at.main)


def test_one_run_has_an_axis_that_can_be_read(lab):
    runs(lab, (80.32,))
    (group,) = lab.room.pool().groups
    chart = class_charts.dots_chart(group, None)
    (band,) = chart.data["band"].to_pylist()
    assert (band["from"], band["to"], band["top"]) == (pytest.approx(79.82), pytest.approx(80.82), 2)
    for layer in json.loads(chart.spec)["layer"]:
        assert layer["encoding"]["x"]["axis"]["format"] == AXIS_NUMBER, "else it reads 80.320000"


def test_the_axis_of_the_dots_is_no_wider_than_accuracies_can_be(lab):
    runs(lab, (99.9, 100.0, 100.0))
    chart = class_charts.dots_chart(lab.room.pool().groups[0], None)
    (band,) = chart.data["band"].to_pylist()
    assert (band["from"], band["to"]) == (99.0, 100.0)
    assert [row["place"] for row in chart.data["dots"].to_pylist()] == [1, 1, 2]


def test_the_dots_are_one_a_run_stacked_and_mine_are_marked(lab):
    runs(lab, (85.0, 85.0, 88.0))
    lab.finished(86.0, config=SETTING.replace(seed=7))
    (group,) = lab.room.pool().groups
    chart = class_charts.dots_chart(group, token.owner_hash(OWNER))
    rows = chart.data["dots"].to_pylist()
    assert [row["value"] for row in rows] == [85.0, 85.0, 86.0, 88.0] and [row["place"] for row in rows] == [1, 2, 1, 1]
    assert [row["seed"] for row in rows if row["whose"] == class_charts.YOURS] == [7]
    (band,) = chart.data["band"].to_pylist()
    assert band["low"] < band["mean"] == 86.0 < band["high"]
    curves = class_charts.curves_chart(group, lab.room.pool.curve)
    assert curves.data["steps"].num_rows == 12 and curves.data["lines"].num_rows == 3
    assert class_charts.curves_chart(group, lambda id: ()) is None
    assert class_charts.dots_chart(group, None) is class_charts.dots_chart(group, None)


def test_the_link_presets_and_locks_what_is_chosen(lab):
    at = lab.open(norm="ghost", l1="1e-3", train_images="300", seed="4")
    at.switch_page(CLASS_PAGE).run()
    at.multiselect(key="class_lock").set_value(["norm", "dropout"]).run()
    (code,) = at.code
    query = {name: values[0] for name, values in parse_qs(urlsplit(code.value).query).items()}
    assert parse_lock(query["lock"])[0] == ("norm", "dropout") and "seed" not in query
    assert from_query(query)[0] == RunConfig(norm="ghost", l1=1e-3, train_images=300)
    at.multiselect(key="class_lock").set_value(["all"]).run()
    assert at.code[0].value.endswith("lock=all")


def test_a_link_to_a_lesson_sets_and_locks_the_train_page_beside_it(lab):
    at = lab.open(norm="ghost", train_images="300")
    at.switch_page(CLASS_PAGE).run()
    at.radio(key="class_link_kind").set_value(class_teacher.LESSON).run()
    at.selectbox(key="class_lesson").set_value("l1-zeros").run()
    assert parse_qs(urlsplit(at.code[0].value).query) == {"lesson": ["l1-zeros"]}, "nothing is locked"
    at.multiselect(key="class_lock").set_value(["norm"]).run()
    address = urlsplit(at.code[0].value)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert address.path == "/lessons" and query["lesson"] == "l1-zeros" and query["lock"] == "norm"
    student = lab.open(lessons_state.VIEW, browser=OTHER, **query)
    assert "L1 is said to set weights to exactly zero" in words(student)
    student.switch_page(TRAIN_PAGE).run()
    assert of(student.selectbox, "Norm").disabled and of(student.selectbox, "Norm").value == "ghost"
    assert "Locked by your teacher's link" in words(student)
    of(student.number_input, "Epochs").set_value(2).run()
    for page in (lessons_state.VIEW, TRAIN_PAGE):
        student.query_params.clear()  # as links between pages do
        student.switch_page(page).run()
    assert of(student.number_input, "Epochs").value == 2, "coming back to the lesson sets nothing again"


def test_a_link_to_what_the_class_may_not_run_is_warned_of(lab):
    at = lab.open(epochs="100", train_images="300")
    at.switch_page(CLASS_PAGE).run()
    assert "The class could not run this." in words(at) and "at most 30 epochs" in words(at)


def test_without_a_password_nobody_logs_in_and_the_page_says_how_to_set_one(lab):
    at = lab.open(CLASS_PAGE, secret=False)
    assert "No password is set" in words(at) and ".streamlit/secrets.toml" in words(at)
    assert not [field for field in at.text_input if field.label == "Password"]
    assert not [one for one in at.button if one.label in ("Log in", "Stop all")]


@pytest.mark.parametrize("wrong", ["", "sesame", "sesame a", PASSWORD + " ", "ä" * 1000])
def test_a_wrong_password_opens_nothing(lab, wrong):
    at = log_in(lab.open(CLASS_PAGE), wrong)
    assert "That is not the password." in words(at)
    assert not [one for one in at.button if one.label == "Stop all"]
    assert not lab.room.is_trusted(token.owner_hash(OWNER))


def test_the_teacher_stops_deletes_and_clears_in_this_browser_only(lab):
    lab.gated()
    runs(lab, (85.0, 86.0))
    runs(lab, (90.0,), OTHER_SETTING)
    lab.finished(70.0, browser=OTHER, config=SETTING.replace(l1=1e-3))
    kept = lab.finished(99.0, browser=None)
    live = [lab.submit(owner=OTHER, config=SETTING.replace(seed=number)) for number in (20, 21)]
    lab.gate.wait()
    at = log_in(lab.open(CLASS_PAGE))
    assert "Logged in" in words(at)
    other = lab.open(CLASS_PAGE, browser=OTHER)
    assert not [one for one in other.button if one.label in ("Stop all", "Log out")]
    of(at.selectbox, "Run").set_value(live[1].id).run()
    button(at, "Stop this run").click().run()
    assert live[1].state == "stopped" and live[0].state == "running"
    ghost = lab.room.pool().group_of(OTHER_SETTING)
    (id,) = lab.room.ids(ghost)
    of(at.selectbox, "Run").set_value(id).run()
    button(at, "Delete this run").click().run()
    assert lab.room.pool().group_of(OTHER_SETTING) is None
    at.button(key="class_delete_setting").click().run()
    assert "Stop it first" in words(at), "the one that runs is of that setting"
    at.button(key="class_clear").click().run()
    assert lab.room.ids() == [] and lab.queue.jobs() == [] and not at.exception
    assert [run.id for run in lab.store.list()] == [kept]


def test_a_race_is_cleared_with_its_runs(lab):
    race = start_race(
        lab.queue, varied(SETTING, "dropout", (0.1,)), (0,), name="A race", owner=token.owner_hash(OTHER)
    )
    assert RaceStore(lab.store).list() == [race]
    assert lab.room.clear(lab.queue) == [] and RaceStore(lab.store).list() == [] and lab.room.ids() == []


def test_the_teacher_sets_a_task_for_all_and_is_free_of_it_until_the_logout(lab):
    at = lab.open(norm="ghost", train_images="300", epochs="2")
    at.switch_page(CLASS_PAGE).run()
    log_in(at)
    assert "There is no task" in words(at) and button(at, "Lock for the whole class").disabled
    at.multiselect(key="class_lock").set_value(["norm"]).run()
    button(at, "Lock for the whole class").click().run()
    assert lab.room.task == {"norm": "ghost"} and "Norm: Ghost batch norm (GBN)" in words(at)
    assert of(lab.open(browser=OTHER).selectbox, "Norm").disabled
    free = lab.open()
    assert not of(free.selectbox, "Norm").disabled and not of(free.number_input, "Seed").disabled
    button(at, "End the task").click().run()
    button(at, "Log out").click().run()
    assert lab.room.task == {} and "Logged in" not in words(at)
    assert not lab.room.is_trusted(token.owner_hash(OWNER))


def test_a_late_click_after_the_logout_does_nothing(lab):
    lab.finished(85.0)
    at = log_in(lab.open(CLASS_PAGE))
    lab.room.distrust(token.owner_hash(OWNER))
    at.button(key="class_clear").click().run()
    assert len(lab.room.ids()) == 1


def test_the_login_is_there_in_every_tab_until_the_logout_or_some_hours_later(lab):
    log_in(lab.open(CLASS_PAGE))
    tab = lab.open(CLASS_PAGE)
    assert "Logged in" in words(tab) and "for 4 hours at most" in words(tab)
    button(lab.open(CLASS_PAGE), "Log out").click().run()
    tab.run()
    assert "Logged in" not in words(tab) and "Closing the page does not log you out" in words(tab)
    log_in(tab)
    lab.now += TRUST_HOURS * 3600
    assert "Logged in" in words(tab) and "Logged in" not in words(tab.run())


def test_secrets_that_cannot_be_read_are_said(lab, monkeypatch):
    import streamlit as st
    from streamlit.errors import StreamlitSecretNotFoundError

    class Broken:
        def get(self, *args):
            try:
                raise ValueError("line 1")
            except ValueError as error:
                raise StreamlitSecretNotFoundError("Error parsing secrets file") from error

    monkeypatch.setattr(st, "secrets", Broken())
    assert "The secrets of this server cannot be read" in words(lab.open(CLASS_PAGE, secret=False))


def test_without_class_mode_there_is_no_such_page_and_no_teacher(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        lab.page(path=CLASS_PAGE)
    assert not class_state.is_teacher()
    lab.close()
