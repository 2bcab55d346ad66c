"""The sentences under the charts: true of the numbers, from the first epoch to the last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.ui.takeaways import (
    NO_EPOCH,
    takeaway_accuracy,
    takeaway_learning_rate,
    takeaway_loss,
    takeaway_weights,
)

RECORD = {
    "epoch": 1,
    "train_loss": 0.412,
    "penalty": 0.0,
    "train_accuracy": 96.0,
    "train_accuracy_true": 96.0,
    "eval_loss": 0.45,
    "eval_accuracy": 95.9,
    "eval_name": "test",
    "learning_rate": 0.1,
    "weight_norm": 10.0,
    "small_weights": 0.042,
    "zero_weights": 0.0,
}
ZEROS = {
    **dict.fromkeys(RECORD, 0.0),
    "epoch": 1,
    "eval_name": "validation",
}


def record(**changes):
    """One record; the true-label accuracy follows the train accuracy, as without label noise."""
    changes.setdefault("train_accuracy_true", changes.get("train_accuracy", RECORD["train_accuracy"]))
    return {**RECORD, **changes}


def run(**columns):
    """A history from one list per key."""
    length = len(next(iter(columns.values())))
    return [record(epoch=i + 1, **{key: values[i] for key, values in columns.items()}) for i in range(length)]


ALL = [takeaway_loss, takeaway_accuracy, takeaway_learning_rate, takeaway_weights]


@pytest.mark.parametrize("takeaway", ALL)
def test_before_the_first_epoch(takeaway):
    assert takeaway([]) == NO_EPOCH


@pytest.mark.parametrize("takeaway", ALL)
@pytest.mark.parametrize("history", [[RECORD], [ZEROS], [ZEROS, {**ZEROS, "epoch": 2}]], ids=["one", "zero", "zeros"])
def test_one_sentence_whatever_the_numbers(takeaway, history):
    sentence = takeaway(history)
    assert sentence[0].isupper() and sentence.endswith(".") and ". " not in sentence


numbers = st.floats(0, 100)
histories = st.lists(
    st.fixed_dictionaries(
        {key: numbers for key, value in RECORD.items() if isinstance(value, float)}
        | {"eval_loss": numbers | st.none(), "eval_name": st.sampled_from(["test", "validation"])}
    ),
    max_size=4,
).map(lambda rows: [
    # Both are measured, or neither.
    {**row, "epoch": i + 1, "eval_accuracy": None if row["eval_loss"] is None else row["eval_accuracy"]}
    for i, row in enumerate(rows)
])


@given(histories)
def test_any_history_gives_a_sentence(history):
    for takeaway in ALL:
        assert takeaway(history).endswith(".")


def test_they_speak_of_the_last_test():
    untested = record(epoch=3, eval_loss=None, eval_accuracy=None)
    history = [record(epoch=2), untested]
    for takeaway in (takeaway_loss, takeaway_accuracy):
        assert takeaway(history) == takeaway(history[:1])
        assert takeaway([untested]) == "The network has not been tested yet."


class TestLoss:
    def test_one_epoch(self):
        assert takeaway_loss([RECORD]) == "After epoch 1 the train loss is 0.412 and the test loss 0.45."

    def test_penalty_is_apart_and_only_where_there_is_one(self):
        assert "plus an L1 penalty of 0.21" in takeaway_loss([record(penalty=0.21)])
        assert "penalty" not in takeaway_loss([record(penalty=0.0)])

    def test_overfitting(self):
        history = run(train_loss=[1.0, 0.5, 0.2, 0.1, 0.1], eval_loss=[0.9, 0.6, 0.7, 0.9, 0.9])
        assert takeaway_loss(history).endswith(
            "the test loss was lowest after epoch 2 (0.6) and has risen since while the train loss fell: overfitting."
        )

    def test_a_wobble_is_not_overfitting(self):
        assert "overfitting" not in takeaway_loss(run(train_loss=[0.5, 0.4], eval_loss=[0.60, 0.62]))

    def test_jumps_are_not_overfitting(self):
        losses = [2.2, 1.4, 1.2, 1.6, 1.5, 1.3, 3.1, 0.85, 1.65]
        sentence = takeaway_loss(run(train_loss=[2 - 0.05 * n for n in range(9)], eval_loss=losses))
        assert "overfitting" not in sentence and "lowest after epoch 8 (0.85)" in sentence

    def test_both_rising_is_not_overfitting(self):
        assert "overfitting" not in takeaway_loss(run(train_loss=[0.5, 0.7], eval_loss=[0.6, 0.9]))

    def test_still_falling(self):
        assert takeaway_loss(run(train_loss=[0.5, 0.4], eval_loss=[0.6, 0.5])).endswith("; both are still falling.")

    def test_lower_than_train_says_why(self):
        assert "dropout and augmentation" in takeaway_loss([record(eval_loss=0.2)])

    def test_lower_than_train_with_noisy_labels_says_why(self):
        assert "noisy labels make" in takeaway_loss([record(eval_loss=0.2, train_accuracy_true=99.0)])

    def test_validation_is_called_so(self):
        assert "the validation loss 0.45" in takeaway_loss([record(eval_name="validation")])


class TestAccuracy:
    def test_no_gap(self):
        sentence = takeaway_accuracy([record(train_accuracy=99.31, eval_accuracy=99.22)])
        assert sentence.startswith("Train accuracy is 99.31 % and test accuracy 99.22 %: no gap")

    def test_small_gap(self):
        sentence = takeaway_accuracy([record(train_accuracy=99.6, eval_accuracy=99.0)])
        assert "0.6 points above" in sentence and "small generalization gap" in sentence

    def test_overfitting(self):
        sentence = takeaway_accuracy([record(train_accuracy=99.8, eval_accuracy=96.7)])
        assert sentence.startswith("Train accuracy is 99.80 %, 3.1 points above test accuracy (96.7 %)")
        assert "overfitting" in sentence

    def test_an_early_gap_is_not_overfitting(self):
        sentence = takeaway_accuracy([record(train_accuracy=51.3, eval_accuracy=18.3)])
        assert sentence.endswith("It has not learned its training images yet, so with more epochs the gap may close.")
        assert "33.0 points above" in sentence and "overfitting" not in sentence

    def test_few_test_images_prove_no_gap(self):
        history = [record(train_accuracy=98.0, eval_accuracy=97.0)]
        assert "overfitting" in takeaway_accuracy(history, eval_images=10_000)
        assert "no gap" in takeaway_accuracy(history, eval_images=1_000)

    def test_above_train_says_why(self):
        sentence = takeaway_accuracy([record(train_accuracy=97.7, eval_accuracy=98.9)])
        assert sentence.startswith("Test accuracy is 98.9 %, 1.2 points above train accuracy (97.7 %)")
        assert "still learns" in sentence and "dropout and augmentation" in sentence

    def test_memorized_noise(self):
        sentence = takeaway_accuracy([record(train_accuracy=84.1, train_accuracy_true=80.2, eval_accuracy=79.3)])
        assert sentence.startswith(
            "Train accuracy (on the noisy labels) is 84.1 %, against the true labels 80.2 %, and test accuracy 79.3 %"
        )
        assert "by heart" in sentence

    def test_resisted_noise(self):
        sentence = takeaway_accuracy([record(train_accuracy=70.0, train_accuracy_true=93.0, eval_accuracy=92.0)])
        assert "follows the true labels" in sentence and "by heart" not in sentence

    def test_noise_is_remembered_when_the_last_epoch_ties(self):
        history = [record(train_accuracy_true=97.0), record(epoch=2)]
        assert "noisy labels" in takeaway_accuracy(history)

    def test_guessing(self):
        assert "no better than guessing" in takeaway_accuracy([record(train_accuracy=11.2, eval_accuracy=9.8)])

    def test_guessing_with_noisy_labels(self):
        history = [record(train_accuracy=10.3, train_accuracy_true=10.1, eval_accuracy=9.8)]
        assert "no better than guessing" in takeaway_accuracy(history)


class TestLearningRate:
    def test_one_epoch(self):
        assert takeaway_learning_rate([RECORD]) == "The learning rate is 0.1 after epoch 1."

    def test_constant(self):
        assert takeaway_learning_rate(run(learning_rate=[0.01] * 5)) == "The learning rate is constant at 0.01."

    def test_falling(self):
        sentence = takeaway_learning_rate(run(learning_rate=[0.1, 0.1, 0.05]))
        assert sentence == "The learning rate has fallen from 0.1 to 0.05 after epoch 3."

    def test_rising(self):
        sentence = takeaway_learning_rate(run(learning_rate=[0.01, 0.1]))
        assert sentence == "The learning rate has risen from 0.01 to 0.1 after epoch 2."

    def test_past_the_peak_inside_an_epoch(self):
        steps = [{"epoch": 0.5, "learning_rate": 0.02}, {"epoch": 1.5, "learning_rate": 0.15}]
        sentence = takeaway_learning_rate(run(learning_rate=[0.1, 0.1, 0.001]), steps)
        assert sentence == "The learning rate rose to 0.15 at epoch 1.5 and is 0.001 after epoch 3."


class TestWeights:
    def test_one_epoch(self):
        assert takeaway_weights([RECORD]) == (
            "After epoch 1 the weight norm is 10; "
            "4.2 % of the convolution weights are smaller than 0.001 in size, none exactly zero."
        )

    @pytest.mark.parametrize(("end", "word"), [(12.0, "grown"), (8.0, "shrunk")])
    def test_trend(self, end, word):
        sentence = takeaway_weights(run(weight_norm=[10.0, end]))
        assert sentence.startswith(f"The weight norm has {word} from 10 (epoch 1) to {end:.3g} (epoch 2)")

    def test_exact_zeros(self):
        assert "1.5 % exactly zero" in takeaway_weights([record(zero_weights=0.015)])
