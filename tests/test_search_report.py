"""What helped the flagship, from made-up runs: only the validation split is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from studies import make_study

from mnist_lab.search_report import BASE, effects, search_section, validated
from mnist_lab.studies import STUDIES

SETTINGS = STUDIES["search"].settings


def made(seeds: int = 3, **means: float):
    named = {f"search-{name.replace('_', '-')}": value for name, value in means.items()}
    return make_study(named, seeds, spread=0.01, settings={name: SETTINGS[name] for name in named}, name="search")


def test_every_setting_is_the_flagships_on_the_validation_split_with_other_seeds():
    assert all(config.validation and config.epochs == 20 for config in SETTINGS.values())
    assert not set(STUDIES["search"].seeds) & {0, *STUDIES["best"].seeds}
    assert SETTINGS[BASE].replace(validation=False) == STUDIES["best"].settings["best"]


def test_what_helped_by_how_much():
    text = "\n".join(search_section(made(best=99.5, no_averaging=97.2, no_decay=99.5)))
    assert "| the recipe as it is | 99." in text and "Weight averaging (EMA decay): 0 |" in text
    assert "| **−2." in text and "Of two comparisons, corrected together, one is more than chance explains" in text


def test_nothing_is_ahead_or_something_is():
    assert "No change is ahead" in search_section(made(best=99.5, network_b=99.0))[-1]
    assert "furthest ahead of the recipe is so by +0." in search_section(made(best=99.5, network_b=99.9))[-1]


def test_the_test_set_has_no_part_in_it():
    study = made(best=99.5, elastic=99.4)
    before = search_section(study)
    for run in study.runs:
        run.digits[:] = 0
        run.summary["test_accuracy"] = 10.0
    assert search_section(study) == before


@pytest.mark.parametrize("seeds", [0, 1])
def test_too_few_runs(seeds):
    study = made(seeds, best=99.5, elastic=99.4)
    assert effects(study) == {}
    text = "\n".join(search_section(study))
    assert (text == "") == (seeds == 0) and "nan" not in text
    assert search_section(None) == [] and search_section(made(elastic=99.4)) == []


def test_the_last_epoch_counts():
    study = made(1, best=99.5)
    study.runs[0].history["eval_accuracy"] = np.array([99.9, 99.1], np.float32)
    assert validated(study, BASE) == {0: pytest.approx(99.1, abs=1e-5)}
