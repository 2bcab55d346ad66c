"""The settings, the URL and the page as one: read, written, left alone, and nonsense explained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).parent))

from lab import OWNER, RUNS_PAGE, TRAIN_PAGE, Lab, button, look, query, words

from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.config_forms import to_query
from mnist_lab.presets import DEFAULT_PRESET, PRESETS
from mnist_lab.ui import run_view, token

APP = Path(__file__).parents[2] / "app.py"
FAST = PRESETS[DEFAULT_PRESET].config


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    yield lab
    lab.close()


def open_page(**parameters: str) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=30)
    at.session_state[token.TOKEN_KEY] = {"token": OWNER}
    return look(at, **parameters)


def config_of(at: AppTest) -> RunConfig:
    return at.session_state["mnist_lab"].good


def of(kind, label: str):
    (found,) = [widget for widget in kind if widget.label == label]
    return found


def test_a_bare_address_is_the_default_preset_and_stays_bare(lab):
    at = open_page()
    assert config_of(at) == FAST and query(at) == {} and not at.warning


@pytest.mark.parametrize("name", PRESETS)
def test_every_presets_address(lab, name):
    address = to_query(PRESETS[name].config)
    at = open_page(**address)
    assert config_of(at) == PRESETS[name].config and not at.warning
    assert of(at.selectbox, "Preset").value == name and query(at) == address


def test_every_preset_through_its_box(lab):
    at = open_page()
    for name, preset in reversed(PRESETS.items()):
        of(at.selectbox, "Preset").select(name).run()
        assert config_of(at) == preset.config and of(at.selectbox, "Preset").value == name
        assert query(at) == to_query(preset.config)


def test_an_address_with_every_setting_off_its_default(lab):
    config = RunConfig(
        train_images=777, label_noise=0.123, validation=True, rotation=3.3, second_rotation=1.0, translation=0.07,
        scale=0.111, shear=2.0, brightness=0.2, contrast=0.3, network="a", norm="ghost", num_splits=3,
        freeze_gamma=True, dropout=0.017, l1=2.5e-7, l1_kind="proximal", l1_scope="weights", weight_decay=3.3e-5,
        decay_scope="weights", epochs=13, batch_size=99, learning_rate=0.0123, momentum=0.55, nesterov=True,
        schedule="step", step_epochs=2, step_factor=0.33, ema_decay=0.9876, seed=123456, device="cpu",
        precision="float32",
    )
    at = open_page(**to_query(config))
    assert config_of(at) == config and not at.warning and not at.error
    of(at.checkbox, "Nesterov momentum").uncheck().run()  # only what is touched changes: nothing is rounded
    assert config_of(at) == config.replace(nesterov=False)


def test_the_address_follows_every_change_and_never_holds_the_token(lab):
    at = open_page()
    of(at.number_input, "Epochs").set_value(9).run()
    assert query(at) == to_query(FAST.replace(epochs=9)) and OWNER not in str(at.query_params)


def test_the_plain_defaults_have_an_address_of_their_own(lab):
    at = open_page(learning_rate="0.3")
    of(at.select_slider, "Learning rate").set_value(0.1).run()
    assert config_of(at) == RunConfig() and query(at)
    assert config_of(open_page(**query(at))) == RunConfig()


def test_back_brings_the_settings_back(lab):
    at = open_page()
    of(at.number_input, "Epochs").set_value(9).run()
    at.session_state["mnist_lab"].replaced.written -= 5  # seconds later
    at.query_params.clear()
    at.run()
    assert config_of(at) == FAST and of(at.number_input, "Epochs").value == FAST.epochs


def test_a_request_that_was_late_is_not_taken_for_back(lab):
    at = open_page()
    of(at.number_input, "Epochs").set_value(9).run()
    at.query_params.clear()
    at.run()  # asked for before the browser had the new address, or Back at once
    assert config_of(at).epochs == 9
    assert query(at) == to_query(FAST.replace(epochs=9)), "or the address would say other than the page"


def test_a_choice_is_not_undone_by_a_run_of_the_page_that_was_asked_for_before_it(lab):
    """As when PyTorch is ready while somebody chooses, on a busy server: its run comes late, with the URL of before."""
    at = open_page()
    at.session_state["mnist_lab"].replaced.ask()
    of(at.number_input, "Epochs").set_value(9).run()
    at.session_state["mnist_lab"].replaced.written -= 5
    at.query_params.clear()
    at.run()
    assert config_of(at).epochs == 9


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"epochs": "banana"}, "Epochs must be a whole number, not 'banana'."),
        ({"epochs": "0"}, "Epochs must be between 1 and 200, not 0."),
        ({"epochs": "9" * 400}, "Epochs cannot be 400 characters long."),
        ({"learning_rate": "nan"}, "Learning rate must be a number"),
        ({"norm": "bach"}, "Norm must be one of batch, ghost"),
        ({"epoch": "3"}, "There is no setting 'epoch'. Did you mean 'epochs'?"),
        ({"norm": "ghost", "num_splits": "32", "batch_size": "16"}, "Choose fewer splits or a larger batch."),
        ({"run": "../../etc/passwd"}, "cannot be the id of a run"),
        ({"run": "20260101-000000-gone-2222"}, "There is no run 20260101-000000-gone-2222."),
        ({"": ""}, "There is no setting ''."),
    ],
)
def test_nonsense_is_ignored_and_said(lab, parameters, said):
    at = open_page(**parameters)
    assert said in words(at) and config_of(at) == FAST
    of(at.number_input, "Epochs").set_value(9).run()
    assert "ignored" not in words(at)


def test_what_makes_sense_beside_nonsense_is_kept(lab):
    at = open_page(epochs="banana", l1="1e-3")
    assert config_of(at) == RunConfig(l1=1e-3) and "A part of the address was ignored." in words(at)


def test_much_nonsense_is_counted(lab):
    at = open_page(**{f"nonsense{number}": "x" for number in range(60)})
    (warning,) = at.warning
    text = warning.value.replace("\\", "")
    assert text.startswith("60 parts of the address were ignored. There is no setting 'nonsense0'.")
    assert text.endswith("'nonsense2'. And 57 more.")


def test_a_message_shows_an_address_literally(lab):
    at = open_page(**{"[click](http://evil.example)": "**x**"})
    (warning,) = at.warning
    assert "\\[click\\]\\(http\\:\\/\\/evil\\.example\\)" in warning.value


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.dictionaries(some.sampled_from([*KNOBS, "run", "x"]), some.text(max_size=50), max_size=4))
def test_no_address_breaks_the_page(lab, parameters):
    assert button(open_page(**parameters), "Start")


def test_settings_outlive_a_visit_to_another_page(lab):
    at = open_page()
    of(at.number_input, "Epochs").set_value(9).run()
    at.switch_page(RUNS_PAGE).run()
    at.query_params.clear()  # as page links do
    at.switch_page(TRAIN_PAGE).run()
    assert config_of(at).epochs == 9 and of(at.number_input, "Epochs").value == 9
    assert query(at)["epochs"] == "9"


def test_start_puts_the_run_in_the_address_and_a_second_click_nothing(lab):
    lab.gated()
    at = open_page()
    button(at, "Start").click().run()
    (job,) = lab.queue.jobs()
    assert query(at)["run"] == job.id and job.config == FAST
    assert job.owner_hash == token.owner_hash(OWNER)
    assert button(at, "Start").disabled and "exactly these settings is under way" in words(at)
    of(at.number_input, "Epochs").set_value(9).run()
    assert "The settings have changed since this run: epochs 10 → 9." in words(at)
    assert not button(at, "Start").disabled


def test_start_is_on_again_when_the_run_ends_while_the_page_is_drawn(lab, monkeypatch):
    find, looks = run_view.find_run, []

    def ends_first(id, queue, store):
        lab.gate.open()
        assert queue.job(id).join(20)
        looks.append(id)
        return find(id, queue, store)

    lab.gated()
    at = open_page()
    monkeypatch.setattr(run_view, "find_run", ends_first)
    button(at, "Start").click().run()
    assert looks and "All 10 epochs are done." in words(at)
    assert "under way" not in words(at) and not button(at, "Start").disabled


def test_a_refreshed_page_finds_the_run_and_its_settings(lab):
    run = lab.ended()
    at = open_page(run=run)
    assert config_of(at) == lab.store.load(run).config
    assert lab.store.load(run).name in words(at)


def test_a_run_deleted_in_another_tab_is_a_message(lab):
    run = lab.ended()
    at = open_page(run=run)
    lab.store.delete(run)
    at.run()
    assert not at.exception and "deleted" in words(at)


def test_no_start_before_the_browser_has_answered(lab):
    at = lab.page(browser=None)
    assert button(at, "Start").disabled and "waiting for the browser" in words(at)


def test_a_start_that_fails_is_said(lab):
    at = open_page()
    lab.queue.shutdown()
    button(at, "Start").click().run()
    assert "shutting down" in words(at) and not at.exception
