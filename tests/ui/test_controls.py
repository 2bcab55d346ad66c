"""A control for every knob, generated from what the knob says of itself; bad settings explained before Start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

sys.path.insert(0, str(Path(__file__).parent))

from lab import Lab, button, words
from test_state import config_of, of, open_page

from mnist_lab.config import ALL, KNOBS, ConfigError, RunConfig
from mnist_lab.config_forms import to_query
from mnist_lab.presets import AUGMENTATIONS
from mnist_lab.ui import controls, source, state, widget_state, widgets
from mnist_lab.ui.widgets import caption, parse_exact

KINDS = ("select_slider", "slider", "number_input", "selectbox", "radio", "checkbox", "text_input")
NOTHING_HIDDEN = [
    RunConfig(norm="ghost", l1=1e-4, weight_decay=1e-4, schedule="step"), RunConfig(schedule="one-cycle")
]
SAMPLE = {
    "source": "sample", "location": "here", "train": 4_000, "test": 1_000, "files": [], "complete": False,
    "can_download": False, "note": "The full MNIST data set is not in there.",
}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    yield lab
    lab.close()


def labels(at) -> list[str]:
    return [widget.label for kind in KINDS for widget in getattr(at, kind)]


def test_every_knob_has_one_control_with_its_help(lab):
    pages = [open_page(**to_query(config)) for config in NOTHING_HIDDEN]
    for name, knob in KNOBS.items():
        counts = [labels(at).count(knob.label) for at in pages]
        assert max(counts) == 1, f"{name} has no control of its own"
    helps = {widget.label: widget.help for at in pages for kind in KINDS for widget in getattr(at, kind)}
    assert all(helps[knob.label] == knob.help for knob in KNOBS.values())
    exact = {f"{knob.label}: exact value" for knob in KNOBS.values() if knob.suggestions}
    assert exact <= set(labels(pages[0]))


def test_knobs_that_change_nothing_are_not_there(lab):
    shown = labels(open_page(optimizer="adamw", norm="none"))
    hidden = ("num_splits", "freeze_gamma", "momentum", "nesterov", "l1_kind", "l1_scope", "decay_scope", "step_epochs")
    assert not {KNOBS[name].label for name in hidden} & set(shown)


@pytest.mark.parametrize(
    ("kind", "name", "chosen", "value"),
    [
        ("slider", "label_noise", 45.0, 0.45),
        ("slider", "dropout", 0.29, 0.29),
        ("slider", "momentum", 0.57, 0.57),
        ("slider", "rotation", 12.0, 12.0),
        ("slider", "scale", 29.0, 0.29),
        ("select_slider", "l1", 1e-3, 1e-3),
        ("select_slider", "train_images", ALL, ALL),
        ("select_slider", "ema_decay", 0.0, 0.0),
        ("number_input", "seed", 5, 5),
        ("selectbox", "norm", "group", "group"),
        ("selectbox", "network", "a", "a"),
        ("radio", "optimizer", "adamw", "adamw"),
        ("checkbox", "validation", True, True),
    ],
)
def test_what_is_chosen_is_what_is_trained(lab, kind, name, chosen, value):
    at = open_page(train_images="1000", ema_decay="0.9")
    before = config_of(at)
    of(getattr(at, kind), KNOBS[name].label).set_value(chosen).run()
    assert config_of(at) == before.replace(**{name: value})
    assert of(getattr(at, kind), KNOBS[name].label).value == chosen


def exact(at, name: str):
    return of(at.text_input, f"{KNOBS[name].label}: exact value")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("l1", "1e-4", 1e-4), ("l1", " 0.00025 ", 2.5e-4), ("l1", "off", 0.0), ("l1", "", 0.0), ("l1", "0", 0.0),
        ("train_images", "12,345", 12_345), ("train_images", "All", ALL), ("batch_size", "100", 100),
    ],
)
def test_exact_values_move_the_slider(lab, name, text, value):
    at = open_page(l1="0.01")
    exact(at, name).set_value(text).run()
    assert getattr(config_of(at), name) == value and not at.error
    assert of(at.select_slider, KNOBS[name].label).value == value
    of(at.select_slider, KNOBS[name].label).set_value(KNOBS[name].suggestions[1]).run()
    assert exact(at, name).value == caption(name, KNOBS[name].suggestions[1])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("l1", "abc", "L1 lambda must be a number, not 'abc'."),
        ("l1", "2", "L1 lambda must be between 0 and 1, not 2."),
        ("l1", "0,001", "L1 lambda must be a number"),
        ("learning_rate", "0", "Learning rate must be between"),
        ("batch_size", "7", "Batch size must be between 16 and 1,024, not 7."),
        ("train_images", "1e3", "Training images must be a whole number"),
    ],
)
def test_a_text_that_is_no_value_stays_explained_until_it_is_mended(lab, name, text, said):
    at = open_page()
    before = config_of(at)
    exact(at, name).set_value(text).run()
    assert exact(at, name).value == text and config_of(at) == before
    (error,) = at.sidebar.error
    assert said in error.value.replace("\\", "")
    assert button(at, "Start").disabled and said in words(at)
    of(at.select_slider, KNOBS[name].label).set_value(KNOBS[name].suggestions[0]).run()
    assert not at.error and not button(at, "Start").disabled


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("epochs", 1000, "Epochs must be between 1 and 200, not 1000."),
        ("epochs", 0, "Epochs must be between 1 and 200, not 0."),
        ("epochs", 2.5, "Epochs must be a whole number, not 2.5."),
        ("num_splits", 40, "Ghost batches (num_splits) must be between 2 and 32, not 40."),
        ("seed", 99_999_999_999, "Seed must be between 0 and 2,147,483,647, not 99999999999."),
        ("seed", -5, "Seed must be between 0 and 2,147,483,647, not -5."),
        ("seed", 1e22, "Seed must be between 0 and 2,147,483,647, not 10000000000000000000000."),
    ],
)
def test_a_number_out_of_range_stays_explained_until_it_is_mended(lab, name, typed, said):
    at = open_page(norm="ghost")
    before, address = config_of(at), dict(at.query_params)
    of(at.number_input, KNOBS[name].label).set_value(typed).run()
    for _ in range(2):
        assert of(at.number_input, KNOBS[name].label).value == typed
        assert config_of(at) == before and at.query_params == address
        assert [error.value.replace("\\", "") for error in at.sidebar.error] == [said]
        assert button(at, "Start").disabled and said in words(at)
        of(at.slider, "Dropout").set_value(0.0).run()  # something else is done meanwhile
    of(at.number_input, KNOBS[name].label).set_value(7).run()
    assert not at.error and not button(at, "Start").disabled and getattr(config_of(at), name) == 7


def test_a_field_has_no_bounds_that_the_browser_would_keep_to_itself(lab):
    proto = of(open_page().number_input, "Epochs").proto
    assert not proto.has_min and not proto.has_max and proto.step == 1
    assert proto.min < -1e300 and proto.max > 1e300


def test_a_number_whose_field_is_gone_is_no_problem_until_it_is_back(lab):
    at = open_page(norm="ghost")
    of(at.number_input, KNOBS["num_splits"].label).set_value(40).run()
    of(at.selectbox, "Norm").select("batch").run()
    assert not at.error and not button(at, "Start").disabled
    of(at.selectbox, "Norm").select("ghost").run()
    assert of(at.number_input, KNOBS["num_splits"].label).value == 40
    assert "not 40" in at.sidebar.error[0].value and button(at, "Start").disabled
    of(at.selectbox, "Preset").select("fast").run()
    assert not at.error and not button(at, "Start").disabled


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 0.005), ("dropout", 0.1), ("dropout", 0.0), ("dropout", 1e-9), ("dropout", 0.123456789),
        ("step_factor", 0.015), ("momentum", 0.333), ("elastic", 1.234), ("label_noise", 0.29), ("label_noise", 0.1234),
        ("rotation", 3.25),
    ],
)
def test_a_slider_shows_the_value_that_is_trained(lab, name, value):
    at = open_page(**{"schedule": "step", name: str(value)})
    assert getattr(config_of(at), name) == value
    slider = of(at.slider, KNOBS[name].label)
    shown = (slider.proto.format % slider.value).rstrip(" %°")  # as the browser's sprintf-js does
    assert float(shown) / widgets._factor(name) == value
    assert len(shown) <= 12


def test_settings_that_contradict_are_explained_beside_the_control(lab):
    at = open_page(norm="ghost", num_splits="32", batch_size="32")
    address = dict(at.query_params)
    exact(at, "batch_size").set_value("16").run()
    assert "Choose fewer splits or a larger batch." in at.sidebar.error[0].value.replace("\\", "")
    assert button(at, "Start").disabled
    assert "16" not in str(address) and at.query_params == address, "a link must open"
    of(at.number_input, KNOBS["num_splits"].label).set_value(8).run()
    assert not at.error and config_of(at).batch_size == 16


def test_more_images_than_there_are(lab, monkeypatch):
    monkeypatch.setattr(source, "data_status", lambda: SAMPLE)
    at = open_page(train_images="3600")
    assert "not comparable" in words(at) and not at.error
    of(at.checkbox, KNOBS["validation"].label).check().run()
    assert "4,000 training images, of which 500 are held out for validation; 3,600 were asked for." in words(at)
    assert button(at, "Start").disabled


def test_more_images_than_there_are_is_said_before_torch_is_loaded(lab, monkeypatch):
    monkeypatch.setattr(source, "data_status", lambda: SAMPLE)
    monkeypatch.setattr(controls.cache, "engine_ready", lambda: False)
    at = open_page(train_images="30000")
    assert "Choose at most 4,000, or all." in words(at) and button(at, "Start").disabled


def test_too_many_images_are_allowed_while_a_download_may_succeed(lab, monkeypatch):
    monkeypatch.setattr(source, "data_status", lambda: SAMPLE | {"can_download": True})
    assert "the run would fail" not in words(open_page(train_images="4000"))
    at = open_page(train_images="30000")
    assert not at.error and not button(at, "Start").disabled
    assert "It has too few images for these settings: the run would fail." in words(at)

    def fails(progress):
        progress("Downloading", 0.5)
        raise source.DataError("There is no network here.")

    monkeypatch.setattr(source, "download_mnist", fails)
    button(at, "Download MNIST (12 MB)").click().run()
    assert "There is no network here." in words(at) and "Choose at most 4,000, or all." in words(at)


def test_a_device_that_is_not_there_is_explained_before_start(lab, monkeypatch):
    there = {"mps": False}
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: there["mps"])
    monkeypatch.setattr(controls.cache, "engine_ready", lambda: True)
    at = open_page(device="mps")
    assert "PyTorch finds no mps device on this machine. Choose auto or cpu." in words(at)
    assert button(at, "Start").disabled
    of(at.selectbox, KNOBS["device"].label).select("cpu").run()
    assert "no mps device" not in words(at) and not button(at, "Start").disabled
    there["mps"] = True
    assert not button(open_page(device="mps"), "Start").disabled
    there["mps"] = False
    monkeypatch.setattr(controls.cache, "engine_ready", lambda: False)
    assert not button(open_page(device="mps"), "Start").disabled, "PyTorch is not there yet to be asked"


def test_augmentation_recipes_and_custom(lab):
    at = open_page()
    assert of(at.selectbox, "Augmentation").value == "slight", "the default has a name"
    of(at.selectbox, "Augmentation").select("source-a").run()
    recipe = AUGMENTATIONS["source-a"][1]
    assert {name: getattr(config_of(at), name) for name in recipe} == recipe
    of(at.slider, "Shear").set_value(4.0).run()
    assert of(at.selectbox, "Augmentation").value == controls.CUSTOM


def test_the_sources_are_explained_beside_what_names_them(lab):
    at = open_page()
    assert "two published exercises" in of(at.selectbox, "Preset").help
    assert "two published exercises" in of(at.selectbox, "Network").help


def test_custom_settings_say_what_was_changed(lab):
    at = open_page()
    of(at.number_input, "Epochs").set_value(12).run()
    of(at.select_slider, "L1 lambda").set_value(1e-3).run()
    assert of(at.selectbox, "Preset").value == controls.CUSTOM
    assert "Changed from “Fast: 99.4 % in 10 epochs”: L1 lambda off → 1e-3, epochs 10 → 12." in words(at)
    of(at.selectbox, "Preset").select("b-gbn").run()
    assert controls.CUSTOM not in of(at.selectbox, "Preset").options


def test_a_preset_leaves_seed_and_device_alone(lab):
    at = open_page(seed="5", device="cpu")
    of(at.selectbox, "Preset").select("a-bn").run()
    assert (config_of(at).seed, config_of(at).device) == (5, "cpu")
    assert of(at.selectbox, "Preset").value == "a-bn"


def test_controls_that_a_preset_has_replaced_are_out_of_date(lab):
    at = open_page(weight_decay="1e-3", decay_scope="weights", epochs="7")
    names = ("epochs", "decay_scope", "weight_decay", "weight_decay_exact")
    keys = {name: at.session_state["mnist_lab_widgets"].widgets[name].key for name in names}
    of(at.selectbox, "Preset").select("noisy-1000").run()
    assert config_of(at).epochs == 30 and not config_of(at).matters("decay_scope"), "one control has gone altogether"
    for name, key in keys.items():
        latest = at.session_state["mnist_lab_widgets"].widgets.get(name)
        assert latest is None or latest.key != key, name


@pytest.mark.parametrize("take", [widgets._take, widgets._take_number, widgets._take_slider, widgets._take_exact])
def test_a_late_message_of_a_control_changes_nothing(monkeypatch, take):
    changed = []
    value = "0.2" if take is widgets._take_exact else 0.2
    monkeypatch.setattr(widget_state, "widget_value", lambda name, key: value)
    monkeypatch.setattr(state, "set_values", lambda **values: changed.append(values))
    for latest in (False, True):
        monkeypatch.setattr(widget_state, "is_latest", lambda name, key, latest=latest: latest)
        take("label_noise", "label_noise:1")
        assert bool(changed) == latest


def test_the_layer_table_is_the_real_modules(lab):
    text = words(open_page(norm="ghost", freeze_gamma="true"))
    assert "Network B: 9,920 parameters, of which 9,836 are trained" in text.replace("*", "")
    assert "| conv1 | conv 3x3, 1 -> 16 | 16 x 26 x 26 | 144 |" in text


def test_the_layer_table_waits_for_torch(lab, monkeypatch):
    monkeypatch.setattr(controls.cache, "engine_ready", lambda: False)
    assert "Loading PyTorch" in words(open_page())


def test_torch_that_cannot_be_loaded_is_said(lab, monkeypatch):
    monkeypatch.setattr(controls.cache, "engine_ready", lambda: False)
    monkeypatch.setattr(controls.cache, "engine_problem", lambda: "A part of the installation is missing.")
    at = open_page()
    assert button(at, "Start").disabled and "A part of the installation is missing." in words(at)


@given(some.sampled_from([n for n, knob in KNOBS.items() if knob.suggestions]), some.text(max_size=45))
def test_any_text_is_a_value_or_a_problem(name, text):
    try:
        RunConfig(**{name: parse_exact(name, text)})
    except ConfigError as error:
        assert str(error)
