"""The Race page in `AppTest`: choosing, starting, watching, stopping, the verdict; and what can go wrong with it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import CONFIG, OTHER, OWNER, Lab, box, button, fake_training, look, page_alone, query, words
from streamlit.testing.v1 import AppTest

from mnist_lab.contestants import READY, Contestant, ReadyRace
from mnist_lab.runs.race import RaceStore, start_race
from mnist_lab.ui import race_plan, source, token

PAGE = "mnist_lab/ui/views/race.py"
BASE = CONFIG.replace(epochs=2, train_images=1_000)
RACERS = (
    Contestant("Plain", BASE), Contestant("L1", BASE.replace(l1=1e-3)),
    Contestant("Decay", BASE.replace(weight_decay=1e-3)),
)
RESULTS = {"Plain": 80.0, "L1": 90.0, "Decay": 79.0}


def accuracy_of(config) -> float:
    name = "L1" if config.l1 else "Decay" if config.weight_decay else "Plain"
    return RESULTS[name] + config.seed * (1.0 if name == "Plain" else 1.1)


def scored(train):
    """`train`, with a test accuracy that its settings decide."""

    def wrapped(config, data, emit, *arguments, **options):
        trained = train(config, data, emit, *arguments, **options)
        summary = trained.summary | {"test_accuracy": accuracy_of(config), "test_images": 20}
        return replace(trained, summary=summary)

    return wrapped


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setitem(READY, "regularizers", ReadyRace("Three of them", "Which is best?", RACERS, 2))
    made = Lab(tmp_path, monkeypatch)
    made.use(scored(fake_training.make_train()))
    yield made
    made.close()


def race_of(lab, owner=OWNER, seeds=(0, 1), racers=RACERS):
    return start_race(lab.queue, racers, seeds, name="Three *of* them", owner=owner and token.owner_hash(owner))


def test_a_device_that_is_not_there_is_explained_before_start(lab, monkeypatch):
    racers = tuple(replace(one, config=one.config.replace(device="mps")) for one in RACERS)
    monkeypatch.setitem(READY, "regularizers", ReadyRace("Three of them", "Which is best?", racers, 2))
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("mnist_lab.ui.cache.engine_ready", lambda: True)
    at = page()
    assert words(at).count("PyTorch finds no mps device on this machine.") == 1
    assert button(at, "Start the race").disabled


def test_the_standings_have_the_training_accuracy_too(lab):
    race = race_of(lab)
    wait(lab, race)
    found = rows(page(race=race.id))
    trained = [lab.store.load(id).history[-1]["train_accuracy"] for id in race.runs[1]]
    (line,) = [row for row in found if row["Contestant"] == "L1"]
    assert line["In training"] == f"{sum(trained) / 2:.2f} %"


def wait(lab, race):
    assert all(lab.queue.job(id).join(20) for id in race.run_ids)


def page(browser: str | None = OWNER, **parameters: str) -> AppTest:
    return page_alone("Race", "race_view.render_race", browser, **parameters)


def rows(at) -> list[dict[str, str]]:
    """The standings."""
    return at.table[0].value.map(lambda cell: cell.replace("\\", "")).to_dict("records")


def test_from_start_to_verdict(lab):
    at = page()
    assert button(at, "Start the race").disabled is False and "Three contestants with two seeds: six runs" in words(at)
    look(button(at, "Start the race").click())
    id = query(at)["race"]
    race = RaceStore(lab.store).load(id)
    assert race.owner_hash == token.owner_hash(OWNER) and query(at) == {"race": id}
    wait(lab, race)
    look(at)
    text = words(at)
    assert "All 6 runs are finished." in text and "Is it real?" in text
    assert [(row["Place"], row["Contestant"], row["Accuracy"]) for row in rows(at)] == [
        ("1", "L1", "90.55 %"), ("2", "Plain", "80.50 %"), ("3", "Decay", "79.55 %")]
    assert rows(at)[0]["Lowest to highest"] == "90.00 to 91.10 %" and rows(at)[0]["Runs"] == "2 of 2 finished"
    assert "Better than Plain, by more than chance explains: L1 (+10.05 points)." in text.replace("**", "")
    assert "Worse than Plain, by more than chance explains: Decay (−0.95 points)." in text.replace("**", "")
    assert button(at, "Stop the race").disabled
    rerun = page(race=id, browser=OTHER)
    assert words(rerun) == text, "a link shows everybody the same"


def test_the_runs_are_ordinary_runs(lab):
    race = race_of(lab)
    wait(lab, race)
    assert {row.name for row in lab.store.list()} == {
        f"{one.name} · seed {seed}" for one in RACERS for seed in (0, 1)}
    at = page(race=race.id)
    assert box(at, "A run of this race").options[0] == "Plain · seed 0"


def test_it_goes_on_when_nobody_looks_and_can_be_stopped_by_its_owner_only(lab):
    lab.use(scored(fake_training.make_train(on_step=lab.gate)))
    race = race_of(lab)
    for _ in RACERS:
        lab.gate.wait()
    stranger = page(race=race.id, browser=OTHER)
    assert button(stranger, "Stop the race").disabled
    assert "Only the browser that started this race can stop it." in words(stranger)
    at = page(race=race.id)
    assert "0 of 6 runs are over, 3 under way, 3 in line." in words(at) and len(rows(at)) == 3
    assert "At the end, every contestant is compared with **Plain**" in words(at)
    look(button(at, "Stop the race").click())
    wait(lab, race)
    text = words(look(at))
    assert "0 of 6 runs are finished, 6 stopped." in text and "There is no verdict" in text
    assert "stopped before its end, so it does not count" in text


def test_what_was_stopped_or_deleted_can_be_run_again(lab):
    race = race_of(lab)
    wait(lab, race)
    lab.store.delete(race.runs[1][0])
    assert not [one for one in page(race=race.id, browser=OTHER).button if "missing" in one.label]
    at = page(race=race.id)
    assert "L1, seed 0: gone: deleted, or the lab was closed before it began." in words(at)
    assert rows(at)[0]["Runs"] == "1 of 2 finished, 1 lost"
    look(button(at, "Run what is missing (1)").click())
    wait(lab, RaceStore(lab.store).load(race.id))
    assert "All 6 runs are finished." in words(look(at))


def test_a_race_of_before_the_restart(lab):
    race = race_of(lab)
    wait(lab, race)
    before = words(page(race=race.id))
    lab.use(scored(fake_training.make_train()))
    assert words(page(race=race.id)) == before
    lab.store.delete(race.runs[0][0])
    assert "Plain, seed 0: gone" in words(page(race=race.id)), "what is remembered of a run goes with it"


def test_waiting_in_line(lab):
    lab.use(scored(fake_training.make_train(on_step=lab.gate)))
    lab.submit()
    lab.submit(config=CONFIG.replace(seed=8))
    at = page(race=race_of(lab).id)
    assert "Waiting" in words(at) and "Number 2 in line" in words(at)
    assert {row["Runs"] for row in rows(at)} == {"0 of 2 finished"}


def test_one_contestant_failed(lab):
    def fail(epoch, step, should_stop):
        raise ValueError("boom")

    broken, good = scored(fake_training.make_train(on_step=fail)), scored(fake_training.make_train())
    lab.use(lambda config, *rest, **more: (broken if config.l1 else good)(config, *rest, **more))
    race = race_of(lab)
    wait(lab, race)
    text = words(page(race=race.id))
    assert "4 of 6 runs are finished, 2 failed." in text and "L1, seeds 0 and 1: failed." in text
    assert "L1 is left out." in text and "Decay (−0.95 points)" in text


@pytest.mark.parametrize("id", ["20261122-103000-abcd", "nonsense", ""])
def test_a_race_that_is_not_there(lab, id):
    at = page(race=id)
    if id:
        assert "race" in at.warning[0].value and query(at) == {"race": id}
        look(button(at, "Set up a race").click())
    assert button(at, "Start the race")


def test_earlier_races_are_listed_and_opened(lab):
    race = race_of(lab)
    wait(lab, race)
    at = page()
    assert "Three *of* them · 3 contestants, 2 seeds" in words(at)
    look(button(at, "Open").click())
    assert query(at) == {"race": race.id} and "All 6 runs are finished." in words(at)
    look(button(at, "Set up another race").click())
    assert query(at) == {} and button(at, "Start the race")


def test_again_with_more_seeds(lab):
    race = race_of(lab)
    wait(lab, race)
    at = page(race=race.id)
    look(button(at, "Race again with 5 seeds").click())
    again = RaceStore(lab.store).load(query(at)["race"])
    assert again.id != race.id and again.seeds == (0, 1, 2, 3, 4) and again.contestants == race.contestants


def test_a_double_click_starts_one_race(lab):
    AppTest.from_string("""
