"""A run from the first event to the last: stopped, resumed, diverged, repeated; and nothing is read on the way."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter

import pytest
import torch
from safetensors.torch import load, save
from torch.overrides import TorchFunctionMode
from torch.profiler import ProfilerActivity, profile

from mnist_lab import trainer as trainer_module
from mnist_lab import training
from mnist_lab.config import ConfigError, RunConfig
from mnist_lab.data.mnist import Mnist, load_sample
from mnist_lab.evaluation import predict_logits
from mnist_lab.events import Epoch, Finished, Started, Step, Stopped
from mnist_lab.nn.networks import build_network
from mnist_lab.trainer import Tally, Trainer
from mnist_lab.training import Checkpoint, TrainingFailed, explain_divergence, train

BASE = RunConfig(network="b", train_images=100, batch_size=32, epochs=3, learning_rate=0.05, device="cpu",
                 precision="float32")
EVERYTHING = BASE.replace(
    norm="ghost", num_splits=4, freeze_gamma=True, dropout=0.05, rotation=7, second_rotation=20, translation=0.1,
    scale=0.1, shear=5, brightness=0.1, contrast=0.1, l1=1e-4, weight_decay=1e-4, decay_scope="weights", nesterov=True,
    ema_decay=0.9, label_noise=0.2, schedule="step", step_epochs=1,
)
OTHERWISE = BASE.replace(
    network="a", dropout=0.3, l1=1e-3, l1_kind="proximal", optimizer="adamw", learning_rate=0.005, weight_decay=0.01,
    validation=True, brightness=0.2,
)
CLOCKS = {"seconds", "images_per_second"}


@pytest.fixture(scope="module")
def tiny() -> Mnist:
    """400 training and 60 test images of the bundled sample."""
    whole = load_sample()
    return dataclasses.replace(
        whole, train_images=whole.train_images[:400], train_labels=whole.train_labels[:400],
        test_images=whole.test_images[:60], test_labels=whole.test_labels[:60],
    )


@pytest.fixture(autouse=True)
def no_reports(monkeypatch):
    """`Step` events come with the clock: not here, unless a test asks for one after every step."""
    monkeypatch.setattr(training, "REPORT_SECONDS", math.inf)


def run(config, data, should_stop=lambda: False, **options):
    events = []
    return train(config, data, events.append, should_stop, **options), events


def without_clocks(history: list[dict]) -> list[dict]:
    return [{name: value for name, value in line.items() if name not in CLOCKS} for line in history]


def assert_equal_runs(a, b):
    assert (a.status, a.config) == (b.status, b.config)
    assert without_clocks(a.history) == without_clocks(b.history)
    assert a.weights.keys() == b.weights.keys()
    assert all(torch.equal(value, b.weights[name]) for name, value in a.weights.items())
    assert torch.equal(a.test_logits, b.test_logits)
    assert all(a.summary[name] == b.summary[name] for name in ("test_accuracy", "best_test_accuracy", "train_accuracy"))


def answers(run_, data) -> torch.Tensor:
    network = build_network(run_.config)
    network.load_state_dict(run_.weights)
    return predict_logits(network.to(memory_format=torch.channels_last), data.test_images)


def test_events_come_in_order_and_are_complete(tiny, monkeypatch):
    monkeypatch.setattr(training, "REPORT_SECONDS", 0)
    trained, events = run(BASE.replace(l1=1e-4), tiny)
    kinds = [type(event) for event in events]
    assert kinds == [Started, *[Step, Step, Step, Step, Epoch] * 3, Finished]
    started, steps, epochs = events[0], [e for e in events if isinstance(e, Step)], events[5:-1:5]
    assert (started.device, started.precision, started.epochs, started.first_epoch) == ("cpu", "float32", 3, 1)
    assert (started.parameters, started.trainable_parameters, started.steps_per_epoch) == (9_920, 9_920, 4)
    assert started.threads == torch.get_num_threads()
    assert started.data == {
        "source": "sample", "location": tiny.location, "checksum": tiny.checksum, "note": "", "train_images": 100,
        "test_images": 60, "eval_images": 60, "eval_name": "test", "changed_labels": 0,
    }
    assert [(s.epoch, s.step) for s in steps] == [(e, n) for e in (1, 2, 3) for n in (1, 2, 3, 4)]
    assert [s.progress for s in steps] == [number / 4 for number in range(1, 13)]
    assert all(s.images_per_second > 0 and s.seconds_left >= 0 and s.penalty > 0 and s.loss > 0 for s in steps)
    assert [dataclasses.asdict(epoch) for epoch in epochs] == trained.history
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3] and trained.status == "finished"
    assert events[-1].summary == trained.summary
    # The steps' mean losses, weighted by their images, are the epoch's.
    for epoch, four in zip(epochs, (steps[:4], steps[4:8], steps[8:]), strict=True):
        mean = (32 * (four[0].loss + four[1].loss + four[2].loss) + 4 * four[3].loss) / 100
        assert epoch.train_loss == pytest.approx(mean, rel=1e-4)
        assert epoch.penalty == pytest.approx(four[-1].penalty)


@pytest.mark.parametrize("schedule", [{}, {"schedule": "step", "step_epochs": 1}])
def test_steps_and_epochs_tell_the_learning_rates_that_were_used(tiny, monkeypatch, schedule):
    monkeypatch.setattr(training, "REPORT_SECONDS", 0)
    used, update = [], Trainer._update
    monkeypatch.setattr(Trainer, "_update", lambda self, rate: (used.append(rate), update(self, rate)))
    _, events = run(BASE.replace(**schedule), tiny)
    assert [event.learning_rate for event in events if isinstance(event, Step)] == used
    assert [event.learning_rate for event in events if isinstance(event, Epoch)] == used[3::4]


def test_the_summary_is_what_the_history_and_the_logits_say(tiny):
    trained, _ = run(BASE, tiny)
    accuracies = [line["eval_accuracy"] for line in trained.history]
    summary = trained.summary
    right = (trained.test_logits.argmax(1) == tiny.test_labels).double().mean().item()
    assert summary["test_accuracy"] == pytest.approx(100 * right) == pytest.approx(accuracies[-1])
    assert summary["best_test_accuracy"] == max(accuracies)
    assert summary["best_epoch"] == 1 + accuracies.index(max(accuracies))
    assert (summary["parameters"], summary["epochs"], summary["device"]) == (9_920, 3, "cpu")
    assert summary["train_accuracy"] == trained.history[-1]["train_accuracy"]
    assert torch.equal(trained.test_logits, answers(trained, tiny))
    assert torch.equal(trained.test_labels, tiny.test_labels)
    rates = [line["learning_rate"] for line in trained.history]
    assert rates[-1] == pytest.approx(0.05 / 250_000) and rates[0] < 0.05


def test_the_test_can_be_left_out_of_most_epochs_but_not_of_the_last(tiny):
    always, _ = run(BASE, tiny)
    seldom, events = run(BASE.replace(eval_every=2), tiny)
    assert [line["eval_accuracy"] is None for line in seldom.history] == [True, False, False]
    for line, full in zip(seldom.history, always.history, strict=True):
        tested = line["eval_accuracy"] is not None
        assert (line["eval_loss"] is not None) == tested
        assert not tested or (line["eval_loss"], line["eval_accuracy"]) == (full["eval_loss"], full["eval_accuracy"])
        assert line["train_loss"] == full["train_loss"], "testing less often must not change the training"
    assert torch.equal(seldom.test_logits, always.test_logits)
    assert seldom.summary["test_accuracy"] == always.summary["test_accuracy"]
    assert seldom.summary["best_epoch"] in (2, 3)
    assert [event.eval_accuracy is None for event in events if isinstance(event, Epoch)] == [True, False, False]


def test_a_run_stopped_after_an_epoch_without_a_test_is_tested_when_it_ends(tiny):
    asked = iter([False] * 5 + [True] * 100)  # four batches, and the first of the next epoch
    stopped, _ = run(BASE.replace(eval_every=3), tiny, should_stop=lambda: next(asked))
    assert stopped.status == "stopped" and [line["eval_accuracy"] for line in stopped.history] == [None]
    assert torch.equal(stopped.test_logits, answers(stopped, tiny))
    assert stopped.summary["test_accuracy"] is not None
    assert stopped.summary["best_test_accuracy"] is stopped.summary["best_epoch"] is None


def test_in_a_hurry_that_test_is_left_out(tiny):
    asked = iter([False] * 5 + [True] * 100)
    stopped, events = run(
        BASE.replace(eval_every=3), tiny, should_stop=lambda: next(asked), in_a_hurry=lambda: True
    )
    assert stopped.status == "stopped" and stopped.test_logits is None and stopped.weights
    assert stopped.summary["test_accuracy"] is None and stopped.summary["epochs"] == 1
    assert events[-1].summary == stopped.summary
    whole, _ = run(BASE.replace(epochs=1, validation=False), tiny, in_a_hurry=lambda: True)
    assert whole.summary["test_accuracy"] is not None, "a finished run is tested all the same"


@pytest.mark.parametrize("config", [EVERYTHING, OTHERWISE], ids=["everything", "otherwise"])
def test_the_same_seed_gives_the_same_run_and_interrupted_ones_end_alike(tiny, config):
    checkpoints: list[Checkpoint] = []
    whole, _ = run(config, tiny, on_checkpoint=checkpoints.append)
    torch.manual_seed(1234)
    assert_equal_runs(whole, run(config, tiny)[0])
    assert [checkpoint.epoch for checkpoint in checkpoints] == [1, 2, 3]
    for checkpoint in checkpoints:
        assert len(checkpoint.history) == checkpoint.epoch
        on_disk = load(save(checkpoint.tensors))
        resumed, events = run(config, tiny, resume=dataclasses.replace(checkpoint, tensors=on_disk))
        assert_equal_runs(resumed, whole)
        assert events[0].first_epoch == checkpoint.epoch + 1
        assert [event.epoch for event in events if isinstance(event, Epoch)] == list(range(checkpoint.epoch + 1, 4))
        assert resumed.summary["seconds"] > checkpoint.seconds and len(checkpoint.history) == checkpoint.epoch
    # The network in a checkpoint is the one that is trained, not its average, and it is not that of the end.
    names = {name.split(".", 1)[0] for name in checkpoints[0].tensors}
    assert names == {"model", "optimizer"} | ({"ema"} if config.ema_decay else set())
    assert not torch.equal(checkpoints[0].tensors["model.conv1.weight"], checkpoints[2].tensors["model.conv1.weight"])


def test_the_timings_of_a_resumed_run_are_those_of_all_its_sittings(tiny):
    checkpoints: list[Checkpoint] = []
    run(BASE, tiny, on_checkpoint=checkpoints.append)
    first = checkpoints[1]
    assert 0 < first.training_seconds < first.training_seconds + first.evaluating_seconds <= first.seconds
    before = {"seconds": 5_000.0, "training_seconds": 4_000.0, "evaluating_seconds": 1_000.0}
    timings = run(BASE, tiny, resume=dataclasses.replace(first, **before))[0].timings
    assert timings.keys() == before.keys() and all(0 < timings[name] - before[name] < 900 for name in before)


def test_the_time_left_of_a_resumed_run_counts_a_test_as_those_before_it(tiny, monkeypatch):
    monkeypatch.setattr(training, "REPORT_SECONDS", 0)
    checkpoints: list[Checkpoint] = []
    run(BASE, tiny, on_checkpoint=checkpoints.append)
    _, events = run(BASE, tiny, resume=dataclasses.replace(checkpoints[1], evaluating_seconds=1_000.0))
    left = [event.seconds_left for event in events if isinstance(event, Step)]
    assert left == pytest.approx([500] * 4, abs=100), "a mean test of the first two epochs is to come"


def test_another_seed_gives_another_run(tiny):
    config = BASE.replace(epochs=1)
    a, b = run(config, tiny)[0], run(config.replace(seed=1), tiny)[0]
    assert not torch.equal(a.weights["conv1.weight"], b.weights["conv1.weight"])
    assert a.history[0]["train_loss"] != b.history[0]["train_loss"]


@pytest.fixture
def steps(monkeypatch):
    """A list that grows with every step of every trainer."""
    done: list[int] = []
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *arguments: (done.append(1), step(*arguments))[1])
    return done


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_stop_in_the_first_epoch_leaves_no_weights(tiny, steps, after):
    trained, events = run(BASE, tiny, lambda: len(steps) >= after)
    assert len(steps) == after, "not one more batch"
    assert [type(event) for event in events] == [Started, Stopped]
    assert (trained.status, trained.history, trained.weights, trained.test_logits) == ("stopped", [], {}, None)
    assert trained.summary["test_accuracy"] is None and trained.summary["epochs"] == 0
    assert trained.summary["parameters"] == 9_920


@pytest.mark.parametrize("config", [BASE, EVERYTHING, BASE.replace(validation=True)], ids=["plain", "average", "valid"])
@pytest.mark.parametrize("after", [4, 6, 10])
def test_a_later_stop_keeps_the_last_finished_epoch(tiny, steps, config, after):
    """Four steps an epoch; after exactly four the stop is seen while the first epoch is evaluated, or just after."""
    finished: list[Checkpoint] = []
    trained, events = run(config, tiny, lambda: len(steps) >= after and len(finished) >= after // 4,
                          on_checkpoint=finished.append)
    assert len(steps) == after and [type(e) for e in events] == [Started, *[Epoch] * (after // 4), Stopped]
    assert trained.status == "stopped" and trained.summary["epochs"] == len(trained.history) == after // 4
    kept = finished[-1].tensors
    prefix = "ema." if config.ema_decay else "model."
    assert all(torch.equal(value, kept[prefix + name]) for name, value in trained.weights.items())
    assert torch.equal(trained.test_logits, answers(trained, tiny))
    assert events[-1].summary == trained.summary


def test_a_stop_while_evaluating_does_not_count_the_epoch(tiny, steps):
    trained, _ = run(BASE, tiny, lambda: len(steps) == 4)
    assert (trained.status, trained.history, trained.weights) == ("stopped", [], {})
    trained, _ = run(BASE, tiny, lambda: len(steps) == 4 + 8)
    assert trained.summary["epochs"] == 1 and torch.equal(trained.test_logits, answers(trained, tiny))


def test_a_resumed_run_that_is_stopped_at_once_still_knows_its_answers(tiny):
    checkpoints: list[Checkpoint] = []
    run(EVERYTHING, tiny, on_checkpoint=checkpoints.append)
    stopped, events = run(EVERYTHING, tiny, lambda: True, resume=checkpoints[1])
    assert [type(event) for event in events] == [Started, Stopped] and stopped.summary["epochs"] == 2
    assert torch.equal(stopped.test_logits, answers(stopped, tiny))
    assert torch.equal(stopped.weights["conv1.weight"], checkpoints[1].tensors["ema.conv1.weight"])


@pytest.fixture
def predictions(monkeypatch):
    """How many images were answered, call by call."""
    asked: list[int] = []

    def counted(module, images, *arguments, **options):
        asked.append(len(images))
        return predict_logits(module, images, *arguments, **options)

    monkeypatch.setattr(trainer_module, "predict_logits", counted)
    return asked


def test_with_a_validation_set_the_test_set_is_used_once_at_the_end(tiny, predictions):
    trained, events = run(BASE.replace(validation=True), tiny)
    assert predictions == [50, 50, 50, 60], "an eighth of 400 each epoch, and the 60 test images"
    assert {line["eval_name"] for line in trained.history} == {"validation"} == {trained.summary["eval_name"]}
    assert trained.summary["best_test_accuracy"] is None and trained.summary["best_epoch"] is None
    assert trained.summary["test_accuracy"] is not None and len(trained.test_logits) == 60
    assert events[0].data["eval_images"] == 50 and events[0].data["eval_name"] == "validation"


def test_without_one_the_test_set_is_used_every_epoch_and_not_once_more(tiny, predictions):
    run(BASE, tiny)
    assert predictions == [60, 60, 60]


def test_noise_splits_train_accuracy_from_true_accuracy(tiny):
    clean, events = run(BASE, tiny)
    assert all(line["train_accuracy"] == line["train_accuracy_true"] for line in clean.history)
    noisy, events = run(BASE.replace(train_images=400, label_noise=0.5, epochs=6), tiny)
    assert events[0].data["changed_labels"] == 200
    last = noisy.history[-1]
    assert last["train_accuracy_true"] > last["train_accuracy"] + 5, "it learns the digits, not the noise, at first"


def test_the_data_loss_is_reported_without_the_penalty(tiny):
    one_step = BASE.replace(batch_size=128, epochs=1)
    plain = run(one_step, tiny)[0].history[0]
    for kind in ("subgradient", "proximal"):
        config = one_step.replace(l1=0.01, l1_kind=kind)
        trained = run(config, tiny)[0]
        line = trained.history[0]
        assert line["train_loss"] == plain["train_loss"], "before the only step, the weights are the same"
        parameters = {name for name, _ in build_network(config).named_parameters()}
        after = sum(value.abs().sum().item() for name, value in trained.weights.items() if name in parameters)
        assert line["penalty"] == pytest.approx(0.01 * after, rel=1e-4)
    assert plain["penalty"] == 0


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_reported_weights_are_those_that_are_kept(tiny, decay):
    config = BASE.replace(l1=0.02, l1_kind="proximal", epochs=4, schedule="constant", ema_decay=decay)
    trained, _ = run(config, tiny)
    weights = torch.cat([value.flatten() for value in trained.weights.values() if value.ndim == 4])
    line = trained.history[-1]
    assert line["zero_weights"] == (weights == 0).double().mean() > 0.02
    assert line["small_weights"] == (weights.abs() < 1e-3).double().mean() >= line["zero_weights"]
    assert sum(sum(each["counts"]) for each in line["histograms"].values()) == len(weights)


WILD = BASE.replace(learning_rate=10.0, schedule="constant", batch_size=16)


@pytest.mark.parametrize(("knobs", "words"), [
    ({}, "such as 1 instead of 10."),
    (dict(weight_decay=1.0), "The penalty is very strong"),
    (dict(optimizer="adamw"), "AdamW needs smaller steps than SGD"),
    (dict(optimizer="adamw", norm="none"), "Without a norm layer this network needs a lower learning rate"),
])
@pytest.mark.parametrize("report_seconds", [0, math.inf])
def test_a_run_that_diverges_fails_with_the_cause(tiny, monkeypatch, report_seconds, knobs, words):
    monkeypatch.setattr(training, "REPORT_SECONDS", report_seconds)
    events = []
    with pytest.raises(TrainingFailed, match=words) as caught:
        train(WILD.replace(**knobs), tiny, events.append, lambda: False)
    # Seven steps an epoch: with reports it is seen on the way, without at the end of an epoch.
    step = int(str(caught.value).split(", step ")[1].split(":")[0])
    assert step == 7 if report_seconds else step < 7
    assert not any(isinstance(event, Finished) for event in events)


def test_nan_that_shows_only_in_the_evaluation_fails_too(tiny, monkeypatch):
    monkeypatch.setattr(Trainer, "predict", lambda *_: torch.full((60, 10), math.nan))
    with pytest.raises(TrainingFailed, match=r"stopped being a number in epoch 1, step 4:"):
        run(BASE, tiny)


@pytest.mark.parametrize(("knobs", "loss", "words"), [
    (dict(l1=0.5), math.nan, "The penalty is very strong: try a tenth of the L1 lambda"),
    (dict(weight_decay=1.0, learning_rate=0.2), math.nan, "try a tenth of the weight decay."),
    (dict(l1=0.5, weight_decay=1.0, learning_rate=0.2), math.nan, "a tenth of the L1 lambda and of the weight decay."),
    (dict(norm="none", learning_rate=0.5), math.inf, "Without a norm layer this network needs a lower learning rate"),
    (dict(optimizer="adamw", learning_rate=0.1), math.nan, "AdamW needs smaller steps than SGD"),
    (dict(learning_rate=5.0), 1234.5, "such as 0.5 instead of 5."),
    (dict(optimizer="adamw", learning_rate=0.01), math.nan, "such as 0.001 instead of 0.01."),
])
def test_every_cause_has_its_words(knobs, loss, words):
    text = explain_divergence(BASE.replace(**knobs), 3, 17, loss)
    assert words in text and "in epoch 3, step 17:" in text and text.endswith(".")
    assert text.startswith("The loss grew to 1,234 " if loss == 1234.5 else "The loss stopped being a number ")


def test_more_images_than_there_are_is_said_before_anything_starts(tiny):
    events = []
    with pytest.raises(ValueError, match="Choose at most 400, or all"):
        train(BASE.replace(train_images=401), tiny, events.append, lambda: False)
    with pytest.raises(ValueError, match="Choose at most 350, or all"):
        train(BASE.replace(train_images=351, validation=True), tiny, events.append, lambda: False)
    assert events == []


def test_a_device_that_is_not_there_is_said(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="cuda"):
        run(BASE.replace(device="cuda"), tiny)


READS = ("aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero", "aten::masked_select",
         "aten::equal")
ASKS = {"item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__", "__array__"}


class Reads(TorchFunctionMode):
    """Counts the calls from Python that hand a tensor's value to the host: of `tolist` a profiler sees nothing."""

    def __init__(self):
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_function__(self, function, types, arguments=(), options=None):
        if getattr(function, "__name__", "") in ASKS:
            self.calls[function.__name__] += 1
        return function(*arguments, **(options or {}))


