"""The Lessons page in `AppTest`: from the prediction to the explanation, and what can go wrong on the way."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "lessons"))

from lab import OTHER, OWNER, Lab, button, fake_training, link, query, words
from lesson_text import LESSON, changed
from streamlit.testing.v1 import AppTest
from studies import make_study

from mnist_lab.lessons import files
from mnist_lab.lessons.files import load_lessons, own_folder
from mnist_lab.runs.race import RaceStore
from mnist_lab.runs.study import save_study
from mnist_lab.studies import STUDIES
from mnist_lab.ui import mistakes_game, mistakes_state, source, token
from mnist_lab.ui.lessons_text import compared

SHIPPED = own_folder()
SETTINGS = {name: STUDIES["scan"].settings[name] for name in ("1000-30-bn", "1000-30-l1-1e-3")}
# The page alone, as app.py runs it.
APP = """
from mnist_lab.ui import state
from mnist_lab.ui.lessons_view import render_lessons

state.enter("Lessons")
render_lessons()
"""
# And with another page's memory: rounds of "Beat the network", played in this session.
PLAYED = """
from mnist_lab.ui import page_state
from mnist_lab.ui.mistakes_game_text import Line

page_state.memory("Mistakes")["tally"] = [
    Line(run="b-gbn", images="test", index=n, label=1, network=7, human=1 if n < 3 else 7, disputed=False)
    for n in range(4)
]
""" + APP


def scored(train):
    """`train`, with L1 three points better."""

    def wrapped(config, *arguments, **options):
        trained = train(config, *arguments, **options)
        accuracy = 80.0 + config.seed + (3.0 if config.l1 else 0.0)
        return replace(trained, summary=trained.summary | {"test_accuracy": accuracy, "test_images": 20})

    return wrapped


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_PRETRAINED", str(tmp_path / "pretrained"))
    monkeypatch.setattr(files, "own_folder", lambda: tmp_path / "lessons")
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "first.toml").write_text(LESSON)
    made = Lab(tmp_path, monkeypatch)
    made.folder = tmp_path / "lessons"
    made.use(scored(fake_training.make_train()))
    yield made
    made.close()


def record(tmp_path, seeds: int = 10, gain: float = 4.0) -> None:
    study = make_study({"1000-30-bn": 80.0, "1000-30-l1-1e-3": 80.0 + gain}, seeds, settings=SETTINGS, name="scan")
    save_study(study, tmp_path / "pretrained" / "study")


def page(app: str = APP, browser: str | None = OWNER, **parameters: str) -> AppTest:
    at = AppTest.from_string(app, default_timeout=60)
    if browser:
        at.session_state[token.TOKEN_KEY] = {"token": browser}
    for name, text in parameters.items():
        at.query_params[name] = text
    return look(at)


def look(at) -> AppTest:
    """Run the page, or a widget of it that was just used."""
    at = at.run()
    assert not at.exception, at.exception
    return at


def predict(at, place: int) -> AppTest:
    return look(at.radio[0].set_value(place))


def race_of(lab, at):
    race = RaceStore(lab.store).load(query(at)["race"])
    assert all(lab.queue.job(id).join(20) for id in race.run_ids)
    return race


def rows(at) -> list[dict[str, str]]:
    """The table of what came out."""
    (table,) = [table.value for table in at.table if "Measured" in table.value.columns]
    return table.map(lambda cell: cell.replace("\\", "")).to_dict("records")


def test_from_prediction_to_explanation(lab, tmp_path):
    record(tmp_path)
    at = look(button(page(), "Open lesson 1").click())
    assert query(at) == {"lesson": "first"} and at.header[0].value == r"Lesson 1: A \*lesson\*"
    assert button(at, "Run it").disabled and "Predict first" in words(at) and "It gains" not in words(at)
    assert button(at, "Show the recorded runs").disabled
    predict(at, 1)
    assert not button(at, "Run it").disabled and "It gains" not in words(at)
    look(button(at, "Run it").click())
    race = race_of(lab, at)
    assert query(at) == {"lesson": "first", "race": race.id} and race.owner_hash == token.owner_hash(OWNER)
    assert [one.name for one in race.contestants] == ["Plain", "With L1"] and race.seeds == (0, 1)
    text = words(look(at))
    assert "Your prediction: **Little**" in text and "It came out otherwise than you predicted." in text
    came = [(row[""], row["Measured"].split(" (")[0], row["That is"]) for row in rows(at)]
    assert came[:2] == [("Your prediction", "", "Little"), ("Your race", "+3.00 points", "Much")]
    assert came[2][0] == "The recorded runs" and came[2][2] == "Much"
    assert ":green-badge[Shown] It gains +" in text and "ten seeds)." in text and "not measured" not in text
    assert "Is it real?" in text and "Somebody 1999." in text
    where, values = link(at, "Look at it")
    assert where == "microscope" and values["run"] in [id for ids in race_of(lab, at).runs for id in ids]
    look(button(at, "Do this lesson again").click())
    assert query(at) == {"lesson": "first"} and button(at, "Run it").disabled and at.radio[0].value is None


def test_without_a_race_and_without_a_study(lab):
    at = predict(page(lesson="first"), 2)
    look(button(at, "Show the recorded runs").click())
    text = words(at)
    assert "python -m mnist_lab study scan" in text and "It gains (not measured yet)" in text
    assert "[Not measured yet] It gains." in text and "Try it to see." in text
    assert link(at, "Look at it") is None and not button(at, "Run it").disabled


def test_a_study_that_is_not_complete_says_so(lab, tmp_path):
    record(tmp_path, seeds=3)
    at = look(button(predict(page(lesson="first"), 2), "Show the recorded runs").click())
    assert "three seeds), so far." in words(at) and "It came out as you predicted." in words(at)


def test_a_claim_that_the_runs_do_not_show_is_taken_back(lab, tmp_path):
    record(tmp_path, gain=1.0)
    at = look(button(predict(page(lesson="first"), 1), "Show the recorded runs").click())
    assert "[Not so] It gains +" in words(at) and "believe the runs" in at.warning[0].value


def test_still_running_and_left_and_found_again(lab):
    lab.use(scored(fake_training.make_train(on_step=lab.gate)))
    at = predict(page(lesson="first"), 0)
    look(button(at, "Run it").click())
    text = words(look(at))
    assert "The explanation follows when the race is over." in text and "4. Why" not in text
    assert not button(at, "Stop the race").disabled
    look(button(at, "All lessons").click())
    look(button(at, "Go on with lesson 1").click())
    assert "race" in query(at) and "Your prediction: **It loses**" in words(at)
    look(button(at, "Stop the race").click())
    race_of(lab, at)
    text = words(look(at))
    assert "4 stopped" in text and "4. Why" in text and link(at, "Look at it") is None


def test_all_runs_failed(lab):
    def fail(epoch, step, should_stop):
        raise ValueError("boom")

    lab.use(fake_training.make_train(on_step=fail))
    at = look(button(predict(page(lesson="first"), 0), "Run it").click())
    race_of(lab, at)
    text = words(look(at))
    assert "failed" in text and "There is no verdict" in text and "4. Why" in text and len(rows(at)) == 1


def test_a_race_that_was_deleted_in_another_tab(lab):
    at = look(button(predict(page(lesson="first"), 0), "Run it").click())
    race = race_of(lab, at)
    for id in race.run_ids:
        lab.store.delete(id)
    assert "gone" in words(look(at)) and len(rows(at)) == 1
    RaceStore(lab.store).delete(race.id)
    look(at)
    assert "There is no race" in at.warning[0].value.replace("\\", "")
    look(button(at, "Run it").click())
    assert query(at)["race"] != race.id


def test_a_link_with_a_race_asks_for_a_prediction_first(lab):
    at = look(button(predict(page(lesson="first"), 0), "Run it").click())
    race = race_of(lab, at)
    other = page(lesson="first", race=race.id, browser=OTHER)
    assert "It was started already. Predict" in words(other) and not other.table
    assert rows(predict(other, 2))[1]["That is"] == "Much"
    (lab.folder / "second.toml").write_text(changed(('"Plain"', '"Another"')))
    foreign = predict(page(lesson="second", race=race.id), 0)
    assert "not the one of this lesson" in foreign.warning[0].value and not foreign.table


def test_a_double_click_starts_one_race(lab):
    AppTest.from_string("""
