"""A race as it stands, from runs that are made up: standings, means, the verdict, the chart and the words."""

from __future__ import annotations

from dataclasses import replace

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.config import RunConfig
from mnist_lab.contestants import MOST_CONTESTANTS, Contestant, varied
from mnist_lab.runs.race import Race
from mnist_lab.ui import race_text
from mnist_lab.ui.race_chart import LOOKS, MOST_POINTS, race_chart
from mnist_lab.ui.race_model import GONE, RaceModel, RaceRun, mean_curve, outcomes, standings

CONFIG = RunConfig(epochs=10, eval_every=5)
DATA = {"checksum": "ab", "test_images": 1_000, "source": "folder"}


def run(state: str = "finished", *accuracies: float, seed: int = 0, data=DATA, message: str = "") -> RaceRun:
    curve = tuple((5 * place, value) for place, value in enumerate(accuracies, start=1))
    done = {"queued": 0.0, "finished": 1.0}.get(state, 0.5)
    result = accuracies[-1] if state == "finished" else None
    return RaceRun(id=f"{state}-{seed}", seed=seed, state=state, done=done, curve=curve, result=result,
                   data=data if state != "queued" else {}, message=message)


def model(*runs: list[RaceRun]) -> RaceModel:
    names = ["Plain", "L1", "Dropout", "Ghosts"][: len(runs)]
    race = Race(
        id="20261122-103000-abcd", name="Test", started="2026-11-22T10:30:00+00:00",
        contestants=tuple(Contestant(name, CONFIG.replace(dropout=place / 10)) for place, name in enumerate(names)),
        seeds=tuple(range(len(runs[0]))), runs=tuple(tuple(one.id for one in of_one) for of_one in runs),
    )
    return RaceModel(race, tuple(map(tuple, runs)))


def finished(*results: float) -> list[RaceRun]:
    return [run("finished", 50.0, result, seed=seed) for seed, result in enumerate(results)]


def test_standings_go_by_the_mean_of_what_is_finished():
    lines = standings(model(
        finished(80.0, 82.0), [run("finished", 70.0, 90.0), run("running", 99.0, seed=1)],
        [run("running", 40.0), run("queued", seed=1)], [run("failed"), run(GONE, seed=1)],
    ))
    assert [(line.name, line.mean, line.is_final, line.finished) for line in lines] == [
        ("L1", 90.0, True, 1), ("Plain", 81.0, True, 2), ("Dropout", 40.0, False, 0), ("Ghosts", None, False, 0)]
    assert (lines[1].low, lines[1].high) == (80.0, 82.0)


def test_a_stopped_run_does_not_count():
    lines = standings(model(finished(80.0), [run("stopped", 95.0)]))
    assert [(line.name, line.mean) for line in lines] == [("Plain", 80.0), ("L1", None)]


def test_the_mean_is_over_the_seeds_that_are_as_far_as_the_furthest():
    assert mean_curve([run("finished", 50.0, 80.0), run("running", 90.0)]) == [(5, 50.0), (10, 80.0)]
    assert mean_curve([run("finished", 50.0, 80.0), run("finished", 60.0, 90.0)]) == [(5, 55.0), (10, 85.0)]
    assert mean_curve([run("queued"), run("failed")]) == []


def test_the_verdict_compares_seed_by_seed_with_the_first_and_corrects_for_many():
    found = outcomes(model(finished(80.0, 82.0, 84.0), finished(85.0, 87.1, 88.9), finished(79.0, 83.0, 84.5)))
    better, unsure = found
    assert (better.name, better.against) == ("L1", "Plain")
    assert better.difference.mean == pytest.approx(5.0) and better.difference.decided
    assert better.difference.family == 2 and not unsure.difference.decided
    text = race_text.verdict_headline(found, model(finished(1.0, 2.0, 3.0)).race, live=False)
    assert "**Better than Plain**, by more than chance explains: L1 (+5.00 points)" in text
    assert "**Not decided**: Dropout." in text


