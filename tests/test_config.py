"""RunConfig: nothing that cannot be trained gets through, and what is refused is refused in words."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from strategies import configs, values

from mnist_lab.config import ALL, DEFAULTS, GROUPS, KNOBS, ORIGIN_FIELDS, TYPES, ConfigError, RunConfig, check

NUMBERS = [name for name, spec in KNOBS.items() if spec.low is not None]
CHOICES = [name for name, spec in KNOBS.items() if spec.choices is not None]
FLAGS = [name for name in KNOBS if TYPES[name] is bool]


def refusal(**knobs) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        RunConfig(**knobs)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == " ".join(caught.value.problems.values())
    return caught.value.problems


def test_every_field_is_a_knob_that_explains_itself():
    assert list(KNOBS) == [f.name for f in dataclasses.fields(RunConfig)] == list(DEFAULTS)
    assert sorted(NUMBERS + CHOICES + FLAGS) == sorted(KNOBS), "each a range, choices or a flag, and only one of them"
    for name, spec in KNOBS.items():
        assert spec.group in GROUPS and spec.label and spec.label[0].isupper(), name
        assert spec.help.endswith(".") and len(spec.help) > 20, name
    assert {spec.group for spec in KNOBS.values()} == set(GROUPS)
    assert len({spec.label for spec in KNOBS.values()}) == len(KNOBS), "two knobs with one label"


@pytest.mark.parametrize("name", KNOBS)
def test_defaults_suggestions_and_needs_fit_the_knob(name):
    spec = KNOBS[name]
    assert list(spec.suggestions) == sorted(set(spec.suggestions))
    assert all(spec.low <= value <= spec.high for value in spec.suggestions)
    if spec.choices is not None:
        assert DEFAULTS[name] in spec.choices and all(spec.choices.values())
    if spec.needs:
        other, wanted = spec.needs
        assert wanted and set(wanted) < set(KNOBS[other].choices)
    if spec.needs_positive:
        assert KNOBS[spec.needs_positive].low == 0


def test_the_default_is_valid_and_trains_network_b():
    config = RunConfig()
    assert config.to_dict() == DEFAULTS and check(DEFAULTS) == {}
    assert (config.network, config.norm, config.batch_size, config.train_images) == ("b", "batch", 128, ALL)


def test_the_ranges_promised():
    """Issue 2: images, noise, splits, dropout and batch."""
    promised = {
        "train_images": (100, 60_000), "label_noise": (0, 0.6), "num_splits": (2, 32), "dropout": (0, 0.5),
        "batch_size": (16, 1024),
    }
    assert {name: (KNOBS[name].low, KNOBS[name].high) for name in promised} == promised
    assert set(KNOBS["precision"].choices) == {"auto", "float32", "bfloat16"}
    assert set(KNOBS["norm"].choices) == {"none", "batch", "ghost", "layer", "group"}


@pytest.mark.parametrize("name", NUMBERS)
def test_both_ends_of_a_range_are_inside_and_nothing_beyond(name):
    spec, kind = KNOBS[name], TYPES[name]
    most = {"batch_size": 1024} if name == "num_splits" else {}
    for value in (spec.low, spec.high):
        assert getattr(RunConfig(**{name: value, **most}), name) == value
    below, above = spec.low - 1, spec.high + 1
    if kind is float:
        below, above = math.nextafter(spec.low, below), math.nextafter(spec.high, above)
    for value in (below, above):
        problems = refusal(**{name: value})
        assert list(problems) == [name]
        assert problems[name].startswith(spec.label) and "between" in problems[name]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [
    True, False, math.nan, math.inf, -math.inf, "5", "", None, [1], {}, 1j, b"1", 10**400, -(10**400),
], ids=lambda value: repr(value)[:8])
def test_what_is_no_number_is_refused_by_name(name, value):
    problems = refusal(**{name: value})
    assert list(problems) == [name]
    assert problems[name].startswith(KNOBS[name].label) and problems[name].endswith(".")
    assert "\n" not in problems[name] and len(problems[name]) < 200


@pytest.mark.parametrize("name", [name for name in NUMBERS if TYPES[name] is not float])
def test_a_whole_number_stays_whole(name):
    assert "whole number" in refusal(**{name: float(KNOBS[name].low)})[name]


@pytest.mark.parametrize("name", CHOICES + FLAGS)
@pytest.mark.parametrize("value", ["Batch", "", " auto", None, 0, 1, math.nan, ["a"], {}, b"cpu"], ids=repr)
def test_what_is_no_choice_is_refused_by_name(name, value):
    problems = refusal(**{name: value})
    assert list(problems) == [name]
    assert problems[name].startswith(KNOBS[name].label) and repr(value) in problems[name]


def test_all_problems_are_told_at_once():
    assert set(refusal(epochs=0, dropout=0.6, network="z", nesterov="yes")) == {
        "epochs", "dropout", "network", "nesterov"
    }


def test_an_unknown_knob_is_no_knob():
    with pytest.raises(TypeError):
        RunConfig(learning_rat=0.1)


def test_more_ghost_batches_than_images_contradict_each_other():
    problems = refusal(norm="ghost", num_splits=17, batch_size=16)
    assert list(problems) == ["num_splits"] and "17" in problems["num_splits"] and "16" in problems["num_splits"]
    assert RunConfig(norm="ghost", num_splits=16, batch_size=16).num_splits == 16
    assert RunConfig(norm="batch", num_splits=17, batch_size=16), "splits do not matter without ghost batches"


def test_nesterov_without_momentum_contradicts_itself():
    problems = refusal(nesterov=True, momentum=0.0)
    assert list(problems) == ["nesterov"] and "momentum" in problems["nesterov"]
    assert RunConfig(nesterov=True, momentum=0.01)
    assert RunConfig(nesterov=True, momentum=0.0, optimizer="adamw"), "neither matters under AdamW"


def test_frozen_hashable_and_replaced_with_checks():
    config = RunConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1
    assert config.replace(seed=1) == RunConfig(seed=1) != config
    assert {config: 1}[RunConfig()] == 1
    with pytest.raises(ConfigError):
        config.replace(epochs=0)


def test_a_whole_number_for_a_float_becomes_one():
    config = RunConfig(dropout=0, learning_rate=1, l1=0, momentum=0)
    assert [type(v) for v in (config.dropout, config.learning_rate, config.l1, config.momentum)] == [float] * 4
    assert config == RunConfig(dropout=0.0, learning_rate=1.0, l1=0.0, momentum=0.0)
    assert type(config.epochs) is int


@pytest.mark.parametrize(("name", "without", "with_it"), [
    ("num_splits", dict(norm="batch"), dict(norm="ghost")),
    ("freeze_gamma", dict(norm="layer"), dict(norm="batch")),
    ("l1_kind", dict(l1=0.0), dict(l1=1e-5)),
    ("l1_scope", dict(l1=0.0), dict(l1=1e-5)),
    ("decay_scope", dict(weight_decay=0.0), dict(weight_decay=1e-5)),
    ("momentum", dict(optimizer="adamw"), dict(optimizer="sgd")),
    ("nesterov", dict(optimizer="adamw"), dict(optimizer="sgd")),
    ("step_epochs", dict(schedule="constant"), dict(schedule="step")),
    ("step_factor", dict(schedule="one-cycle"), dict(schedule="step")),
    ("warmup", dict(schedule="step"), dict(schedule="one-cycle")),
])
def test_what_matters_depends_on_the_others(name, without, with_it):
    assert not RunConfig(**without).matters(name)
    assert RunConfig(**with_it).matters(name)


def test_everything_else_always_matters():
    dependent = {name for name, spec in KNOBS.items() if spec.needs or spec.needs_positive}
    assert len(dependent) == 10
    bare = RunConfig(norm="none", optimizer="adamw", schedule="constant")
    assert {name for name in KNOBS if not bare.matters(name)} == dependent
    assert set(ORIGIN_FIELDS) <= set(KNOBS) - dependent


@given(configs())
def test_any_valid_config_can_be_made_again(config):
    assert RunConfig(**config.to_dict()) == config
    assert config.replace() == config


@pytest.mark.parametrize("name", KNOBS)
def test_the_strategy_gives_what_the_knob_allows(name):
    @given(values(name))
    def allowed(value):
        assert name not in check({**DEFAULTS, name: value}) or name in ("num_splits", "nesterov")

    allowed()


@pytest.mark.parametrize(("value", "shown"), [
    (0.7, "0.7"), (2, "2"), (2.0, "2"), (math.nextafter(0.5, 1), "0.5000000000000001"),
    ("x" * 99, "'" + "x" * 35 + " ..."),
])
def test_a_refused_value_is_quoted_exactly_and_briefly(value, shown):
    assert refusal(dropout=value)["dropout"].endswith(f", not {shown}.")