def reads_in_an_epoch(config: RunConfig, images: int) -> tuple[Counter[str], int]:
    """What the steps of an epoch read back, and how many there were."""
    config = config.replace(train_images=images, batch_size=32)
    trainer = Trainer(config, training.make_regime(config, load_sample()), torch.device("cpu"), "float32")
    tally = Tally(trainer.device)
    trainer.step(next(iter(trainer.batches(1))), tally)  # the first step makes the optimizer's state
    with profile(activities=[ProfilerActivity.CPU]) as profiler, Reads() as python:
        for number, batch in enumerate(trainer.batches(2), start=1):  # noqa: B007
            trainer.step(batch, tally)
    counts = Counter({event.key: event.count for event in profiler.key_averages()})
    assert counts["aten::convolution"] or counts["aten::conv2d"], "the profiler saw the steps"
    return Counter({name: counts[name] for name in READS if counts[name]}) + python.calls, number


@pytest.mark.parametrize("change", [
    {}, dict(l1_kind="proximal", dropout=0.3, network="a"), dict(norm="batch", momentum=0.0, nesterov=False),
    dict(norm="none", schedule="one-cycle"),
], ids=["everything", "proximal", "batch", "none"])
def test_no_scalar_is_read_per_step(change, monkeypatch):
    monkeypatch.setattr(trainer_module, "TALLIED", 3)
    config = EVERYTHING.replace(**change)
    few, few_steps = reads_in_an_epoch(config, 100)
    many, many_steps = reads_in_an_epoch(config, 380)
    assert (few_steps, many_steps) == (4, 12)
    assert not few and not many, (few, many)


