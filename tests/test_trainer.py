"""A step of the trainer is the step of a loop written by hand, and its schedules are PyTorch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mnist_lab import trainer as trainer_module
from mnist_lab.config import RunConfig
from mnist_lab.data.augment import normalise, to_unit
from mnist_lab.data.mnist import load_sample
from mnist_lab.data.regime import make_regime
from mnist_lab.nn.block import Block
from mnist_lab.nn.networks import build_network
from mnist_lab.trainer import Batch, Counts, Tally, Trainer, learning_rate_at

CPU = torch.device("cpu")


def make(**knobs) -> Trainer:
    config = RunConfig(**{"train_images": 100, "batch_size": 32, "epochs": 2, **knobs})
    return Trainer(config, make_regime(config, load_sample()), CPU, "float32")


def rates(config: RunConfig, steps_per_epoch: int) -> list[float]:
    return [learning_rate_at(config, step, steps_per_epoch) for step in range(config.epochs * steps_per_epoch)]


def torchs_rates(scheduler_of, steps: int, rate: float, every: int = 1) -> list[float]:
    """What a PyTorch scheduler sets for each of so many steps, when it is asked after every `every` of them."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)
    scheduler = scheduler_of(optimizer)
    found = []
    for step in range(1, steps + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % every == 0 and step < steps:
            scheduler.step()
    return found


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 9), st.floats(0.01, 0.9), st.floats(1e-4, 2))
@example(1, 1, 0.25, 0.1)
@example(1, 2, 0.25, 0.1)
@example(2, 1, 0.9, 0.1)
@example(3, 1, 0.25, 0.1)
@example(4, 1, 0.3, 0.1)
@example(6, 469, 0.25, 0.15)
def test_one_cycle_is_pytorchs(epochs, steps_per_epoch, warmup, rate):
    total = epochs * steps_per_epoch
    if warmup * total == 1:
        return  # PyTorch divides by zero here; see the next test
    config = RunConfig(epochs=epochs, schedule="one-cycle", warmup=warmup, learning_rate=rate)

    def scheduler(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=total, pct_start=warmup, cycle_momentum=False
        )

    assert rates(config, steps_per_epoch) == pytest.approx(torchs_rates(scheduler, total, rate), rel=1e-6)


def test_one_cycle_whose_warm_up_is_one_step_starts_at_the_top():
    found = rates(RunConfig(epochs=4, warmup=0.25, learning_rate=0.2), 1)
    assert found[0] == 0.2 and found == sorted(found, reverse=True) and found[-1] == pytest.approx(0.2 / 250_000)


@settings(max_examples=20)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 13), st.floats(0.01, 1.0), st.floats(1e-4, 2))
def test_steps_are_pytorchs(epochs, steps_per_epoch, step_epochs, factor, rate):
    config = RunConfig(
        epochs=epochs, schedule="step", step_epochs=step_epochs, step_factor=factor, learning_rate=rate
    )

    def scheduler(optimizer):
        return torch.optim.lr_scheduler.StepLR(optimizer, step_epochs, factor)

    expected = torchs_rates(scheduler, epochs * steps_per_epoch, rate, every=steps_per_epoch)
    assert rates(config, steps_per_epoch) == pytest.approx(expected, rel=1e-9)


def test_constant_is_constant():
    assert set(rates(RunConfig(schedule="constant", learning_rate=0.03, epochs=3), 5)) == {0.03}


def seen(trainer: Trainer, epoch: int) -> list[torch.Tensor]:
    """The images of each batch, as bytes again."""
    return [
        (batch.images * 0.3081 + 0.1307).mul(255).round().to(torch.uint8).squeeze(1)
        for batch in trainer.batches(epoch)
    ]


@pytest.mark.parametrize(("batch_size", "sizes"), [
    (32, [32, 32, 32, 4]), (50, [50, 50]), (128, [100]), (33, [33, 33, 33, 1]),
])
def test_every_image_comes_once_with_its_labels_and_the_last_batch_may_be_short(batch_size, sizes):
    trainer = make(batch_size=batch_size, label_noise=0.5)
    batches = list(trainer.batches(1))
    assert [len(batch.images) for batch in batches] == sizes and trainer.steps_per_epoch == len(sizes)
    images, labels, true_labels = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    known = normalise(to_unit(trainer.images))
    # Which training image each one is: all 100 are different.
    which = (images.flatten(1)[:, None] == known.flatten(1)[None]).all(2).nonzero()
    assert len(which) == 100 and sorted(which[:, 1].tolist()) == list(range(100))
    assert torch.equal(labels, trainer.labels[which[:, 1]])
    assert torch.equal(true_labels, trainer.true_labels[which[:, 1]])
    assert (labels != true_labels).sum() == 50


