"""Folding events into what the page shows: each event once, points thinned, one model for all browsers."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.events import Epoch, Failed, Finished, Preparing, Started, Step, Stopped
from mnist_lab.runs.job import EventLog
from mnist_lab.ui import run_model
from mnist_lab.ui.run_model import Points, RunModel, look, progress_of

STARTED = Started(
    device="cpu", precision="float32", threads=2, parameters=9920, trainable_parameters=9920, epochs=4,
    steps_per_epoch=10, first_epoch=1, data={},
)


def step(number: int, loss: float = 1.0, rate: float = 0.1) -> Step:
    return Step(
        epoch=number // 10 + 1, step=number % 10, progress=number / 10, loss=loss, penalty=0.0, learning_rate=rate,
        images_per_second=1000.0, seconds_left=3.0,
    )


def epoch(number: int) -> Epoch:
    return Epoch(
        epoch=number, train_loss=1.0, penalty=0.0, train_accuracy=90.0, train_accuracy_true=90.0, eval_loss=0.5,
        eval_accuracy=91.0, eval_name="test", learning_rate=0.1, weight_norm=10.0, small_weights=0.0, zero_weights=0.0,
        images_per_second=1000.0, seconds=float(number), histograms={"conv1": {"edges": [0, 1], "counts": [1]}},
    )


def test_nothing_has_happened():
    progress = progress_of([])
    assert progress.fraction == 0 and progress.epochs_done == 0 and progress.history == ()


def test_preparing_counts_until_the_start():
    events = [Preparing(message="Downloading", fraction=0.4)]
    assert progress_of(events).fraction == 0.4
    assert progress_of([Preparing(message="Loading")]).fraction == 0
    assert progress_of([*events, STARTED]).fraction == 0


def test_everything_is_kept_where_it_belongs():
    progress = progress_of([Preparing(message="Loading"), STARTED, step(4), epoch(1), step(14), step(15)])
    assert progress.started is STARTED and progress.step == step(15) and progress.last is None
    assert [line["epoch"] for line in progress.history] == [1]
    assert progress.history[0]["histograms"] == {"conv1": {"edges": [0, 1], "counts": [1]}}
    assert [point["epoch"] for point in progress.points] == [0.4, 1.4, 1.5]
    assert progress.epochs_done == 1.5 and progress.fraction == 1.5 / 4


def test_an_epoch_is_done_before_the_next_step_says_so():
    assert progress_of([STARTED, step(9), epoch(1)]).epochs_done == 1


@pytest.mark.parametrize("last", [Finished(summary={}), Stopped(summary={}), Failed(message="no")])
def test_the_last_event(last):
    assert progress_of([STARTED, epoch(1), last]).last is last


UNTESTED = dict(eval_loss=None, eval_accuracy=None)
SUMMARY = dict(test_loss=0.7, test_accuracy=30.03)


def test_a_run_stopped_between_tests_has_the_test_of_its_end():
    first, last = epoch(1), replace(epoch(2), **UNTESTED)
    before = progress_of([STARTED, first, last])
    after = progress_of([STARTED, first, last, Stopped(summary=SUMMARY)])
    assert after.history == (vars(first), vars(last) | dict(eval_loss=0.7, eval_accuracy=30.03))
    assert before.history[-1]["eval_accuracy"] is None and last.eval_accuracy is None


@pytest.mark.parametrize(
    ("last", "end"),
    [
        (epoch(1), Stopped(summary=SUMMARY)),  # it has its test
        (replace(epoch(1), **UNTESTED, eval_name="validation"), Stopped(summary=SUMMARY)),  # of another set
        (replace(epoch(1), **UNTESTED), Stopped(summary=dict(test_loss=None, test_accuracy=None))),  # in a hurry
        (replace(epoch(1), **UNTESTED), Stopped(summary={})),
        (replace(epoch(1), **UNTESTED), Failed(message="no")),
    ],
)
def test_other_ends_leave_the_last_line_as_it_is(last, end):
    assert progress_of([STARTED, last, end]).history == (vars(last),)


def test_a_run_without_an_epoch_may_end():
    assert progress_of([STARTED, Stopped(summary=SUMMARY)]).history == ()


@given(st.lists(st.floats(-100, 100), max_size=300), st.sampled_from([2, 8, 10]))
def test_points_are_means_of_equal_groups(losses, limit):
    points = Points(limit)
    for number, loss in enumerate(losses):
        points.add(step(number, loss, -loss))
    rows = points.rows()
    assert len(rows) <= limit
    size = 1
    while len(losses) > size * limit:
        size *= 2
    groups = [losses[start:start + size] for start in range(0, len(losses), size)]
    assert [row["loss"] for row in rows] == pytest.approx([sum(group) / len(group) for group in groups])
    assert [row["learning_rate"] for row in rows] == pytest.approx([-row["loss"] for row in rows])
    ends = [min(start + size, len(losses)) - 1 for start in range(0, len(losses), size)]
    assert [row["epoch"] for row in rows] == [end / 10 for end in ends]


@given(st.data())
def test_in_pieces_it_comes_to_the_same(data):
    events = [STARTED, *(step(number) if number % 10 else epoch(number // 10 + 1) for number in range(1, 40))]
    model = RunModel()
    while model.seen < len(events):
        model.add(events[model.seen:model.seen + data.draw(st.integers(1, 9))])
    assert vars(model.progress()) == vars(progress_of(events))


def test_a_look_reads_only_what_is_new():
    asked = []

    class Log(EventLog):
        def since(self, start):
            asked.append(start)
            return super().since(start)

    log = Log()
    for event in (STARTED, step(1)):
        log.append(event)
    first, again = look(log), look(log)
    log.append(epoch(1))
    assert first is again and asked == [0, 2]
    assert len(look(log).history) == 1 and asked == [0, 2, 2]
    assert first.history == ()  # a moment that is kept does not change


def test_logs_are_told_apart_and_let_go_of():
    one, other = EventLog(), EventLog()
    one.append(STARTED)
    assert look(one).started is STARTED and look(other).started is None
    before = len(run_model._models)
    del one, other
    assert len(run_model._models) == before - 2


def test_many_browsers_look_at_once():
    log, seen = EventLog(), []
    log.append(STARTED)

    def watch():
        moments = [0.0]
        while moments[-1] < 29.9:
            moments.append(look(log).epochs_done)
        seen.append(moments == sorted(moments))  # nobody is shown an earlier moment after a later one

    threads = [threading.Thread(target=watch, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(1, 300):
        log.append(step(number))
    for thread in threads:
        thread.join(30)
    assert seen == [True] * 8
    assert look(log).step == step(299)
    assert vars(look(log)) == vars(progress_of(log.since(0)))
