"""What is said about a run's settings and tests: true of its own settings, short where there is nothing to say."""

from __future__ import annotations

import pytest

from mnist_lab.presets import PRESETS
from mnist_lab.ui.run_text import data_text, settings_text

NOISY, FAST = PRESETS["noisy-1000"].config, PRESETS["fast"].config
DATA = {"source": "folder", "train_images": 1_000, "test_images": 10_000, "eval_name": "test"}


def test_settings_say_what_they_are_compared_with():
    assert settings_text(NOISY, "noisy-1000") == 'Preset "1,000 noisy images"'
    assert settings_text(NOISY.replace(seed=3, epochs=5), "noisy-1000") == (
        'Preset "1,000 noisy images" with Epochs: 5 · Seed: 3')
    assert settings_text(FAST.replace(epochs=3, weight_decay=1e-3), None) == (
        'Network B · BN · weight decay 1e-3 · augmented · unlike "Fast": Epochs: 3')
    assert settings_text(FAST, None) == "Network B · BN · weight decay 2e-4 · augmented"


def test_settings_that_matter_in_the_preset_alone_are_left_out():
    text = settings_text(FAST.replace(weight_decay=0.0, decay_scope="all", schedule="constant", warmup=0.5), "fast")
    assert "Decay on" not in text and "Warm-up" not in text
    assert "Weight decay (L2): 0" in text and "Schedule: Constant" in text
    assert "Decay on" not in settings_text(NOISY, None)
    assert "Decay on: All parameters" in settings_text(FAST.replace(decay_scope="all"), None)


@pytest.mark.parametrize(
    ("epochs", "every", "said"),
    [
        (30, 1, "each epoch is"),
        (1, 5, "each epoch is"),
        (30, 2, "every 2nd epoch and the last are"),
        (30, 3, "every 3rd epoch and the last are"),
        (30, 4, "every 4th epoch and the last are"),
        (30, 11, "every 11th epoch and the last are"),
        (30, 21, "every 21st epoch and the last are"),
        (200, 112, "every 112th epoch and the last are"),
        (30, 30, "the last epoch is"),
        (30, 200, "the last epoch is"),
    ],
)
def test_how_often_a_run_is_tested(epochs, every, said):
    config = NOISY.replace(epochs=epochs, eval_every=every)
    assert data_text(DATA, config) == f"1,000 training images of MNIST · {said} tested on 10,000 test images"
    held_out = data_text(DATA | {"eval_name": "validation"}, config.replace(validation=True))
    assert f"{said} tested on images held out for that (validation); the 10,000 test images are used once" in held_out