from mnist_lab.config import RunConfig
from mnist_lab.ui import race_plan, race_setup, state

state.enter("Race")
plan = race_plan.plan_of({}, RunConfig(), {"complete": True, "train": 60_000, "source": "folder"})
race_setup._start(plan)
race_setup._start(plan)
""").run()
    assert len(RaceStore(lab.store).list()) == 1


def test_one_setting_is_varied(lab):
    at = page(**{"from": "knob"})
    look(box(at, "but with another").set_value("l1"))
    look(box(at, "L1 lambda", "multiselect").set_value(["0.001", "0.002"]))
    look(at.slider[0].set_value(4))
    assert query(at) == {"from": "knob", "knob": "l1", "values": "0.001,0.002", "seeds": "4"}
    assert "1. L1 lambda off\n2. L1 lambda 1e-3\n3. L1 lambda 2e-3" in words(at)
    assert "Three contestants with four seeds: 12 runs" in words(at)
    look(box(at, "L1 lambda", "multiselect").set_value([]))
    assert button(at, "Start the race").disabled and "at least two different contestants" in words(at)
    look(box(at, "but with another").set_value("norm"))
    assert query(at) == {"from": "knob", "knob": "norm", "seeds": "4"}, "values of another setting make no sense"


def test_a_typed_value_that_is_not_allowed_is_explained_and_left_out(lab):
    at = page(**{"from": "knob", "knob": "dropout", "values": "0.1"})
    look(box(at, "Dropout", "multiselect").set_value(["0.1", "7"]))
    assert "Dropout must be between 0 and 0.5, not 7." in words(at)
    assert query(at)["values"] == "0.1" and not button(at, "Start the race").disabled
    look(box(at, "Dropout", "multiselect").set_value(["0.1", "0.2"]))
    assert "must be" not in words(at)


def test_values_of_a_link_that_are_not_allowed_are_named(lab):
    at = page(**{"from": "knob", "knob": "train_images", "values": "5,1000,x"})
    text = words(at)
    assert "Left out of this link: Training images must be between 100 and 60,000, not 5." in text
    assert "Training images must be a whole number, not 'x'." in text


def test_what_a_setting_has_itself_is_not_offered_unless_it_does_nothing():
    base = CONFIG.replace(num_splits=4)
    assert race_plan.knob_values({}, base, "num_splits") == [4, 8, 16, 32], "4 splits mean nothing to batch norm"
    assert 4 not in race_plan.knob_values({}, base.replace(norm="ghost"), "num_splits")


def test_presets_race(lab):
    at = page(**{"from": "presets", "presets": "b-bn,no-such,b-gbn", "images": "own"})
    assert "1. Source B: BN\n2. Source B: GBN" in words(at) and "9,000,000 images" in words(at)
    look(box(at, "Images").set_value("short"))
    assert "120,000 images" in words(at)
    look(box(at, "Presets", "multiselect").set_value([]))
    assert button(at, "Start the race").disabled


@pytest.mark.parametrize("parameters", [
    {"from": "knob", "base": "x", "knob": "y", "values": "z,,1e9", "seeds": "99"}, {"from": "?", "seeds": "-1"},
    {"from": "knob", "knob": "num_splits", "values": "2,32", "base": "train"}, {"ready": "none", "seeds": "²"},
    {"from": "knob", "knob": "batch_size", "values": "16"}, {"from": "presets", "presets": ",,,"},
])
def test_a_link_may_say_anything(lab, parameters):
    at = page(**parameters)
    assert button(at, "Start the race") and 1 <= at.slider[0].value <= 10


def test_settings_that_contradict_are_told(lab):
    plan = race_plan.plan_of(
        {"from": "knob", "base": "train", "knob": "batch_size", "values": "16"},
        CONFIG.replace(norm="ghost", num_splits=32), {"complete": True, "train": 60_000, "source": "folder"})
    assert "32 splits need at least as many images" in plan.problems[0]


def test_too_few_images(lab, monkeypatch):
    sample = source.data_status() | {"complete": False, "can_download": False, "train": 500, "source": "sample"}
    monkeypatch.setattr(source, "data_status", lambda: sample)
    at = page()
    assert button(at, "Start the race").disabled and "Choose at most 500" in words(at)


def test_the_browser_has_not_answered_yet(lab):
    at = page(browser=None)
    assert button(at, "Start the race").disabled and "waiting for the browser" in words(at)


def test_it_is_in_the_navigation(lab):
    assert button(lab.page(path=PAGE), "Start the race")