def test_only_seeds_that_both_finished_count_and_too_few_are_no_verdict():
    left = [run("failed"), *finished(85.0, 86.0, 87.0)[1:]]
    found = outcomes(model(finished(80.0, 82.0, 84.0), left, [run("failed"), run("failed", seed=1), run(GONE, seed=2)]))
    assert found[0].difference.seeds == (1, 2) and found[0].difference.family == 1
    assert found[1].difference is None and "none is in both" in found[1].problem


def test_one_seed_is_no_verdict():
    one = model(finished(80.0), finished(90.0))
    assert "One seed does not show" in race_text.verdict_headline(outcomes(one), one.race, live=False)
    two = model(finished(80.0, 81.0), [run("failed"), run("failed", seed=1)])
    assert "too few runs are finished" in race_text.verdict_headline(outcomes(two), two.race, live=False)


def test_runs_on_different_test_sets_are_not_compared():
    other = [run("finished", 50.0, 90.0, seed=seed, data=DATA | {"checksum": "cd"}) for seed in (0, 1)]
    (found,) = outcomes(model(finished(80.0, 81.0), other))
    assert found.difference is None and "not tested on the same images" in found.problem


def test_where_the_race_is():
    waiting = model([run("queued")], [run("queued")])
    assert race_text.state_text(waiting, 2) == ("Waiting", "gray", race_text.run_text.waiting_text(2))
    live = model([run("finished", 1.0, 2.0), run("running", 1.0, seed=1)], [run("queued"), run("queued", seed=1)])
    assert live.is_live and live.done == 1.5 / 4
    assert race_text.state_text(live)[0::2] == ("Running", "1 of 4 runs are over, 1 under way, 2 in line.")
    assert race_text.state_text(model(finished(1.0)))[0::2] == ("Finished", "All 1 runs are finished.")
    mixed = model(finished(1.0), [run("failed")], [run(GONE)])
    assert race_text.state_text(mixed)[0::2] == ("Ended", "1 of 3 runs are finished, 1 failed and 1 gone.")
    assert not mixed.is_live and mixed.done == 1.0


def test_trouble_is_told_with_its_reason():
    texts = race_text.trouble_texts(model(
        finished(1.0, 2.0), [run("failed", message="The loss grew *fast*."), run("failed", seed=1)],
        [run(GONE), run("stopped", seed=1)]))
    assert texts == [
        "L1\\, seeds 0 and 1\\: failed\\. The loss grew \\*fast\\*\\.",
        "Dropout\\, seed 0\\: gone\\: deleted\\, or the lab was closed before it began\\.",
        "Dropout\\, seed 1\\: stopped before its end\\, so it does not count\\.",
    ]


def test_the_chart_is_the_same_from_the_first_test_to_the_end():
    early = race_chart(model([run("running", 40.0), run("queued", seed=1)], [run("queued"), run("queued", seed=1)]))
    late = race_chart(model(finished(80.0, 82.0), finished(85.0, 87.0)))
    assert early.spec == late.spec, "or the browser would build it anew"
    assert race_chart(model([run("queued")], [run("running")])) is None
    assert {row["series"] for row in early.data["lines"] if row["epoch"] == -1} == {"L1"}, "no layer may be empty"
    assert [row["value"] for row in late.data["lines"]] == [50.0, 81.0, 50.0, 86.0]
    assert {(row["series"], row["seed"]) for row in late.data["steps"]} == {
        (name, seed) for name in ("Plain", "L1") for seed in (0, 1)}
    alt.Chart.from_dict(late.to_dict())
    assert "Test accuracy (%)" in late.spec and '"seed"' in late.spec


def test_a_contestant_is_marked_where_it_is_tested():
    race = model(finished(80.0), finished(85.0)).race
    often, seldom = race.contestants
    config = CONFIG.replace(epochs=30, eval_every=3)
    contestants = (replace(often, config=config), replace(seldom, config=config.replace(eval_every=5)))
    curves = [tuple((epoch, 50.0) for epoch in epochs) for epochs in (range(3, 31, 3), (5,))]
    runs = tuple((replace(run("running"), curve=curve),) for curve in curves)
    chart = race_chart(RaceModel(replace(race, contestants=contestants), runs))
    marked = {name: [row["epoch"] for row in chart.data["lines"] if row["series"] == name and row["marked"]]
              for name in ("Plain", "L1")}
    assert marked == {"Plain": list(range(3, 31, 3)), "L1": [5]}, "an empty layer makes Vega warn"


