"""What is said of a run that does not learn. The histories are those of real runs on 5,000 images, shortened."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

import fake_training

from mnist_lab.config import RunConfig
from mnist_lab.events import Finished
from mnist_lab.ui.hints import not_learning
from mnist_lab.ui.run_model import Progress

STARTED = replace(fake_training.started_event(), trainable_parameters=9_752, steps_per_epoch=40)
NO_NORM = RunConfig(norm="none", learning_rate=0.3)
NAMES = ("train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "weight_norm", "small_weights")
DEAD = [(2.3098, 11.9, 2.3026, 9.8, 38.40, 0.005), *[(2.3026, 10.0, 2.3026, 9.8, 39.39, 0.006)] * 2]
DYING = [(2.3025, 12.2, 2.3023, 16.8, 6.03, 0.01), (2.3016, 11.7, 2.3, 11.5, 7.13, 0.01),
         (2.3015, 11.0, 2.304, 10.1, 15.2, 0.01)]
SLOW = [(2.3026, 10.0, 2.3026, 9.7, 6.0288, 0.014), *[(2.3026, 10.1, 2.3026, 9.8, 6.0286, 0.014)] * 4]
TINY_STEPS = [*[(2.3380, 6.3, 2.33, 7.2, 10.9703, 0.014)] * 3]
PULLED = [(2.2136, 24.4, 2.3028, 10.1, 6.36, 0.25), *[(2.2953, 16.2, 2.3026, 11.4, 2.71, 0.49)] * 2]
DECAYED = [(2.2865, 19.3, 2.3026, 10.1, 1.5, 0.08), *[(2.3025, 10.7, 2.3026, 9.8, 0.18, 0.71)] * 2]
LEARNING = [(1.9, 35.0, 1.2, 62.0, 7.0, 0.01), (0.6, 80.0, 0.4, 88.0, 8.0, 0.01), (0.3, 91.0, 0.25, 92.0, 9.0, 0.01)]


def run(lines, started=STARTED, ended=True, **changes) -> Progress:
    """A run with such epochs."""
    history = tuple(
        vars(fake_training.epoch_event(number)) | dict(zip(NAMES, line, strict=True))
        | {"train_accuracy_true": line[1]} | changes
        for number, line in enumerate(lines, 1)
    )
    return Progress(started=started, history=history, last=Finished(summary={}) if ended else None)


@pytest.mark.parametrize("lines", [DEAD, DYING])
@pytest.mark.parametrize("ended", [True, False])
def test_a_dead_network(lines, ended):
    text = not_learning(run(lines, ended=ended), NO_NORM)
    assert text.startswith("**The network is not learning.** It reads ") and "guessing gives 10 %" in text
    assert text.endswith("Choose batch norm, or a lower learning rate, such as 0.03 instead of 0.3.")


def test_the_loss_is_named_where_it_is_that_of_guessing():
    assert "test loss, 2.303, is that of ten equal chances (ln 10 = 2.303)" in not_learning(run(DEAD), NO_NORM)
    far = run([(*line[:2], 7.5, *line[3:]) for line in DEAD])
    assert "ln 10" not in not_learning(far, NO_NORM)


def test_with_a_norm_it_is_the_learning_rate():
    text = not_learning(run(DEAD), RunConfig(norm="batch", learning_rate=5.0))
    assert text.endswith("try a lower learning rate, such as 0.5 instead of 5.")


def test_steps_without_effect_are_not_called_too_large():
    text = not_learning(run(SLOW), NO_NORM.replace(learning_rate=0.01))
    assert "hardly moved" in text and text.endswith("choose batch norm, or more epochs.")
    text = not_learning(run(TINY_STEPS), RunConfig(learning_rate=1e-6))
    assert text.endswith("try a higher learning rate, such as 1e-5 instead of 1e-6.")


@pytest.mark.parametrize(("lines", "penalty", "tries"), [
    (PULLED, {"l1": 0.1}, "try an L1 lambda of 0.01 instead of 0.1."),
    (DECAYED, {"weight_decay": 1.0}, "try a weight decay of 0.1 instead of 1."),
    (DECAYED, {"weight_decay": 1.0, "l1": 1e-3},
     "try an L1 lambda of 1e-4 instead of 1e-3 or a weight decay of 0.1 instead of 1."),
])
def test_a_penalty_that_is_too_strong(lines, penalty, tries):
    text = not_learning(run(lines), RunConfig(**penalty))
    assert "pulled its weights to almost nothing" in text and text.endswith(tries)


def test_a_penalty_is_not_blamed_for_weights_that_have_grown():
    assert "penalty" not in not_learning(run(DEAD), NO_NORM.replace(weight_decay=1e-4))


def test_what_was_learned_and_lost():
    text = not_learning(run([*LEARNING[:2], *DEAD]), NO_NORM)
    assert text.startswith("**The network has lost what it had learned.** It reads 9.8 % of the test digits")
    assert "after epoch 5 and read 88.0 % after epoch 2." in text


def test_few_steps_are_no_fault_of_the_settings():
    few = replace(STARTED, steps_per_epoch=1)
    assert not_learning(run(SLOW, few, ended=False), NO_NORM) is None, "it may still begin"
    text = not_learning(run(SLOW, few), NO_NORM)
    assert "only 5 steps (batches): choose more epochs" in text and "learning rate" not in text


def test_nothing_is_said_of_a_run_that_learns():
    assert not_learning(run(LEARNING), NO_NORM) is None
    assert not_learning(run([*DEAD, *LEARNING]), NO_NORM) is None
    assert not_learning(Progress(), NO_NORM) is None
    # 60 % of the labels are wrong: a loss near 2 is then as good as it gets, and the true labels tell.
    noisy = run([(2.27, 22.0, 1.9, 15.0, 12.0, 0.01)], train_accuracy_true=41.0)
    assert not_learning(noisy, RunConfig(label_noise=0.6)) is None


numbers = st.floats(0, 100)


@given(st.lists(st.tuples(*[numbers] * 6), max_size=3), st.sampled_from(["none", "batch"]), st.floats(0, 1))
def test_whatever_the_numbers(lines, norm, penalty):
    text = not_learning(run(lines), RunConfig(norm=norm, l1=penalty))
    assert text is None or (lines[-1][0] > 2.25 and lines[-1][3] < 20 and text.endswith("."))