def test_adamw_reads_nothing_but_its_own_counters():
    """On a CPU PyTorch's AdamW reads each parameter's step count, which is in the host's memory anyway."""
    config = EVERYTHING.replace(optimizer="adamw", learning_rate=0.003)
    found, steps = reads_in_an_epoch(config, 100)
    trained = sum(p.requires_grad for p in build_network(config).parameters())
    assert set(found) <= {"aten::_local_scalar_dense", "aten::item"}
    assert set(found.values()) <= {steps * trained}


@pytest.mark.parametrize(("report_seconds", "an_epoch"), [(math.inf, 1), (0, 5)])
def test_the_tally_is_read_at_reports_and_once_an_epoch(tiny, monkeypatch, report_seconds, an_epoch):
    monkeypatch.setattr(training, "REPORT_SECONDS", report_seconds)
    reads = []
    read = Tally.read
    monkeypatch.setattr(Tally, "read", lambda *arguments: (reads.append(1), read(*arguments))[1])
    _, events = run(BASE, tiny)
    assert len(reads) == 3 * an_epoch
    assert sum(isinstance(event, Step) for event in events) == len(reads) - 3


@pytest.mark.parametrize(("network", "norm"), [("a", "batch"), ("b", "ghost")])
def test_both_networks_learn(network, norm):
    """1,500 digits, four epochs: chance is 10 %."""
    config = RunConfig(
        network=network, norm=norm, train_images=1_500, batch_size=64, epochs=4, dropout=0.01, device="cpu"
    )
    trained, _ = run(config, load_sample())
    losses = [line["train_loss"] for line in trained.history]
    assert trained.summary["test_accuracy"] > 80
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.6
