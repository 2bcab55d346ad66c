"""The studies that ship, before they are run."""

from __future__ import annotations

import re

import pytest

from mnist_lab.config_forms import same_setting
from mnist_lab.presets import PRESETS, preset
from mnist_lab.studies import STUDIES
from mnist_lab.sweep_command import study_tasks


@pytest.mark.parametrize("plan", STUDIES.values(), ids=list(STUDIES))
def test_names_make_ids_and_settings_differ(plan):
    tasks = study_tasks(plan)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,119}", task.id) for task in tasks)
    assert len({task.id for task in tasks}) == len(tasks)
    configs = list(plan.settings.values())
    assert not any(same_setting(a, b) for place, a in enumerate(configs) for b in configs[:place])
    if plan.ships:
        assert [task.config.seed for task in tasks[: len(plan.settings)]] == [0] * len(plan.settings)


def test_the_study_of_the_sources_has_their_sixteen_variants_and_five_seeds():
    plan = STUDIES["sources"]
    assert len(plan.settings) == 16 and list(plan.seeds) == [0, 1, 2, 3, 4] and plan.ships
    assert all(plan.settings[name] == preset(name).config for name in plan.settings)


def test_the_small_data_study_is_the_grid_of_the_issue():
    plan = STUDIES["small-data"]
    grid = {(config.train_images, config.label_noise) for config in plan.settings.values()}
    assert grid == {(images, noise) for images in (300, 1_000, 3_000) for noise in (0.0, 0.3, 0.4)}
    assert len(plan.settings) == 72 and len(plan.seeds) == 10
    base = PRESETS["noisy-1000"].config
    assert same_setting(plan.settings["1000-30-bn"].replace(eval_every=base.eval_every), base)
    assert all(config.learning_rate == base.learning_rate for config in plan.settings.values())


def test_settings_that_two_studies_share_are_trained_once():
    small, scan = STUDIES["small-data"].settings, STUDIES["scan"].settings
    shared = small.keys() & scan.keys()
    assert len(shared) == 7 and all(small[name] == scan[name] for name in shared)
    assert not any(
        same_setting(config, other) for one, config in scan.items() for two, other in small.items() if one != two
    )
