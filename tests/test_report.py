"""The generated README: every figure from the records, for complete, incomplete and empty studies."""

from __future__ import annotations

import re

import numpy as np
import pytest
from studies import SOURCES, make_study, make_summary

from mnist_lab.claims import CLAIMS, MEASURES
from mnist_lab.presets import ALIASES, PRESETS
from mnist_lab.report import report
from mnist_lab.runs.study import Study
from mnist_lab.small_data import cells, differences, label, small_data_section
from mnist_lab.variant_tables import GOAL_LOWEST, GOAL_MEAN

EQUAL = dict.fromkeys(SOURCES, 99.4)
REGULARIZERS = {"bn": {}, "l1": dict(l1=1e-3), "wd": dict(weight_decay=5e-3), "gbn": dict(norm="ghost", num_splits=4)}


def small_study(seeds: int = 5, arms: dict[str, dict] = REGULARIZERS, train: float = 98.0) -> Study:
    """`train` is the train accuracy of what has no norm."""
    base = PRESETS["noisy-1000"].config
    settings = {
        f"{images}-{noise}-{name}": base.replace(train_images=images, label_noise=noise, **knobs)
        for images in (300, 1_000) for noise in (0.0, 0.3) for name, knobs in arms.items()
    }
    means = {name: 80.0 + 8 * ("l1" in name) - 5 * ("gbn" in name) - 60 * ("none" in name) for name in settings}
    trained = {name: train for name in settings if "none" in name}
    return make_study(means, seeds=seeds, spread=0.3, train=trained, settings=settings, name="small-data")


def with_clocks(study: Study, seconds: list[float]) -> Study:
    """The study with as many seconds an epoch for each seed, but for a night in which the machine stood still."""
    for run in study.runs:
        each = np.full(run.config.epochs, seconds[run.seed], np.float32)
        each[3] += 40_000
        run.history["seconds"][:] = np.cumsum(each)
        run.summary["seconds"] = float(each.sum())
    return study


