"""The presets are the recipes of the published exercises, as facts (SOURCES.md), and can be found by name."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from strategies import values

from mnist_lab.config import ConfigError, RunConfig
from mnist_lab.config_forms import is_augmented
from mnist_lab.presets import (
    ALIASES,
    AUGMENTATIONS,
    DEFAULT_PRESET,
    NO_AUGMENTATION,
    PRESETS,
    preset,
    preset_of,
)

TURNED_AND_JITTERED = dict(
    rotation=7.0, second_rotation=20.0, translation=0.1, scale=0.1, shear=0.0, elastic=0.0, brightness=0.1,
    contrast=0.1, interpolation="nearest",
)
RECIPES = {
    "a": dict(
        network="a", batch_size=128, optimizer="sgd", learning_rate=0.1, momentum=0.9, nesterov=False, schedule="step",
        step_epochs=5, step_factor=0.5, epochs=25, dropout=0.01, train_images="all", label_noise=0.0, validation=False,
        ema_decay=0.0, **TURNED_AND_JITTERED,
    ),
    "b": dict(
        network="b", batch_size=128, optimizer="sgd", learning_rate=0.01, momentum=0.9, nesterov=False,
        schedule="constant", epochs=25, dropout=0.05, train_images="all", label_noise=0.0, validation=False,
        ema_decay=0.0, **NO_AUGMENTATION,
    ),
}
L1 = {"a": 1e-4, "b": 1e-4}
DECAY = {"a": 1e-4, "b": 1e-5}
SPLITS = {"a": 2, "b": 4}
VARIANTS = [
    (network, "l1" in penalties, "l2" in penalties, norm)
    for network, penalties, norm in itertools.product("ab", [(), ("l1",), ("l2",), ("l1", "l2")], ["bn", "gbn"])
]


def name_of(network: str, l1: bool, l2: bool, norm: str) -> str:
    return "-".join([network] + ["l1"] * l1 + ["l2"] * l2 + [norm])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: name_of(*variant))
def test_every_variant_of_both_sources(variant):
    network, l1, l2, norm = variant
    config = preset(name_of(*variant)).config
    recipe = RECIPES[network]
    assert {name: getattr(config, name) for name in recipe} == recipe
    assert config.l1 == (L1[network] if l1 else 0) and config.weight_decay == (DECAY[network] if l2 else 0)
    assert (config.l1_kind, config.l1_scope, config.decay_scope) == ("subgradient", "all", "all")
    assert config.norm == {"bn": "batch", "gbn": "ghost"}[norm]
    if norm == "gbn":
        assert config.num_splits == SPLITS[network]
    assert config.freeze_gamma == (network == "b" and norm == "gbn"), "only source B froze gamma, in its GBN"
    if network == "a" and l2:
        assert "a real weight decay" in preset(name_of(*variant)).help, "source A had none: the page must say so"


def test_the_sixteen_and_the_labs_own_are_all_there_is():
    assert set(PRESETS) == {name_of(*variant) for variant in VARIANTS} | {"fast", "best", "noisy-1000"}
    assert len({known.title for known in PRESETS.values()}) == len({known.config for known in PRESETS.values()}) == 19
    assert all(known.name == name and known.help.endswith(".") for name, known in PRESETS.items())


def test_fast_is_a_few_epochs_of_network_b_on_everything():
    config = preset(DEFAULT_PRESET).config
    assert DEFAULT_PRESET == "fast"
    assert (config.network, config.train_images, config.schedule, config.l1) == ("b", "all", "one-cycle", 0.0)
    assert config.epochs <= 10 and not config.validation and not config.label_noise


def test_best_keeps_to_the_rules_of_the_flagship():
    """At most 20 epochs; the seeds that judge it learn from every image, the search did not."""
    config = preset("best").config
    assert config.epochs <= 20 and config.train_images == "all" and not config.label_noise and not config.validation


def test_noisy_1000_is_the_table_in_the_sources():
    """Network B, 1,000 images, 30 % noise, 30 epochs, SGD one-cycle peak 0.1, batch 64, BN alone."""
    config = preset("noisy-1000").config
    assert (config.network, config.train_images, config.epochs, config.batch_size) == ("b", 1_000, 30, 64)
    assert (config.label_noise, config.learning_rate, config.schedule) == (0.3, 0.1, "one-cycle")
    assert (config.norm, config.l1, config.weight_decay, config.dropout) == ("batch", 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("alias", "name"), [
    ("a-source-l2-bn", "a-bn"), ("a-source-l1-l2-bn", "a-l1-bn"), ("a-source-l1-l2-gbn", "a-l1-gbn"),
])
def test_rows_that_source_a_ran_without_decay_are_aliases(alias, name):
    assert preset(alias) is PRESETS[name] and preset(alias).config.weight_decay == 0
    assert alias not in PRESETS and ALIASES[alias] == name and len(ALIASES) == 3


@pytest.mark.parametrize(("wrong", "near"), [
    ("fats", "fast"), ("noisy1000", "noisy-1000"), ("b-l2-gbm", "b-l2-gbn"), ("a-source-l2", "a-source-l2-bn"),
])
def test_a_wrong_name_brings_the_nearest(wrong, near):
    with pytest.raises(ConfigError) as caught:
        preset(wrong)
    assert repr(wrong) in str(caught.value) and near in str(caught.value).split("Try one of: ")[1]
    assert list(caught.value.problems) == ["preset"]


def test_a_name_like_none_brings_them_all():
    with pytest.raises(ConfigError) as caught:
        preset("zzzzzzzz")
    assert all(name in str(caught.value) for name in PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_recognised_wherever_it_ran(name):
    config = PRESETS[name].config
    assert preset_of(config) == name

    @given(values("seed"), values("device"), values("precision"))
    def recognised(seed, device, precision):
        assert preset_of(config.replace(seed=seed, device=device, precision=precision)) == name

    recognised()
    assert preset_of(config.replace(epochs=config.epochs + 1)) is None
    assert preset_of(config.replace(dropout=0.33)) is None


def test_knobs_that_do_not_matter_do_not_hide_a_preset():
    config = PRESETS["fast"].config
    assert preset_of(config.replace(num_splits=32, step_epochs=9, l1_kind="proximal", decay_scope="weights")) == "fast"
    assert preset_of(config.replace(warmup=0.3)) is None
    assert preset_of(RunConfig(l1=0.123)) is None


def test_augmentations_by_name():
    assert AUGMENTATIONS["none"][1] == NO_AUGMENTATION and not is_augmented(RunConfig(**NO_AUGMENTATION))
    assert AUGMENTATIONS["source-a"][1] == TURNED_AND_JITTERED
    assert all(set(knobs) == set(NO_AUGMENTATION) for _, knobs in AUGMENTATIONS.values())
    assert all(RunConfig(**knobs) for _, knobs in AUGMENTATIONS.values())
    named = [knobs for _, knobs in AUGMENTATIONS.values()]
    assert all({name: getattr(p.config, name) for name in NO_AUGMENTATION} in named for p in PRESETS.values())
