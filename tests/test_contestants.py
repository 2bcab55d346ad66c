"""Who races: names that differ, settings that differ, and what can be varied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.config import KNOBS, ConfigError, RunConfig
from mnist_lab.config_forms import differences, same_setting
from mnist_lab.contestants import (
    MOST_CONTESTANTS,
    MOST_SEEDS,
    READY,
    SHORT,
    can_vary,
    choices,
    of_presets,
    value_name,
    varied,
)
from mnist_lab.presets import PRESETS

BASE = PRESETS["noisy-1000"].config


@pytest.mark.parametrize("ready", READY.values(), ids=READY)
def test_ready_races_can_be_started(ready):
    names = [one.name for one in ready.contestants]
    assert 2 <= len(names) <= MOST_CONTESTANTS and len(set(names)) == len(names) and 2 <= ready.seeds <= MOST_SEEDS
    assert all(one.config.train_images == 1_000 for one in ready.contestants), "meant to be over within a minute"


def test_a_knob_is_varied_and_the_setting_itself_comes_first():
    racers = varied(BASE, "l1", (1e-4, 0.0, 1e-3, 1e-3))
    assert [one.name for one in racers] == ["L1 lambda off", "L1 lambda 1e-4", "L1 lambda 1e-3"]
    assert racers[0].config == BASE and all(differences(BASE, one.config).keys() == {"l1"} for one in racers[1:])
    assert [one.name for one in varied(BASE, "norm", ("layer",))] == ["Norm: Batch norm", "Norm: Layer norm"]
    with pytest.raises(ConfigError, match="L1 lambda must be between"):
        varied(BASE, "l1", (2.0,))


def test_a_knob_that_needs_another_one_sets_it():
    base, *ghosts = varied(BASE, "num_splits", (2, 8), "Batch norm")
    assert (base.name, base.config) == ("Batch norm", BASE)
    assert [(one.name, one.config.norm, one.config.num_splits) for one in ghosts] == [
        ("Ghost batches 2", "ghost", 2), ("Ghost batches 8", "ghost", 8)]
    assert [one.name for one in varied(BASE.replace(norm="ghost"), "num_splits", (8,))] == [
        "Ghost batches 4", "Ghost batches 8"]


@given(st.sampled_from(list(PRESETS.values())), st.data())
def test_whatever_is_offered_can_be_raced(preset, data):
    knob = data.draw(st.sampled_from(can_vary(preset.config)))
    offered = choices(preset.config, knob)
    racers = varied(preset.config, knob, offered)
    assert len(racers) >= 2 and len({one.name for one in racers}) == len(racers)
    assert not any(same_setting(a.config, b.config) for a in racers for b in racers if a is not b)
    assert getattr(preset.config, knob) in offered or not preset.config.matters(knob)
    assert all(value_name(knob, value) for value in offered)


def test_what_cannot_be_varied():
    names = can_vary(RunConfig())
    assert {"num_splits", "l1", "train_images", "step_epochs"} <= set(names)
    assert not {"seed", "device", "precision", "eval_every", "validation", "l1_kind", "decay_scope"} & set(names)
    assert "l1_kind" in can_vary(RunConfig(l1=1e-3)) and set(names) <= set(KNOBS)


def test_presets_race_as_they_are_or_short():
    own = of_presets(["b-bn", "b-gbn"])
    assert [one.config for one in own] == [PRESETS["b-bn"].config, PRESETS["b-gbn"].config]
    short = of_presets(["b-bn", "b-gbn", "a-source-l2-bn", "a-bn"], short=True)
    assert [one.name for one in short] == ["Source B: BN", "Source B: GBN", "Source A: BN"]
    assert all(getattr(one.config, name) == value for one in short for name, value in SHORT.items())
    with pytest.raises(ConfigError, match="no preset"):
        of_presets(["b-bm"])
