"""The other forms of a config: JSON, URL and KEY=VALUE come back as they went, and nonsense is reported."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import configs

from mnist_lab.config import ALL, KNOBS, ORIGIN_FIELDS, TOGETHER, ConfigError, RunConfig, check
from mnist_lab.config_forms import (
    AUGMENTATION,
    differences,
    from_dict,
    from_query,
    from_settings,
    is_augmented,
    parse_value,
    same_setting,
    short_value,
    title,
    to_query,
    to_text,
)

TEXTS = st.text(max_size=30) | st.sampled_from([
    "", " ", "nan", "inf", "-inf", "1e999", "-1", "0", "1", "0.1", "1e-5", "true", "no", "all", "ALL", "ghost", "a",
    "None", "9" * 400, "-" + "9" * 400, "9" * 5000, "1_000", "٣", "0x10", "1e5", "\x00", "<script>", "²",
])


@given(configs())
def test_json_brings_any_config_back(config):
    assert from_dict(json.loads(json.dumps(config.to_dict(), allow_nan=False))) == config


@given(configs())
def test_a_url_brings_any_config_back(config):
    query = to_query(config)
    assert all(isinstance(text, str) for text in query.values())
    assert from_query(query) == (config, [])


@given(configs(), configs())
def test_a_url_says_only_what_differs_from_the_base(base, config):
    assert to_query(RunConfig()) == {}
    assert from_query({}, base) == (base, [])
    query = {name: to_text(value) for name, value in config.to_dict().items()}
    assert from_query(query, base) == (config, [])


@given(st.dictionaries(st.sampled_from(list(KNOBS)), TEXTS, max_size=8))
@example({"seed": "9" * 400})
@example({"norm": "ghost", "num_splits": "32", "batch_size": "16"})
def test_no_text_in_a_url_breaks_it_and_what_is_ignored_is_said(query):
    config, ignored = from_query(query)
    values = config.to_dict()
    unread = [name for name, text in query.items() if not _says(name, text, values[name])]
    assert bool(unread) == bool(ignored)
    for name in unread:
        assert any(KNOBS[name].label in sentence for sentence in ignored) or _contradicts(query)
    assert all(sentence.endswith(".") and len(sentence) < 400 for sentence in ignored)
    assert {name for name in KNOBS if values[name] != getattr(RunConfig(), name)} <= set(query)


def _says(name: str, text: str, value: object) -> bool:
    try:
        return parse_value(name, text) == value
    except ConfigError:
        return False


def _contradicts(query: dict[str, str]) -> bool:
    """Whether the allowed values of this query contradict one another."""
    values = RunConfig().to_dict()
    for name, text in query.items():
        config, ignored = from_query({name: text}, None)
        if not ignored:
            values[name] = getattr(config, name)
        elif name in ("num_splits", "nesterov"):
            return True
    return bool(check(values))


@given(st.dictionaries(st.text(max_size=20).filter(lambda name: name not in KNOBS), TEXTS, max_size=4))
def test_parameters_of_the_page_are_left_alone(query):
    assert from_query(query) == (RunConfig(), [])
    assert from_query({**query, "epochs": "3"}) == (RunConfig(epochs=3), [])


def test_contradicting_settings_are_ignored_together_and_the_others_kept():
    splits = {"norm": "ghost", "num_splits": "20", "batch_size": "16"}
    config, ignored = from_query({**splits, "l1": "0.5"})
    assert config == RunConfig(l1=0.5) and len(ignored) == 1 and "20 splits" in ignored[0]
    base = RunConfig(epochs=9, batch_size=64)
    momentum = {"nesterov": "on", "momentum": "0"}
    assert from_query(momentum, base)[0] == base
    config, ignored = from_query({**momentum, **splits, "seed": "4"}, base)
    assert config == base.replace(seed=4) and len(ignored) == 2


def test_every_contradiction_names_knobs_of_its_own():
    knobs = [knob for group in TOGETHER.values() for knob in group]
    assert len(knobs) == len(set(knobs)) and set(knobs) <= set(KNOBS)
    contradictory = RunConfig().to_dict() | {
        "norm": "ghost", "num_splits": 32, "batch_size": 16, "nesterov": True, "momentum": 0.0
    }
    assert set(check(contradictory)) == set(TOGETHER), "each contradiction that there is"


def test_one_bad_setting_does_not_take_the_others_with_it():
    config, ignored = from_query({"dropout": "7", "epochs": "two", "l1": "1e-4", "network": "A", "norm": "ghost"})
    assert config == RunConfig(l1=1e-4, norm="ghost")
    assert [sentence.split()[0] for sentence in ignored] == ["Dropout", "Epochs", "Network"]


def test_from_dict_takes_defaults_for_what_is_absent_and_refuses_what_is_unknown():
    assert from_dict({}) == RunConfig()
    assert from_dict({"dropout": 0, "seed": 7}) == RunConfig(seed=7)
    with pytest.raises(ConfigError) as caught:
        from_dict({"lr": 0.1, "epochs": 3})
    assert list(caught.value.problems) == ["lr"]
    with pytest.raises(ConfigError, match="Epochs"):
        from_dict({"epochs": "3"})


@pytest.mark.parametrize(("settings", "expected"), [
    ([], {}),
    (["epochs=3"], dict(epochs=3)),
    (["epochs=3", "epochs=4"], dict(epochs=4)),
    ([" l1 = 1e-4 ", "norm=ghost", "num_splits=8"], dict(l1=1e-4, norm="ghost", num_splits=8)),
    (["train_images=ALL"], dict(train_images=ALL)),
    (["train_images=1000", "dropout=0"], dict(train_images=1000)),
    (["validation=yes", "nesterov=TRUE", "freeze_gamma=off"], dict(validation=True, nesterov=True)),
])
def test_settings_are_applied_in_order(settings, expected):
    assert from_settings(settings, RunConfig()) == RunConfig(**expected)


def test_settings_change_the_base_and_nothing_else():
    base = RunConfig(l1=1e-3, seed=4)
    assert from_settings(["epochs=2"], base) == base.replace(epochs=2)


@pytest.mark.parametrize(("setting", "words"), [
    ("epochs", "KEY=VALUE"),
    ("", "KEY=VALUE"),
    ("learning_rat=0.1", "Did you mean 'learning_rate'?"),
    ("weightdecay=0.1", "Did you mean 'weight_decay'?"),
    ("zzzzzz=1", "The settings are: train_images,"),
    ("=1", "There is no setting ''"),
    ("epochs=two", "Epochs must be a whole number, not 'two'."),
    ("epochs=2.5", "Epochs must be a whole number"),
    ("epochs=", "Epochs must be a whole number"),
    ("epochs=0", "Epochs must be between 1 and 200"),
    ("seed=" + "9" * 400, "Seed must be"),
    ("l1=nan", "L1 lambda must be a number"),
    ("validation=maybe", "must be true or false"),
    ("norm=ghosts", "Norm must be one of batch, ghost"),
    ("train_images=some", "Training images must be a whole number"),
])
def test_a_bad_setting_is_explained_in_one_line(setting, words):
    with pytest.raises(ConfigError) as caught:
        from_settings([setting], RunConfig())
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("value", "text"), [
    (True, "true"), (False, "false"), (0.0, "0"), (0.1, "0.1"), (1e-5, "1e-05"), (1_000, "1000"), ("all", "all"),
    (1 / 3, "0.3333333333333333"),
])
def test_text_is_short_and_exact(value, text):
    assert to_text(value) == text


@pytest.mark.parametrize(("name", "value", "text"), [
    ("l1", 1e-4, "1e-4"), ("l1", 2.5e-4, "2.5e-4"), ("l1", 0.0, "0"), ("weight_decay", 5e-3, "5e-3"),
    ("learning_rate", 0.1, "0.1"), ("learning_rate", 0.01, "0.01"), ("label_noise", 0.3, "30 %"),
    ("scale", 0.125, "12.5 %"), ("rotation", 7.0, "7 degrees"), ("batch_size", 1024, "1,024 images"),
    ("train_images", 1_000, "1,000 images"), ("train_images", ALL, "all images"),
    ("nesterov", True, "on"), ("validation", False, "off"), ("norm", "ghost", "Ghost batch norm (GBN)"),
    ("epochs", 25, "25"), ("seed", 12345, "12,345"),
])
def test_short_values(name, value, text):
    assert short_value(name, value) == text


@given(configs())
def test_captions_exist_for_any_config(config):
    assert title(config).startswith(f"Network {config.network.upper()} · ") and "\n" not in title(config)
    assert all(short_value(name, value) for name, value in config.to_dict().items())


@pytest.mark.parametrize(("knobs", "text"), [
    ({}, "Network B · BN"),
    (dict(network="a", norm="ghost", num_splits=4, l1=1e-4, train_images=1_000, label_noise=0.3),
     "Network A · GBN 4 · L1 1e-4 · 1,000 images, 30 % noise"),
    (dict(norm="ghost", freeze_gamma=True, l1=1e-3, l1_kind="proximal", weight_decay=5e-4, dropout=0.05),
     "Network B · GBN 4, gamma frozen · L1 proximal 1e-3 · weight decay 5e-4 · dropout 0.05"),
    (dict(norm="layer", freeze_gamma=True, label_noise=0.1, shear=3),
     "Network B · layer norm · all images, 10 % noise · augmented"),
    (dict(norm="none"), "Network B · no norm"),
    (dict(norm="group", train_images=500), "Network B · group norm · 500 images"),
])
def test_titles(knobs, text):
    assert title(RunConfig(**knobs)) == text


@pytest.mark.parametrize("name", AUGMENTATION)
def test_each_augmentation_counts(name):
    assert not is_augmented(RunConfig()) and is_augmented(RunConfig(**{name: KNOBS[name].high}))


def test_differences_leave_out_what_matters_in_neither():
    a, b = RunConfig(norm="batch", num_splits=2, epochs=3), RunConfig(norm="batch", num_splits=8, epochs=4)
    assert differences(a, b) == {"epochs": (3, 4)}
    assert differences(b, a) == {"epochs": (4, 3)}
    assert set(differences(a, b.replace(norm="ghost"))) == {"epochs", "norm", "num_splits"}
    assert differences(a, a) == {}


@given(configs())
def test_the_same_setting_but_for_where_it_ran(config):
    other = config.replace(seed=config.seed ^ 1, device="cpu", precision="float32")
    assert same_setting(config, other) and same_setting(other, config)
    assert set(differences(config, other)) <= set(ORIGIN_FIELDS)
    assert not same_setting(config, config.replace(epochs=config.epochs % 200 + 1))


def test_a_link_with_a_name_that_does_not_exist_gets_no_list_of_all_names():
    with pytest.raises(ConfigError) as caught:
        parse_value("zzzzzz", "1")
    assert str(caught.value) == "There is no setting 'zzzzzz'."
