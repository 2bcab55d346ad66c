"""The queue: first come, first served, a bounded number at once; stop, resume, shutdown."""

from __future__ import annotations

import threading

import fake_training as fake
import pytest
import torch

from mnist_lab import device
from mnist_lab.config import RunConfig
from mnist_lab.events import Stopped
from mnist_lab.presets import PRESETS
from mnist_lab.runs import queue as queue_module
from mnist_lab.runs.queue import default_workers
from mnist_lab.runs.record import INTERRUPTED, RunError
from mnist_lab.runs.writer import RunWriter

OWNER, OTHER = "0f" * 32, "a1" * 32


def test_runs_go_one_after_the_other_in_the_order_they_came(make_queue, gate):
    queue = make_queue(fake.make_train(on_step=gate))
    jobs = [queue.submit(fake.CONFIG, name=f"run {number}") for number in range(3)]
    gate.wait()
    assert [queue.position(job) for job in jobs] == [0, 1, 2]
    assert [job.state for job in jobs] == ["running", "queued", "queued"]
    assert queue.jobs() == jobs
    gate.let(3)
    assert jobs[0].join(20)
    assert [queue.position(job) for job in jobs] == [0, 0, 1]
    gate.open()
    assert all(job.join(20) for job in jobs)
    assert queue.jobs() == []
    ended = sorted(queue.store.list(), key=lambda run: run.timings["ended"])
    assert [run.name for run in ended] == ["run 0", "run 1", "run 2"]


def test_never_more_runs_at_once_than_workers(make_queue):
    lock, now, most = threading.Lock(), [0], [0]

    def on_step(epoch, step, should_stop):
        if (epoch, step) == (1, 1):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
        if (epoch, step) == (3, 4):
            with lock:
                now[0] -= 1

    queue = make_queue(fake.make_train(on_step=on_step, pause=0.002), workers=2)
    jobs = []

    def submit():
        jobs.extend(queue.submit(fake.CONFIG) for _ in range(3))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(job.join(60) for job in jobs)
    assert most == [2]
    assert len({job.id for job in jobs}) == 12
    assert [run.status for run in queue.store.list()] == ["finished"] * 12


def test_workers_are_one_or_as_the_setting_says(monkeypatch, store):
    monkeypatch.delenv("MNIST_LAB_WORKERS", raising=False)
    assert default_workers() == 1
    monkeypatch.setenv("MNIST_LAB_WORKERS", "3")
    assert default_workers() == 3
    for bad in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("MNIST_LAB_WORKERS", bad)
        with pytest.raises(RunError, match="MNIST_LAB_WORKERS must be a whole number"):
            default_workers()


def test_a_run_gets_its_preset_by_its_settings(make_queue):
    queue = make_queue()
    config = PRESETS["noisy-1000"].config.replace(seed=7)
    job = queue.submit(config)
    assert "-noisy-1000-" in job.id
    other = queue.submit(config.replace(dropout=0.2), name="  Mine \n", owner=OWNER)
    assert job.join(20)
    assert other.join(20)
    assert queue.store.load(job.id).preset == "noisy-1000"
    record = queue.store.load(other.id)
    assert (record.preset, record.name, record.owner_hash) == (None, "Mine", OWNER)


def test_a_run_stopped_in_line_leaves_the_line_and_no_record(make_queue, gate):
    queue = make_queue(fake.make_train(on_step=gate))
    first, second, third = (queue.submit(fake.CONFIG) for _ in range(3))
    gate.wait()
    assert queue.stop(second.id)
    assert (second.state, second.log.since(0)) == ("stopped", [Stopped(summary={})])
    assert second.join(0)
    assert queue.job(second.id) is second
    assert queue.position(third) == 1
    gate.open()
    assert first.join(20)
    assert third.join(20)
    assert {run.id for run in queue.store.list()} == {first.id, third.id}
    assert not queue.stop(second.id)
    assert not queue.stop("absent")


def test_stopping_the_running_one_lets_the_next_begin(make_queue, gate):
    queue = make_queue(fake.make_train(on_step=gate))
    first, second = queue.submit(fake.CONFIG), queue.submit(fake.CONFIG)
    gate.wait()
    assert queue.stop(first.id)
    assert first.join(20)
    gate.wait()
    assert (first.state, second.state) == ("stopped", "running")
    assert queue.store.load(first.id).status == "stopped"