def test_one_seed_has_no_pale_lines():
    chart = race_chart(model(finished(80.0), finished(85.0)))
    assert "steps" not in chart.data and '"steps"' not in chart.spec


@given(st.integers(1, 500))
def test_a_long_pale_line_keeps_its_ends(epochs):
    long = [run("finished", *map(float, range(epochs)), seed=seed) for seed in (0, 1)]
    rows = race_chart(model(long, long)).data["steps"]
    own = [row["epoch"] for row in rows if row["series"] == "L1" and row["seed"] == 1]
    assert len(own) <= MOST_POINTS + 1 and (own[0], own[-1]) == (5, 5 * epochs)


def test_all_lines_can_be_told_apart():
    assert len(LOOKS) == MOST_CONTESTANTS == len({look[:2] for look in LOOKS}) == len({look[2] for look in LOOKS})


def test_the_work_of_a_race_is_said():
    racers = varied(CONFIG.replace(train_images=1_000), "dropout", (0.1,))
    assert race_text.plan_text(racers, 3, 60_000) == (
        "Two contestants with three seeds: six runs, in which 60,000 images are learned from.")
    assert "3,600,000 images" in race_text.plan_text(varied(CONFIG, "dropout", (0.1,)), 3, 60_000)
    assert race_text.list_names(["a"]) == "a" and race_text.list_names(["a", "b", "c"]) == "a, b and c"


def ahead(*runs: list[RaceRun]) -> str:
    """What is said below the chart, without Markdown's backslashes."""
    one = model(*runs)
    return race_text.takeaway(standings(one), one.race).replace("\\", "")


def test_who_is_ahead():
    said = "L1 is ahead of Plain by 5.00 points in the end."
    assert ahead(finished(80.0), finished(85.0)) == f"{said} One seed cannot tell whether that is chance."
    two = ahead(finished(80.0, 80.0), finished(85.0, 85.0))
    assert two == f"{said} Whether that means anything is for the verdict."
    assert ahead(finished(80.0), [run("running", 80.0)]) == "Plain and L1 are level so far."


def test_two_that_the_verdict_does_not_compare_are_not_left_to_it():
    assert ahead(finished(70.0, 70.0), finished(85.0, 85.0), finished(84.0, 84.0)) == (
        "L1 is ahead of Dropout by 1.00 points in the end. The verdict compares each contestant with Plain, and not "
        "these two with each other."
    )


def test_a_lead_is_over_the_seeds_that_both_have():
    late = [run("failed"), *finished(0.0, 80.0, 90.0)[1:]]
    assert ahead(late, finished(99.0, 82.0, 91.0)) == (
        "L1 is ahead of Plain by 1.50 points over the two seeds that both have, in the end. Whether that means "
        "anything is for the verdict. Not all accuracies in the table are of the same seeds."
    )
    turned = ahead(late, finished(60.0, 81.0, 91.0))
    assert turned.startswith("L1 is ahead of Plain by 1.00 points over the two seeds"), "though its mean is lower"
    apart = ahead([*finished(80.0), run("stopped", seed=1)], [run("stopped"), *finished(0.0, 83.0)[1:]])
    assert apart.startswith("L1 is ahead of Plain by 3.00 points, with different seeds, in the end. They share too few")


def test_what_is_said_when_there_are_not_two_to_compare():
    assert ahead([run("queued")], [run("queued")]) == "" == ahead([run("failed")], [run("failed")])
    assert ahead([run("running", 88.0)], [run("queued")]) == "Only Plain was tested so far: 88.00 %."
    assert ahead(finished(80.0), [run(GONE)]) == (
        "Only Plain has a finished run, so there is nothing to compare it with.")
    assert ahead([run("stopped", 50.0, 90.5)], [run("stopped", 40.0)]) == (
        "No run came to its end, so none counts. The highest accuracy on the way: 90.50 %, Plain with seed 0 after "
        "epoch 10."
    )
