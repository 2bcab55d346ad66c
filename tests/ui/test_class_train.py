"""The Train page in class mode: locks by a link and by the task, seeds given out, limits; and none of it without."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from class_lab import ClassLab
from lab import OTHER, OWNER, Lab, button, query, words
from test_state import config_of, of, open_page

from mnist_lab.classroom.room import own_seed
from mnist_lab.config import RunConfig
from mnist_lab.contestants import Contestant
from mnist_lab.runs.race import RaceStore, start_race
from mnist_lab.runs.record import RunError
from mnist_lab.ui import class_state, token

LESSONS_PAGE = "mnist_lab/ui/views/lessons.py"
SMALL = dict(train_images="300", epochs="2")
QUICK = RunConfig(train_images=300, epochs=2)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = ClassLab(tmp_path, monkeypatch)
    yield lab
    lab.close()


def test_a_locked_control_is_there_disabled_and_says_why(lab):
    at = lab.open(**SMALL, norm="ghost", num_splits="8", lock="norm,num_splits,l1,rotation,freeze_gamma")
    norm, splits = of(at.selectbox, "Norm"), of(at.number_input, "Ghost batches (num_splits)")
    assert (norm.value, splits.value) == ("ghost", 8) and norm.disabled and splits.disabled
    assert of(at.select_slider, "L1 lambda").disabled and of(at.text_input, "L1 lambda: exact value").disabled
    assert of(at.slider, "Rotation").disabled and of(at.checkbox, "Freeze gamma at 1").disabled
    assert of(at.selectbox, "Augmentation").disabled and not of(at.number_input, "Epochs").disabled
    assert words(at).count("Locked by your teacher's link") == 6


def test_whatever_comes_from_the_browser_a_locked_setting_stays(lab):
    at = lab.open(**SMALL, norm="ghost", lock="norm,l1")
    norm = of(at.selectbox, "Norm")
    norm.proto.disabled = False  # as in a browser whose page somebody has meddled with
    norm.set_value("layer").run()
    assert config_of(at).norm == "ghost" and of(at.selectbox, "Norm").value == "ghost"
    of(at.selectbox, "Preset").select("b-l1-bn").run()
    assert (config_of(at).norm, config_of(at).l1) == ("ghost", 0.0) and config_of(at).network == "b"
    assert query(at)["lock"] == "norm,l1" and query(at)["norm"] == "ghost"


def test_a_link_of_the_lab_to_a_run_unlocks_nothing(lab):
    other = lab.ended(config=QUICK.replace(norm="layer"))
    at = lab.open(**SMALL, norm="ghost", lock="norm")
    at.query_params.clear()
    at.query_params["run"] = other
    at.run()
    assert config_of(at).norm == "ghost" and of(at.selectbox, "Norm").disabled
    assert (query(at)["lock"], query(at)["norm"], query(at)["run"]) == ("norm", "ghost", other)


def test_a_run_that_breaks_the_links_lock_is_refused_not_only_in_the_widget(lab):
    other = lab.ended(config=QUICK.replace(norm="layer"))
    at = lab.open(**SMALL, norm="ghost", lock="norm", run=other)
    button(at, "Run again with another seed").click().run()
    assert "Your teacher has locked what this run would change (Norm: Ghost batch norm (GBN))" in words(at)
    assert lab.queue.jobs() == []


def test_all_locks_everything_but_the_seed_which_the_class_gives_out(lab):
    at = lab.open(**SMALL, lock="all")
    assert of(at.selectbox, "Preset").disabled and of(at.selectbox, "Network").disabled
    assert "All settings are locked." in words(at) and not button(at, "Start").disabled
    seed = of(at.number_input, "Seed")
    assert seed.disabled and seed.value == own_seed(token.owner_hash(OWNER)) and "Given out by the class" in words(at)


def test_what_is_no_setting_cannot_be_locked_and_is_said(lab):
    at = lab.open(**SMALL, lock="nrom,epochs")
    assert "There is no setting 'nrom' to lock." in words(at) and of(at.number_input, "Epochs").disabled


def test_an_edited_link_gives_an_ordinary_page_but_no_way_round_the_limits_and_the_task(lab):
    lab.room.set_task({"norm": "ghost"})
    at = lab.open(train_images="all", epochs="200", norm="layer", seed="5")
    assert not of(at.number_input, "Epochs").disabled and of(at.selectbox, "Norm").disabled
    assert config_of(at).norm == "ghost" and config_of(at).seed == own_seed(token.owner_hash(OWNER))
    assert button(at, "Start").disabled
    assert "at most 30 epochs" in words(at) and "at most 10,000 training images" in words(at)
    with pytest.raises(RunError):
        lab.submit(config=config_of(at))


def test_the_task_comes_and_goes_while_a_page_is_open(lab):
    at = lab.open(**SMALL)
    lab.room.set_task({"l1": 1e-3, "norm": "ghost"})
    at.run()
    assert of(at.selectbox, "Norm").disabled and (config_of(at).norm, config_of(at).l1) == ("ghost", 1e-3)
    button(at, "Start").click().run()
    lab.room.set_task({})
    at.run()
    assert not of(at.selectbox, "Norm").disabled


def test_a_number_out_of_range_goes_when_its_control_is_locked(lab):
    at = lab.open(**SMALL)
    of(at.number_input, "Epochs").set_value(1000).run()
    assert button(at, "Start").disabled and at.error
    lab.room.set_task({"epochs": 2})
    at.run()
    epochs = of(at.number_input, "Epochs")
    assert epochs.disabled and epochs.value == 2 and not at.error and not button(at, "Start").disabled


def test_every_browser_and_every_run_gets_its_own_seed(lab):
    seeds = []
    for browser in (OWNER, OTHER, OWNER):
        at = lab.open(browser=browser, **SMALL)
        button(at, "Start").click().run()
        job = lab.queue.job(query(at)["run"])
        assert job.join(20)
        seeds.append(job.config.seed)
        at.run()
        assert "settings have changed since" not in words(at)
    assert len(set(seeds)) == 3
    assert seeds[0] == own_seed(token.owner_hash(OWNER)) and seeds[2] == seeds[0] + 10_000


def test_a_seed_that_the_teacher_locks_is_the_same_for_all(lab):
    for browser in (OWNER, OTHER):
        at = lab.open(browser=browser, **SMALL, seed="3", lock="seed")
        button(at, "Start").click().run()
    assert [run.config.seed for run in (*lab.queue.jobs(), *lab.store.list())][:2] == [3, 3]


def test_a_second_click_starts_no_second_run(lab):
    lab.gated()
    at = lab.open(**SMALL)
    button(at, "Start").click().run()
    assert button(at, "Start").disabled and "Change a setting to start another" in words(at)
    other = lab.open(**SMALL)
    button(other, "Start").click().run()
    assert len(lab.queue.jobs()) == 1 and query(other)["run"] == query(at)["run"]


def test_a_bare_address_opens_with_what_the_class_may_run(lab):
    at = lab.open()
    assert of(at.selectbox, "Preset").value == class_state.CLASS_PRESET and not button(at, "Start").disabled


def test_a_race_that_is_refused_leaves_no_run_behind(tmp_path, monkeypatch):
    lab = ClassLab(tmp_path, monkeypatch, queue=3)
    lab.gated()
    racers = [Contestant(f"L1 {number}", QUICK.replace(l1=number / 1000)) for number in range(2)]
    with pytest.raises(RunError, match="The line is full"):
        start_race(lab.queue, racers, range(2), name="Too large", owner=token.owner_hash(OWNER))
    assert lab.queue.jobs() == [] and lab.store.list() == [] and RaceStore(lab.store).list() == []
    lab.close()


def test_the_class_has_one_race_of_a_lesson_together(lab, monkeypatch):
    """Thirty browsers with four runs each would wait a quarter of an hour, and all see the same."""
    lab.gated()
    browsers = [lab.open(LESSONS_PAGE, browser, lesson="no-difference") for browser in (OWNER, OTHER)]
    for at in browsers:
        assert "The class has one such race together" not in words(at), "not before the prediction"
        at.radio[0].set_value(1).run()
        assert "The class has one such race together" in words(at)
        button(at, "Run it").click().run()
        assert not at.exception
    (race,) = RaceStore(lab.store).list()
    assert [query(at)["race"] for at in browsers] == [race.id] * 2 and len(lab.queue.jobs()) == 4
    lab.gate.open()
    assert all(lab.queue.job(id).join(20) for id in race.run_ids)
    late = lab.open(LESSONS_PAGE, OTHER, lesson="no-difference")
    late.radio[0].set_value(1).run()
    button(late, "Run it").click().run()
    assert query(late)["race"] == race.id and "4. Why" in [one.value for one in late.subheader]
    lab.store.delete(race.run_ids[0])
    again = lab.open(LESSONS_PAGE, OWNER, lesson="no-difference")
    again.radio[0].set_value(1).run()
    button(again, "Run it").click().run()
    assert query(again)["race"] != race.id, "one that lost a run is not the lesson's any more"


def test_a_lesson_that_the_task_does_not_allow_cannot_be_run_and_says_what_can_be_done(lab):
    lab.room.set_task({"norm": "layer"})
    at = lab.open(LESSONS_PAGE, lesson="no-difference")
    at.radio[0].set_value(1).run()
    assert button(at, "Run it").disabled and not button(at, "Show the recorded runs").disabled
    assert "The task that your teacher has set does not allow this race. You can look at the recorded" in words(at)
    lab.room.trust(token.owner_hash(OTHER))
    teacher = lab.open(LESSONS_PAGE, OTHER, lesson="no-difference")
    teacher.radio[0].set_value(1).run()
    button(teacher, "Run it").click().run()
    (race,) = RaceStore(lab.store).list()
    button(at.run(), "Run it").click().run()
    assert query(at)["race"] == race.id, "what the teacher has run is there for all"


@pytest.mark.parametrize("limits", [{"epochs": 1}, {"queue_each": 3}])
def test_a_lesson_beyond_the_limits_cannot_be_run(tmp_path, monkeypatch, limits):
    lab = ClassLab(tmp_path, monkeypatch, **limits)
    at = lab.open(LESSONS_PAGE, lesson="no-difference")
    at.radio[0].set_value(1).run()
    assert button(at, "Run it").disabled and "The limits of this class do not allow this race." in words(at)
    lab.close()


def test_the_place_in_line_and_an_estimate_that_says_what_it_is(lab):
    lab.gated()
    for number in range(2):
        lab.submit(owner=OTHER, config=QUICK.replace(seed=number))
    lab.gate.wait()
    at = lab.open(**SMALL)
    assert "2 runs of the class are under way or in line." in words(at)
    button(at, "Start").click().run()
    assert "Your run is number 2 in line. How long that takes is not known" in words(at)
    lab.finished(90.0, config=QUICK.replace(seed=9), seconds=30.0)
    at.run()
    assert "It may start in about 1 min 0 s, an estimate" in words(at)


def test_a_full_line_is_said(tmp_path, monkeypatch):
    lab = ClassLab(tmp_path, monkeypatch, queue=1)
    lab.gated()
    lab.submit(owner=OTHER, config=QUICK)
    at = lab.open(**SMALL)
    button(at, "Start").click().run()
    assert "The line is full" in words(at) and len(lab.queue.jobs()) == 1
    lab.close()


def test_without_class_mode_there_is_nothing_of_it(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    at = open_page(**SMALL, norm="ghost", lock="norm", seed="5")
    assert "There is no setting 'lock'." in words(at) and not of(at.selectbox, "Norm").disabled
    assert config_of(at).seed == 5 and not of(at.number_input, "Seed").disabled
    assert "class" not in words(at).lower().replace("classmate", "") and not class_state.is_teacher()
    button(at, "Start").click().run()
    assert "lock" not in query(at)
    lab.close()