def test_blocks_of_many_small_batches_keep_all_images():
    trainer = make(train_images=3_000, batch_size=16)
    sizes = [len(batch.labels) for batch in trainer.batches(1)]
    assert sizes == [16] * 187 + [8]
    assert sorted(torch.cat([batch.labels for batch in trainer.batches(1)]).tolist()) == sorted(trainer.labels.tolist())


def test_the_order_depends_on_seed_and_epoch_alone():
    first = seen(make(seed=1), 1)
    other_arm = make(seed=1, norm="ghost", dropout=0.3, l1=0.1, network="a", optimizer="adamw", learning_rate=0.01)
    list(other_arm.batches(2))
    assert all(torch.equal(a, b) for a, b in zip(first, seen(other_arm, 1), strict=True))
    assert not torch.equal(first[0], seen(make(seed=1), 2)[0])
    regime = make_regime(RunConfig(train_images=100, seed=1), load_sample())  # the same images in another order
    other = Trainer(RunConfig(train_images=100, batch_size=32, seed=2), regime, CPU, "float32")
    assert not torch.equal(first[0], seen(other, 1)[0])


def test_augmentation_depends_on_seed_and_epoch_alone_and_changes_images():
    turned = make(rotation=20.0, seed=3)
    a = torch.cat([batch.images for batch in turned.batches(1)])
    b = torch.cat([batch.images for batch in make(rotation=20.0, seed=3, norm="none", dropout=0.2).batches(1)])
    c = torch.cat([batch.images for batch in turned.batches(2)])
    assert torch.equal(a, b) and not torch.equal(a, torch.cat([x.images for x in make(seed=3).batches(1)]))
    assert not torch.allclose(a.mean((1, 2, 3)).sort()[0], c.mean((1, 2, 3)).sort()[0])


@pytest.mark.parametrize("change", [
    dict(norm="ghost"), dict(norm="none"), dict(norm="layer"), dict(dropout=0.4), dict(l1=0.1), dict(optimizer="adamw"),
])
def test_two_arms_start_from_the_same_convolutions(change):
    a, b = make(seed=5), make(seed=5, **change)
    for name, weight in a.model.named_parameters():
        if weight.ndim > 1:
            assert torch.equal(weight, b.model.get_parameter(name))
    assert not torch.equal(a.model.conv1.weight, make(seed=6).model.conv1.weight)


STEP = {
    "plain": dict(momentum=0.0),
    "momentum": dict(momentum=0.9),
    "nesterov": dict(momentum=0.9, nesterov=True),
    "decay": dict(momentum=0.9, nesterov=True, weight_decay=0.05),
    "decay of weights": dict(momentum=0.9, weight_decay=0.05, decay_scope="weights"),
    "adamw": dict(optimizer="adamw", learning_rate=0.003, weight_decay=0.5),
    "l1": dict(l1=0.01, nesterov=True),
    "l1 of weights": dict(l1=0.01, l1_scope="weights"),
    "proximal": dict(l1=0.01, l1_kind="proximal"),
    "proximal of weights with decay": dict(l1=0.01, l1_kind="proximal", l1_scope="weights", weight_decay=0.05),
    "frozen": dict(l1=0.01, weight_decay=0.05, norm="ghost", num_splits=4, freeze_gamma=True),
    "frozen and proximal": dict(l1=0.01, l1_kind="proximal", weight_decay=0.05, freeze_gamma=True),
    "adamw with l1": dict(optimizer="adamw", learning_rate=0.003, l1=0.01),
}