def test_the_log_of_an_ended_run_stays_and_the_oldest_go(make_queue, monkeypatch):
    monkeypatch.setattr(queue_module, "KEPT_JOBS", 3)
    queue = make_queue(fake.make_train(steps=1))
    jobs = [queue.submit(fake.CONFIG) for _ in range(5)]
    assert all(job.join(30) for job in jobs)
    assert [queue.job(job.id) is job for job in jobs] == [False, False, True, True, True]
    assert queue.job(jobs[0].id) is None
    assert queue.store.load(jobs[0].id).epochs_done == 3


def test_a_failed_run_does_not_hold_up_the_line(make_queue):
    def on_step(epoch, step, should_stop):
        raise SystemExit

    queue = make_queue(fake.make_train(on_step=on_step))
    jobs = [queue.submit(fake.CONFIG) for _ in range(3)]
    assert all(job.join(20) for job in jobs)
    assert [job.state for job in jobs] == ["failed"] * 3


def test_only_the_browser_that_asked_may_stop_a_run_in_line_or_at_work(make_queue, gate):
    queue = make_queue(fake.make_train(on_step=gate))
    at_work, in_line = queue.submit(fake.CONFIG, owner=OWNER), queue.submit(fake.CONFIG, owner=OWNER)
    gate.wait()
    for job in (at_work, in_line):
        assert queue.may_change(job.id, OWNER)
        assert not queue.may_change(job.id, OTHER)
        assert not queue.may_change(job.id, None)
    gate.open()
    assert in_line.join(20)
    assert queue.may_change(at_work.id, OWNER)
    queue._kept.clear()
    assert queue.may_change(at_work.id, OWNER)
    assert not queue.may_change(at_work.id, OTHER)


def test_a_token_instead_of_its_hash_is_refused(make_queue):
    with pytest.raises(ValueError, match="never stored"):
        make_queue().submit(fake.CONFIG, owner="my secret token")


def interrupted(store, id="run-1", epochs=1, **options):
    writer = RunWriter.create(store.root, id, fake.CONFIG, **options)
    writer.started(fake.started_event())
    writer.close()


def test_an_interrupted_run_goes_on_under_its_own_name_and_owner(make_queue, store):
    interrupted(store, name="Mine", preset="fast", owner_hash=OWNER)
    queue = make_queue()
    job = queue.submit(resume_id="run-1")
    assert (job.id, job.config, job.owner_hash) == ("run-1", fake.CONFIG, OWNER)
    assert job.join(20)
    record = store.load("run-1")
    assert (record.status, record.name, record.preset, record.owner_hash) == ("finished", "Mine", "fast", OWNER)


def test_a_run_is_not_resumed_twice(make_queue, store, gate, monkeypatch):
    interrupted(store)
    queue = make_queue(fake.make_train(on_step=gate))
    blocker = queue.submit(fake.CONFIG)
    queue.submit(fake.CONFIG, resume_id="run-1")
    with pytest.raises(RunError, match="already running or waiting"):
        queue.submit(resume_id="run-1")

    asked, go_on, resume = threading.Event(), threading.Event(), RunWriter.resume

    def slowly(root, id):
        asked.set()
        assert go_on.wait(20)
        return resume(root, id)

    monkeypatch.setattr(RunWriter, "resume", slowly)
    gate.open()
    assert asked.wait(20)
    assert blocker.state == "finished"
    with pytest.raises(RunError, match="already running or waiting"):
        queue.submit(resume_id="run-1")  # at work, and on disk still interrupted
    go_on.set()
    assert queue.job("run-1").join(20)
    with pytest.raises(RunError, match="is finished, not interrupted"):
        queue.submit(resume_id="run-1")


def test_two_queues_do_not_resume_one_run_at_once(make_queue, store, gate):
    interrupted(store)
    first, second = make_queue(fake.make_train(on_step=gate)), make_queue()
    waiting = first.submit(fake.CONFIG)
    gate.wait()
    late = first.submit(resume_id="run-1")
    job = second.submit(resume_id="run-1")
    assert job.join(20)
    gate.open()
    assert waiting.join(20)
    assert late.join(20)
    assert late.state == "failed"
    assert "no interrupted run" in late.log.last().message
    assert store.load("run-1").status == "finished"


def test_a_run_is_resumed_as_it_is_or_not_at_all(make_queue, store):
    interrupted(store)
    queue = make_queue()
    with pytest.raises(RunError, match="other settings"):
        queue.submit(RunConfig(seed=9), resume_id="run-1")
    with pytest.raises(RunError, match="no run absent"):
        queue.submit(resume_id="absent")
    with pytest.raises(ValueError, match="needs its settings"):
        queue.submit()


