"""Who may put which run in line, with which seed; what holds for all, for one browser, and not for the teacher."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from records import CONFIG, finished

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

import fake_training as fake

from mnist_lab.classroom.limits import Limits
from mnist_lab.classroom.room import SEEDS, TRUST_HOURS, Classroom, own_seed
from mnist_lab.classroom.text import estimate, group_seconds, line_text, wait_text
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunError

ONE, OTHER, TEACHER = "0f" * 32, "a1" * 32, "77" * 32
SMALL = CONFIG.replace(train_images=100)


@pytest.fixture
def gate():
    made = fake.Gate()
    yield made
    made.open()


@pytest.fixture
def open_class(store, gate):
    """`open_class(epochs=3, ...)` -> a room and its queue, whose training waits."""
    queues = []

    def make(**limits):
        room = Classroom(store, Limits(**limits))
        queues.append(RunQueue(
            store, 1, train=fake.make_train(on_step=gate), load_data=fake.load_data, admit=room.admit,
        ))
        return room, queues[-1]

    yield make
    gate.open()
    for queue in queues:
        queue.shutdown(timeout=10)


def test_one_browser_and_all_together_have_their_places_in_line(open_class, gate):
    room, queue = open_class(queue=3, queue_each=2)
    queue.submit(SMALL, owner=ONE)
    queue.submit(SMALL, owner=ONE)
    with pytest.raises(RunError, match="One browser may have 2 runs under way or in line"):
        queue.submit(SMALL, owner=ONE)
    queue.submit(SMALL, owner=OTHER)
    with pytest.raises(RunError, match="The line is full: 3 runs"):
        queue.submit(SMALL, owner="bb" * 32)
    assert len(queue.jobs()) == 3
    queue.stop(queue.jobs()[-1].id)
    queue.submit(SMALL, owner=OTHER)


def test_a_run_that_is_too_much_never_gets_in_line(open_class):
    _, queue = open_class(epochs=3, images=100)
    for config in (SMALL.replace(epochs=4), SMALL.replace(train_images="all"), SMALL.replace(train_images=101)):
        with pytest.raises(RunError, match="In this class a run has at most"):
            queue.submit(config, owner=ONE)
    assert queue.jobs() == []


def test_runs_on_disk_are_counted_and_one_that_goes_on_is_not_a_new_one(open_class, store):
    for seed in range(2):
        finished(store, owner=ONE, config=SMALL.replace(seed=seed))
    finished(store, owner=None, config=SMALL)  # from the command line: nobody's
    room, queue = open_class(runs=3, runs_each=2)
    with pytest.raises(RunError, match="You have 2 runs on this server"):
        queue.submit(SMALL, owner=ONE)
    job = queue.submit(SMALL, owner=OTHER)
    with pytest.raises(RunError, match="The class has 3 runs on this server"):
        queue.submit(SMALL, owner=OTHER)
    room.admit(job, [])  # it is on disk by now, or in line: no run more than before


def test_the_task_holds_for_every_way_to_start_a_run_and_outlives_a_restart(open_class, store):
    room, queue = open_class()
    room.set_task({"norm": "ghost"})
    for config in (SMALL, SMALL.replace(norm="layer")):
        with pytest.raises(RunError, match="Your teacher has locked"):
            queue.submit(config, owner=ONE)
    queue.submit(SMALL.replace(norm="ghost"), owner=ONE)
    assert Classroom(store, Limits()).task == {"norm": "ghost"}
    room.set_task({})
    queue.submit(SMALL, owner=OTHER)
    assert Classroom(store, Limits()).task == {}


def test_nothing_holds_for_the_teacher_until_the_logout(open_class):
    room, queue = open_class(queue=1, queue_each=1, runs=1, runs_each=1, epochs=1, images=100)
    room.set_task({"norm": "ghost"})
    room.trust(TEACHER)
    for _ in range(3):
        queue.submit(CONFIG, owner=TEACHER)
    assert not room.is_trusted(ONE) and not room.is_trusted(None)
    room.distrust(TEACHER)
    with pytest.raises(RunError):
        queue.submit(CONFIG, owner=TEACHER)


def test_a_teacher_is_logged_out_after_some_hours(store):
    now = [100.0]
    room = Classroom(store, Limits(), clock=lambda: now[0])
    room.trust(TEACHER)
    now[0] += TRUST_HOURS * 3600 - 1
    assert room.is_trusted(TEACHER)
    now[0] += 1
    assert not room.is_trusted(TEACHER)
    room.trust(TEACHER)
    assert room.is_trusted(TEACHER) and not room.is_trusted(ONE)


def test_each_browser_has_a_seed_and_each_of_its_runs_another(open_class, store):
    room, queue = open_class()
    first = room.seed_for(SMALL, ONE, [])
    assert first == own_seed(ONE) != own_seed(OTHER) and 1 <= first <= SEEDS
    assert room.seed_for(SMALL.replace(l1=1e-3), ONE, []) == first, "two settings of one browser are a fair pair"
    finished(store, config=SMALL.replace(seed=first), owner=ONE)
    second = room.seed_for(SMALL, ONE, [])
    job = queue.submit(SMALL.replace(seed=second), owner=ONE)
    third = room.seed_for(SMALL, ONE, queue.jobs())
    assert len({first, second, third}) == 3 and {one % 10_000 for one in (first, second, third)} == {first}
    assert job.config.seed == second


def test_browsers_whose_seeds_are_the_same_get_different_ones(store):
    room = Classroom(store, Limits())
    twin = ONE[:12] + "3" * 52
    finished(store, config=SMALL.replace(seed=own_seed(ONE)), owner=ONE)
    assert own_seed(twin) == own_seed(ONE) and room.seed_for(SMALL, twin, []) != own_seed(ONE)


def test_a_wait_is_known_only_if_all_before_it_are():
    assert estimate([], 1) == 0 and estimate([3.0, 4.0], 1) == 7.0 and estimate([3.0, 4.0], 2) == 3.5
    assert estimate([3.0, None], 1) is None
    assert group_seconds([10.0, 12.0], [], 6) == 12.0, "side by side they do not wait for each other"
    assert group_seconds([], [10.0] * 6, 6) == 10.0 and group_seconds([4.0], [10.0] * 6, 3) == 24.0
    assert group_seconds([4.0], [None], 1) is None and group_seconds([None], [], 1) is None
    assert "number 4 in line" in wait_text(4, 70.0, "1 min 10 s") and "an estimate" in wait_text(4, 70.0, "1 min 10 s")
    assert "not known" in wait_text(1, None, "") and "next in line" in wait_text(1, None, "")
    assert "begins at once" in line_text(0) and line_text(1).startswith("1 run of the class is")