def by_hand(config: RunConfig, batches: list[Batch], rates: list[float]) -> nn.Module:
    """The same steps with nothing of the lab's but the network: SGD and AdamW spelled out, penalties as sums."""
    model = build_network(config).double()
    trained = [p for p in model.parameters() if p.requires_grad]
    first, second = ([torch.zeros_like(p) for p in trained] for _ in range(2))

    def acts(scope: str, p: nn.Parameter) -> bool:
        return scope == "all" or p.ndim > 1

    for number, (batch, rate) in enumerate(zip(batches, rates, strict=True), start=1):
        loss = F.cross_entropy(model(batch.images), batch.labels)
        if config.l1_kind == "subgradient":
            loss = loss + config.l1 * sum(p.abs().sum() for p in trained if acts(config.l1_scope, p))
        gradients = torch.autograd.grad(loss, trained)
        with torch.no_grad():
            for p, grad, m, v in zip(trained, gradients, first, second, strict=True):
                decay = config.weight_decay if acts(config.decay_scope, p) else 0.0
                if config.optimizer == "adamw":
                    p.mul_(1 - rate * decay)
                    m.mul_(0.9).add_(0.1 * grad)
                    v.mul_(0.999).add_(0.001 * grad**2)
                    p.sub_(rate * (m / (1 - 0.9**number)) / ((v / (1 - 0.999**number)).sqrt() + 1e-8))
                else:
                    coupled = grad + decay * p
                    m.mul_(config.momentum).add_(coupled)
                    p.sub_(rate * (coupled + config.momentum * m if config.nesterov else m))
                if config.l1_kind == "proximal" and acts(config.l1_scope, p):
                    lasting = rate / (1 - config.momentum) if config.optimizer == "sgd" else rate
                    p.copy_(p.sign() * (p.abs() - lasting * config.l1).clamp_min(0))
    return model


@pytest.mark.parametrize("name", STEP)
def test_steps_are_those_of_a_loop_written_by_hand(name):
    trainer = make(train_images=100, batch_size=50, **{"schedule": "one-cycle", "learning_rate": 0.02, **STEP[name]})
    trainer.model.double()  # so that what differs is a mistake and no rounding
    batches, rates, tally = [], [], Tally(CPU)
    for epoch in (1, 2):
        for batch in trainer.batches(epoch):
            batch = batch._replace(images=batch.images.double())
            batches.append(batch)
            rates.append(trainer.learning_rate())
            trainer.step(batch, tally)
    assert len(set(rates)) == 4
    expected = dict(by_hand(trainer.config, batches, rates).named_parameters())
    for parameter, value in trainer.model.named_parameters():
        torch.testing.assert_close(value, expected[parameter], rtol=1e-4, atol=1e-5)
    if "frozen" in name:
        assert (trainer.model.norm1.weight == 1).all()
    zeros = torch.cat([p.flatten() for p in trainer.model.parameters() if p.ndim > 1]) == 0
    assert zeros.any() == ("proximal" in name), "exact zeros come from the proximal step and from nothing else"


def test_the_average_is_the_one_of_a_loop_written_by_hand():
    trainer = make(ema_decay=0.6, batch_size=16, train_images=150)
    assert trainer.tested is trainer.averaged is not trainer.model
    expected = {name: value.clone() for name, value in copy.deepcopy(trainer.model).state_dict().items()}
    for number, batch in enumerate(trainer.batches(1)):
        trainer.step(batch, Tally(CPU))
        decay = min(0.6, (1 + number) / (10 + number))
        for name, value in trainer.model.state_dict().items():
            mean = expected[name]
            expected[name] = decay * mean + (1 - decay) * value if mean.is_floating_point() else value.clone()
    assert number == 9 and decay < 0.6, "all within the time in which the average is shorter than asked for"
    found = trainer.averaged.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    assert not torch.equal(found["conv1.weight"], trainer.model.conv1.weight)
    assert make(ema_decay=0.0).averaged is None


@pytest.mark.parametrize("scope", ["all", "weights"])
def test_the_average_keeps_the_zeros_of_the_proximal_step(scope):
    trainer = make(ema_decay=0.9, l1=0.05, l1_kind="proximal", l1_scope=scope)
    for batch in trainer.batches(1):
        trainer.step(batch, Tally(CPU))
    before = copy.deepcopy(trainer.averaged).state_dict()
    trainer.settle()
    names = {name for name, p in trainer.model.named_parameters() if scope == "all" or p.ndim == 4}
    hit = 0
    for name, found in trainer.averaged.state_dict().items():
        zero = (trainer.model.state_dict()[name] == 0) if name in names else torch.zeros_like(found, dtype=torch.bool)
        hit += zero.sum().item()
        assert torch.equal(found, before[name].masked_fill(zero, 0)), name
    assert hit > 100, "else nothing was tested"


@pytest.mark.parametrize("knobs", [dict(l1=0.05), dict(l1_kind="proximal"), {}])
def test_without_the_proximal_step_the_average_is_left_alone(knobs):
    trainer = make(ema_decay=0.9, **knobs)
    with torch.no_grad():
        trainer.model.conv1.weight.zero_()
    trainer.settle()
    assert trainer.averaged.conv1.weight.all()


