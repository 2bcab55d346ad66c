"""The generated README: every figure from the records, for complete, incomplete and empty studies."""

from __future__ import annotations

import re

import numpy as np
import pytest
from studies import SOURCES, make_study, make_summary

from mnist_lab.claims import CLAIMS
from mnist_lab.presets import ALIASES, PRESETS
from mnist_lab.report import report
from mnist_lab.runs.study import Study
from mnist_lab.small_data import cells, differences, label, small_data_section

EQUAL = dict.fromkeys(SOURCES, 99.4)
REGULARIZERS = {"bn": {}, "l1": dict(l1=1e-3), "wd": dict(weight_decay=5e-3), "gbn": dict(norm="ghost", num_splits=4)}


def small_study(seeds: int = 5) -> Study:
    base = PRESETS["noisy-1000"].config
    settings = {
        f"{images}-{noise}-{name}": base.replace(train_images=images, label_noise=noise, **knobs)
        for images in (300, 1_000) for noise in (0.0, 0.3) for name, knobs in REGULARIZERS.items()
    }
    means = {name: 80.0 + 8 * ("l1" in name) - 5 * ("gbn" in name) for name in settings}
    return make_study(means, seeds=seeds, spread=0.3, settings=settings, name="small-data")


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


def test_every_claim_is_there_with_its_verdict_and_its_numbers():
    text = report(make_study(EQUAL), [], small=small_study())
    for claim in CLAIMS:
        assert f"**{claim.text}**" in text
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


def test_the_scan_is_one_table():
    text = "\n".join(small_data_section(None, small_study()))
    assert "A finer scan" in text and "| 1,000 images, 30 % | BN · L1 1e-3 |" in text
    assert small_data_section(None, None) == []


def test_labels_leave_out_images_and_noise():
    config = PRESETS["noisy-1000"].config
    assert label(config) == "BN" and label(config.replace(dropout=0.1, l1=1e-3)) == "BN · L1 1e-3 · dropout 0.1"
