"""Class mode and its limits, as the environment says them."""

from __future__ import annotations

import pytest

from mnist_lab.classroom.limits import Limits, from_environment, is_on
from mnist_lab.config import RunConfig
from mnist_lab.presets import PRESETS
from mnist_lab.runs.record import RunError


@pytest.mark.parametrize(("text", "on"), [
    ("1", True), ("true", True), (" Yes ", True), ("", False), ("0", False), ("off", False), (None, False),
])
def test_class_mode_is_a_variable(monkeypatch, text, on):
    monkeypatch.delenv("MNIST_LAB_CLASS", raising=False)
    if text is not None:
        monkeypatch.setenv("MNIST_LAB_CLASS", text)
    assert is_on() is on


def test_a_value_that_says_neither_is_refused(monkeypatch):
    monkeypatch.setenv("MNIST_LAB_CLASS", "perhaps")
    with pytest.raises(RunError, match="MNIST_LAB_CLASS must be 1 or 0, not 'perhaps'"):
        is_on()


@pytest.mark.parametrize("name", vars(Limits()))
def test_every_limit_has_its_variable(monkeypatch, name):
    variable = f"MNIST_LAB_CLASS_{name.upper()}"
    monkeypatch.setenv(variable, "7")
    assert from_environment() == Limits(**{name: 7})
    for bad in ("0", "-3", "1.5", "many", "²"):
        monkeypatch.setenv(variable, bad)
        with pytest.raises(RunError, match=f"{variable} must be a whole number above 0"):
            from_environment()


def test_what_is_too_much_is_said_at_its_knob():
    limits = Limits(epochs=10, images=1_000)
    assert limits.problems(RunConfig(epochs=10, train_images=1_000)) == {}
    assert "at most 10 epochs" in limits.problems(RunConfig(epochs=11, train_images=1_000))["epochs"]
    for images in (1_001, "all"):
        wrong = limits.problems(RunConfig(epochs=10, train_images=images))
        assert list(wrong) == ["train_images"] and "at most 1,000 training images" in wrong["train_images"]
    assert Limits(images=60_000).problems(RunConfig(train_images="all")) == {}


def test_the_noisy_preset_is_for_a_class_as_it_is():
    assert Limits().problems(PRESETS["noisy-1000"].config) == {}