from mnist_lab.lessons.files import load_lessons
from mnist_lab.ui import lessons_race, state

state.enter("Lessons")
(lesson,), _ = load_lessons()
lessons_race._start(lesson, None)
lessons_race._start(lesson, None)
""").run()
    assert len(RaceStore(lab.store).list()) == 1


def test_a_broken_file_is_named(lab):
    (lab.folder / "broken.toml").write_text("title =")
    at = page()
    assert "broken.toml is no lesson that can be shown. It is no TOML" in words(at) and button(at, "Open lesson 1")
    assert "its file has a mistake" in words(page(lesson="broken"))
    assert "There is no lesson 'nothing'" in words(page(lesson="nothing"))


def test_too_few_images(lab, monkeypatch):
    sample = source.data_status() | {"complete": False, "can_download": False, "train": 500, "source": "sample"}
    monkeypatch.setattr(source, "data_status", lambda: sample)
    at = predict(page(lesson="first"), 0)
    assert button(at, "Run it").disabled and "Choose at most 500" in words(at)
    assert not button(at, "Show the recorded runs").disabled


def test_the_browser_has_not_answered_yet(lab):
    at = predict(page(lesson="first", browser=None), 0)
    assert button(at, "Run it").disabled and "waiting for the browser" in words(at)


def test_rounds_of_the_game_answer_the_last_lesson(lab, monkeypatch):
    monkeypatch.setattr(files, "own_folder", lambda: SHIPPED)
    at = page(PLAYED, lesson="beat-the-network")
    assert link(at, "Play") is None and not at.table
    predict(at, 1)
    assert ("Your rounds", "75.0 %", "Half to three quarters") in [
        (row[""], row["Measured"], row["That is"]) for row in rows(at)]
    assert (mistakes_state.PAGE, mistakes_game.TALLY_KEY) == ("Mistakes", "tally")


@pytest.mark.parametrize("id", [lesson.id for lesson in load_lessons([SHIPPED])[0]])
def test_every_lesson_is_drawn_to_its_end(lab, monkeypatch, id):
    monkeypatch.setattr(files, "own_folder", lambda: SHIPPED)
    monkeypatch.delenv("MNIST_LAB_PRETRAINED")
    at = look(button(predict(page(lesson=id), 0), "Show the recorded runs").click())
    text = words(at)
    assert "4. Why" in text and "Try this next" in text and "{" not in text


def test_a_prediction_beside_what_came_out():
    assert "as you predicted" in compared(1, {"Your race": 1, "The recorded runs": 1})
    assert "otherwise" in compared(0, {"Your race": 1, "The recorded runs": 1})
    assert "do not agree" in compared(1, {"Your race": 1, "The recorded runs": 2})
    assert "Try it" in compared(1, {})