def row_of(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_has_every_variant_and_every_alias(tmp_path):
    study = make_study(EQUAL)
    text = report(study, [make_summary("b-gbn", 99.37, tmp_path)])
    for name in SOURCES:
        cells_of = row_of(text, name)
        figures = [run.summary["test_accuracy"] for run in study.of(name)]
        assert cells_of[3] == f"{np.mean(figures):.2f} ± {np.std(figures, ddof=1):.2f}" and cells_of[6] == "5"
    for alias, real in ALIASES.items():
        assert row_of(text, f"{alias}: another name of {real}")[3] == "–"
    assert row_of(text, "b-gbn")[1:3] == ["99.40", "99.34"] and row_of(text, "b-gbn")[-1] == "99.37"
    assert row_of(text, "b-bn")[1:3] == ["–", "–"] and row_of(text, "b-bn")[-1] == "–"
    assert "best epoch, chosen on the test set" in text


def test_the_commands_and_machines_are_those_of_the_studies():
    study, small = make_study(EQUAL), small_study()
    text = report(study, [], small=small, made_by="python -m mnist_lab report")
    assert f"`{study.command}` (80 runs; cpu, 1 thread a run, torch 2.15.0)" in text
    assert f"`{small.command}`" in text and "`python -m mnist_lab report`" in text


@pytest.mark.parametrize(("made_on", "machine"), [
    ({"device": "cuda", "precision": "bfloat16", "threads": 2, "torch": "2.15.0"},
     "cuda, bfloat16, 2 threads a run, torch 2.15.0"),
    ({"device": "cpu", "threads": 1}, "cpu, 1 thread a run"),
    ({"threads": 1}, "unknown device, 1 thread a run"),
])
def test_the_precision_is_said_where_it_was_kept(made_on, machine):
    study = make_study({"b-bn": 99.4})
    for run in study.runs:
        run.made_on.clear()
        run.made_on.update(made_on)
    assert f"(5 runs; {machine})" in report(study, [])


def test_seconds_are_without_the_hours_in_which_the_machine_stood_still():
    study, best = make_study({"b-bn": 99.4}), make_study({"b-gbn": 99.6}, name="best")
    seconds = [40.0, 50.0, 30.0, 90.0, 40.0]
    text = report(with_clocks(study, seconds), [], best=with_clocks(best, seconds))
    epochs = PRESETS["b-bn"].config.epochs
    assert row_of(text, "b-bn")[8] == f"{40 * epochs}" and "hours in which the machine stood still" in text
    lines = [line for line in text.partition("## The flagship")[2].splitlines() if line.startswith("| b-gbn |")]
    assert [line.split(" | ")[-1] for line in lines] == [f"{each * epochs:.0f} |" for each in (*seconds, 40)]


def test_every_claim_is_there_with_its_verdict_and_its_numbers():
    text = report(make_study(EQUAL), [], small=small_study())
    for claim in CLAIMS:
        assert f"**{claim.text}**" in text
        measures = {MEASURES[side.measure] for side in (claim.a, *(other for _, other in claim.pairs))}
        said = next(line for line in text.splitlines() if line.startswith(f"**{claim.text}**"))
        assert all(measure in said for measure in measures) or measures == {MEASURES["test"]}
    assert f"is the {MEASURES['test']}, unless a claim names another measure" in text
    assert text.count("sign flips p") >= len(CLAIMS)
    assert "two runs of one configuration, 0.10 points apart" in text and "weight_decay=0" in text


def test_settings_that_lack_seeds_are_named():
    study = make_study(EQUAL)
    study.runs[:] = [run for run in study.runs if (run.setting, run.seed) != ("b-gbn", 4)]
    assert "not complete yet, of five seeds there are for b-gbn 4" in report(study, [])


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_an_incomplete_study_says_so(seeds):
    best = make_study({"b-gbn": 99.6}, seeds=seeds)
    text = report(make_study(EQUAL, seeds=seeds), [], best=best, small=small_study(seeds))
    assert "nan" not in text and "None" not in text
    if seeds:
        assert f"not complete yet, of five seeds there are {seeds} for each setting" in text
    if seeds < 2:
        assert text.count("Not yet measured.") == len(CLAIMS) - seeds  # what is left open needs one seed only


def test_a_complete_study_does_not_say_it_is_incomplete():
    assert "not complete" not in report(make_study(EQUAL), [])


def test_another_study_gives_another_report():
    one, other = (report(make_study(EQUAL, rng_seed=seed), []) for seed in (0, 1))
    assert one != other and one == report(make_study(EQUAL, rng_seed=0), [])
    figures = [set(re.findall(r"99\.\d\d ± 0\.\d\d", text)) for text in (one, other)]
    assert figures[0] != figures[1]


def test_the_flagships_seeds_are_listed():
    best = make_study({"b-gbn": 99.6}, name="best")
    text = report(make_study(EQUAL), [], best=best)
    assert "## The flagship" in text and "## The flagship" not in report(make_study(EQUAL), [])
    for run in best.runs:
        assert f"| b-gbn | {run.seed} | {run.summary['test_accuracy']:.2f} |" in text


@pytest.mark.parametrize(("mean", "said"), [
    (99.8, ("A mean of at least 99.60 % after the last epoch: met", "No seed under 99.50 %: met")),
    (99.55, ("A mean of at least 99.60 % after the last epoch: not met", "No seed under 99.50 %: ")),
    (99.0, ("A mean of at least 99.60 % after the last epoch: not met", "No seed under 99.50 %: not met")),
])
def test_the_flagship_says_which_run_ships_and_whether_the_goal_is_met(mean, said, tmp_path):
    best = make_study({"best": mean}, name="best")
    shipped = [make_summary("best", 99.56, tmp_path), make_summary("b-gbn", 99.37, tmp_path)]
    text = report(make_study(EQUAL), shipped, best=best).partition("## The flagship")[2].partition("##")[0]
    assert "`pretrained/best`, is the run with seed 0" in text and "99.56 % after the last epoch" in text
    assert "pretrained/b-gbn" not in text and all(one in text for one in said)
    figures = [run.summary["test_accuracy"] for run in best.runs]
    assert f"{np.mean(figures):.2f} % over five seeds" in text and f"the lowest has {min(figures):.2f} %" in text


def test_a_mean_that_is_the_goal_meets_it():
    """The mean of these is 99.60, but as binary fractions it comes out below."""
    best = make_study({"best": 99.6}, seeds=3, name="best")
    for run, accuracy in zip(best.runs, (99.49, 99.74, 99.57), strict=True):
        run.summary["test_accuracy"] = accuracy
    assert np.mean([run.summary["test_accuracy"] for run in best.runs]) < GOAL_MEAN == 99.6
    text = report(make_study(EQUAL), [], best=best)
    assert "after the last epoch: met (99.60 % over three seeds, 0 points)" in text
    assert f"{GOAL_LOWEST:.2f} %: not met (the lowest has 99.49 %)" in text


def test_small_data_tables():
    text = "\n".join(small_data_section(small_study(), None))
    assert "| images | wrong labels | BN | BN · L1 1e-3 | BN · weight decay 5e-3 | GBN 4 |" in text
    assert "4 gains and 4 losses" in text and "corrected for all 12 comparisons" in text
    assert "over five seeds" in text and "A finer scan" not in text


def test_small_data_differences_are_to_batch_norm_on_the_same_images():
    study = small_study()
    found, values = differences(study), cells(study)
    assert len(found) == 12
    for (cell, name), difference in found.items():
        expected = np.mean([values[cell][name][seed] - values[cell]["BN"][seed] for seed in range(5)])
        assert difference.mean == pytest.approx(expected) and difference.family == 12


WITHOUT = {"bn": {}, "l1": dict(l1=1e-3), "none": dict(norm="none")}


@pytest.mark.parametrize(("train", "said"), [(11.0, True), (25.0, False)])
def test_runs_that_did_not_learn_are_counted(train, said):
    text = "\n".join(small_data_section(small_study(arms=WITHOUT, train=train), None))
    sentence = "20 of the 20 runs of “no norm” never got far from chance with a learning rate of 0.1"
    assert (sentence in text) is said and ("guessing gets 10 %" in text) is said


def test_runs_that_learned_and_lost_it_are_told_from_those_that_never_learned():
    study = small_study()
    for run in study.of("300-0.3-l1")[:2]:
        run.history["train_accuracy"][-1] = 12.0
    text = "\n".join(small_data_section(None, study))
    assert "2 of the 20 runs of “BN · L1 1e-3” ended near chance: they got under 20 %" in text
    assert "never" not in text and "learning rate" not in text


def test_no_norm_is_no_regularizer_and_not_counted():
    text = "\n".join(small_data_section(small_study(arms=WITHOUT), None))
    assert "corrected for all 8 comparisons" in text and "4 gains and 0 losses" in text
    assert "Not counted: “no norm”, which is not a regularizer." in text and "**−6" in text
    assert "Not counted" not in "\n".join(small_data_section(small_study(), None))


def test_the_scan_is_one_table():
    text = "\n".join(small_data_section(None, small_study()))
    assert "A finer scan" in text and "| 1,000 images, 30 % | BN · L1 1e-3 |" in text
    assert small_data_section(None, None) == []


def test_labels_leave_out_images_and_noise():
    config = PRESETS["noisy-1000"].config
    assert label(config) == "BN" and label(config.replace(dropout=0.1, l1=1e-3)) == "BN · L1 1e-3 · dropout 0.1"