def test_a_long_average_is_of_the_decay_asked_for():
    trainer = make(ema_decay=0.5)
    batch = next(iter(trainer.batches(1)))
    trainer.steps = 10_000
    before, latest = (module.conv1.weight.clone() for module in (trainer.averaged, trainer.model))
    trainer.step(batch, Tally(CPU))
    torch.testing.assert_close(trainer.averaged.conv1.weight, (before + trainer.model.conv1.weight) / 2)
    assert not torch.equal(latest, trainer.model.conv1.weight)


@pytest.mark.parametrize("tallied", [1, 2, 100])
def test_a_tally_sums_what_it_was_told(tallied, monkeypatch):
    monkeypatch.setattr(trainer_module, "TALLIED", tallied)
    tally = Tally(CPU)
    assert tally.read(torch.tensor(0.0)) == Counts(0, 0.0, 0.0, 0.0, 0.0)
    for loss, count, right, right_by_truth in ((2.0, 10, 3, 4), (0.5, 4, 1, 2), (1.0, 1, 0, 1)):
        logits = torch.eye(10)[torch.zeros(count, dtype=torch.long)]  # all answers are 0
        labels, truth = ((torch.arange(count) >= zeros).long() for zeros in (right, right_by_truth))
        tally.add(torch.tensor(loss), logits, Batch(torch.zeros(count, 1, 28, 28), labels, truth))
    assert tally.read(torch.tensor(0.25)) == Counts(15, 23.0, 4.0, 7.0, 0.25)
    assert tally.read(torch.tensor(0.5)) == Counts(15, 23.0, 4.0, 7.0, 0.5), "reading changes nothing"


def test_when_a_tally_is_read_changes_no_digit(monkeypatch):
    """Reports come by the clock, and two equal runs must have equal histories."""
    monkeypatch.setattr(trainer_module, "TALLIED", 4)
    generator = torch.Generator().manual_seed(0)
    losses = torch.rand(23, generator=generator)
    batch = Batch(torch.zeros(3, 1, 28, 28), *torch.zeros(2, 3, dtype=torch.long))
    found = set()
    for pause in (1, 2, 3, 5, 100):
        tally = Tally(CPU)
        for number, loss in enumerate(losses):
            tally.add(loss, torch.eye(10)[:3], batch)
            if number % pause == 0:
                tally.read(torch.tensor(0.0))
        found.add(tally.read(torch.tensor(0.0)))
    assert len(found) == 1


def test_a_step_counts_by_the_given_and_by_the_true_labels():
    trainer = make(label_noise=0.5)
    (batch,) = [batch for batch in trainer.batches(1) if len(batch.labels) == 4]
    with torch.no_grad():
        answers = copy.deepcopy(trainer.model)(batch.images).argmax(1)
    batch = batch._replace(labels=answers, true_labels=torch.where(torch.arange(4) < 1, answers, (answers + 1) % 10))
    tally = Tally(CPU)
    trainer.step(batch, tally)
    counts = tally.read(trainer.penalty())
    assert (counts.images, counts.correct, counts.correct_true) == (4, 4, 1)


@pytest.mark.parametrize(("knobs", "expected"), [
    (dict(l1=0.0), lambda network: 0.0),
    (dict(l1=0.5), lambda network: 0.5 * sum(p.abs().sum().item() for p in network.parameters())),
    (dict(l1=0.5, l1_scope="weights"),
     lambda network: 0.5 * sum(p.abs().sum().item() for p in network.parameters() if p.ndim > 1)),
])
def test_the_penalty_is_lambda_times_the_sum(knobs, expected):
    trainer = make(**knobs)
    assert trainer.penalty().item() == pytest.approx(expected(trainer.model), rel=1e-5)


def test_bfloat16_trains_weights_that_stay_float32(monkeypatch):
    config = RunConfig(train_images=100, batch_size=50, dropout=0.05, norm="ghost")
    trainer = Trainer(config, make_regime(config, load_sample()), CPU, "bfloat16")
    types = []
    forward = Block.forward
    monkeypatch.setattr(Block, "forward", lambda self, x, *rest: types.append(x.dtype) or forward(self, x, *rest))
    for batch in trainer.batches(1):
        trainer.step(batch, Tally(CPU))
    assert len(types) == 14 and set(types) == {torch.bfloat16}, "seven blocks, two steps"
    trainer.model.conv2.register_forward_hook(lambda *arguments: types.append(arguments[2].dtype))
    trainer.predict(trainer.images[:10])
    assert types[14:] == [torch.float32], "and evaluation is float32"
    assert {value.dtype for value in trainer.state().values()} == {torch.float32, torch.int64}