def test_a_resumption_stopped_in_line_stays_interrupted(make_queue, store, gate):
    interrupted(store)
    queue = make_queue(fake.make_train(on_step=gate))
    queue.submit(fake.CONFIG)
    gate.wait()
    queue.submit(resume_id="run-1")
    assert queue.stop("run-1")
    assert store.load("run-1").status == INTERRUPTED
    assert queue.submit(resume_id="run-1").state == "queued"


def test_shutdown_stops_what_runs_empties_the_line_and_takes_no_more(make_queue, gate):
    queue = make_queue(fake.make_train(on_step=gate))
    at_work, in_line = queue.submit(fake.CONFIG), queue.submit(fake.CONFIG)
    gate.wait()
    gate.let(1)
    gate.wait()
    assert queue.shutdown(timeout=20)
    assert (at_work.state, in_line.state) == ("stopped", "stopped")
    assert [(run.id, run.epochs_done) for run in queue.store.list()] == [(at_work.id, 1)]
    with pytest.raises(RunError, match="shutting down"):
        queue.submit(fake.CONFIG)
    assert queue.shutdown()


@pytest.mark.parametrize(("workers", "abreast", "threads"), [(1, 1, 6), (2, 1, 3), (2, 3, 1), (8, 1, 1)])
def test_runs_that_go_at_once_share_the_threads(make_queue, monkeypatch, workers, abreast, threads):
    monkeypatch.setattr(device, "THREADS", 6)
    before, seen = torch.get_num_threads(), []

    def train(config, *rest, **options):
        seen.append(torch.get_num_threads())
        return fake.make_train()(config, *rest, **options)

    try:
        assert make_queue(train, workers).submit(fake.CONFIG, abreast=abreast).join(60)
    finally:
        torch.set_num_threads(before)
    assert seen == [threads]


def test_a_group_is_put_in_line_as_a_whole_or_not_at_all(store, make_queue, gate):
    def admit(job, others):
        if len(others) == 3:
            raise RunError("The line is full.")

    queue = make_queue(fake.make_train(on_step=gate), admit=admit)
    runs = [(fake.CONFIG.replace(seed=seed), f"Seed {seed}") for seed in range(3)]
    with pytest.raises(RunError, match="full"):
        queue.submit_group([*runs, (fake.CONFIG.replace(seed=3), "Too much")], group="g", abreast=2)
    assert queue.jobs() == [] and store.list() == []
    jobs = queue.submit_group(runs, group="g", abreast=2, owner=OWNER)
    assert [job.name for job in jobs] == ["Seed 0", "Seed 1", "Seed 2"] and len({job.id for job in jobs}) == 3
    assert {(job.group, job.abreast, job.owner_hash) for job in jobs} == {("g", 2, OWNER)}
    assert [queue.position(job) for job in jobs] == [0, 0, 1], "two of them at once"
    gate.open()
    assert all(job.join(20) for job in jobs)


def test_shutdown_is_in_a_hurry_and_stop_if_told_so(make_queue, gate):
    told = []
    queue = make_queue(fake.noting_hurry(fake.make_train(on_step=gate), told))
    job = queue.submit(fake.CONFIG)
    gate.wait()
    assert queue.stop(job.id) and job.join(20)
    job = queue.submit(fake.CONFIG)
    gate.wait()
    assert queue.stop(job.id, in_a_hurry=True) and job.join(20)
    queue.submit(fake.CONFIG)
    gate.wait()
    assert queue.shutdown(timeout=20) and told == [False, True, True]


def test_shutdown_does_not_wait_for_a_run_that_does_not_listen(make_queue):
    inside, release = threading.Event(), threading.Event()

    def on_step(epoch, step, should_stop):
        inside.set()
        release.wait(30)

    queue = make_queue(fake.make_train(on_step=on_step))
    job = queue.submit(fake.CONFIG)
    assert inside.wait(20)
    assert not queue.shutdown(timeout=0.05)
    assert job.state == "running"
    release.set()
    assert job.join(20)


def test_many_threads_may_submit_read_and_stop_at_once(make_queue):
    queue = make_queue(fake.make_train(steps=1), workers=3)
    errors, ids = [], []

    def use(number):
        try:
            for _ in range(4):
                job = queue.submit(fake.CONFIG)
                ids.append(job.id)
                if number % 2:
                    queue.stop(job.id)
                while not job.join(0.001):
                    assert queue.position(job) >= 0
                    assert queue.job(job.id) is job
                    assert job.state in ("queued", "running", "stopped", "finished")
                    job.log.since(0)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(set(ids)) == 24
    assert {queue.job(id).state for id in ids} <= {"finished", "stopped"}
    assert queue.jobs() == []
