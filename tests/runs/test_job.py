"""A job: its log, its stop flag, its record before its last event, and what it says when something breaks."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace
from types import SimpleNamespace

import fake_training as fake
import pytest
import torch

from mnist_lab import device
from mnist_lab.config import RunConfig
from mnist_lab.data.files import DataError
from mnist_lab.events import Epoch, Failed, Finished, Preparing, Started, Step, Stopped
from mnist_lab.runs.job import EventLog, Job, explain
from mnist_lab.runs.record import INTERRUPTED, RunError
from mnist_lab.runs.writer import RunWriter
from mnist_lab.training import TrainingFailed


def make_job(store, train=None, id="run-1", **options) -> Job:
    options = {"load_data": fake.load_data} | options
    return Job(store, id, fake.CONFIG, train=train or fake.make_train(), **options)


def run(job: Job) -> Job:
    job.start()
    assert job.join(30)
    return job


def failing(error: BaseException, epoch: int = 2):
    def on_step(at, step, should_stop):
        if at == epoch:
            raise error

    return fake.make_train(on_step=on_step)


def kinds(log: EventLog) -> list[str]:
    return [type(event).__name__ for event in log.since(0) if not isinstance(event, Step)]


def test_a_job_tells_everything_in_order_and_leaves_a_record(store):
    job = make_job(store, name="Mine", preset="fast", owner_hash="0f" * 32)
    assert (job.state, job.is_alive(), len(job.log)) == ("queued", False, 0)
    run(job)
    assert job.state == "finished"
    assert kinds(job.log) == ["Preparing", "Preparing", "Started", "Epoch", "Epoch", "Epoch", "Finished"]
    assert len([event for event in job.log.since(0) if isinstance(event, Step)]) == 12
    assert job.log.last() == Finished(summary={"parameters": 9920, "epochs": 3})
    record = store.load("run-1")
    assert (record.status, record.name, record.preset, record.owner_hash) == ("finished", "Mine", "fast", "0f" * 32)
    assert [Epoch(**line) for line in record.history] == [e for e in job.log.since(0) if isinstance(e, Epoch)]


@pytest.mark.parametrize("error", [None, ValueError("x")])
def test_whoever_sees_the_last_event_finds_the_record(store, error):
    found = []
    job = make_job(store, failing(error) if error else None)
    append = job.log.append

    def watch(event):
        if isinstance(event, Finished | Failed):
            found.append(store.load("run-1").status)
        append(event)

    job.log.append = watch
    run(job)
    assert found == ["failed" if error else "finished"]


def test_a_last_event_of_the_training_itself_is_not_told_twice(store):
    def train(config, data, emit, should_stop, **options):
        trained = fake.make_train()(config, data, emit, should_stop, **options)
        emit(Finished(summary=trained.summary))
        return trained

    assert kinds(run(make_job(store, train)).log).count("Finished") == 1


def test_a_stop_keeps_the_last_finished_epoch(store, gate):
    job = make_job(store, fake.make_train(on_step=gate))
    job.start()
    gate.wait()
    gate.let(1)
    gate.wait()
    assert job.state == "running"
    job.request_stop()
    assert job.stopping
    assert job.join(20)
    assert (job.state, type(job.log.last())) == ("stopped", Stopped)
    record = store.load("run-1")
    assert (record.status, record.epochs_done) == ("stopped", 1)
    assert record.weights()["weight"].item() == record.history[-1]["train_loss"]


@pytest.mark.parametrize("hurry", [False, True])
def test_a_stop_may_be_in_a_hurry(store, gate, hurry):
    told = []
    job = make_job(store, fake.noting_hurry(fake.make_train(on_step=gate), told))
    job.start()
    gate.wait()
    job.request_stop(in_a_hurry=hurry)
    assert job.join(20) and told == [hurry]


@pytest.mark.parametrize(("threads", "used"), [(1, 1), (3, 3), (64, 4), (None, 2)])
def test_a_run_that_goes_on_computes_with_the_threads_it_began_with(store, monkeypatch, threads, used):
    """With others the sums are taken in another order, and it would not end with the same weights."""
    monkeypatch.setattr(device, "THREADS", 4)
    before, seen = torch.get_num_threads(), []

    def train(config, *rest, **options):
        seen.append(torch.get_num_threads())
        return fake.make_train()(config, *rest, **options)

    writer = RunWriter.create(store.root, "run-1", fake.CONFIG)
    fake.make_train()(
        fake.CONFIG.replace(epochs=1), fake.DATA,
        lambda event: writer.started(replace(event, threads=threads)) if isinstance(event, Started) else None,
        lambda: False, on_checkpoint=writer.checkpoint,
    )
    writer.close()
    try:
        job = run(make_job(store, train, resume=True, abreast=2))
    finally:
        torch.set_num_threads(before)
    assert job.state == "finished" and seen == [used]


def test_a_stop_ends_a_download_and_leaves_a_record(store):
    waiting = threading.Event()

    def load_data(progress):
        while True:
            progress("Downloading", 0.1)
            waiting.set()

    job = make_job(store, load_data=load_data)
    job.start()
    assert waiting.wait(20)
    job.request_stop()
    assert job.join(20)
    assert (job.state, store.load("run-1").status) == ("stopped", "stopped")


def test_progress_is_logged_in_hundredths_not_in_blocks(store):
    def load_data(progress):
        for block in range(10_000):
            progress("Downloading", block / 10_000)
        progress("Checking", None)
        progress("Checking", None)
        return fake.DATA

    job = run(make_job(store, load_data=load_data))
    told = [event for event in job.log.since(0) if isinstance(event, Preparing)]
    assert 90 <= len(told) <= 103
    assert told[-1] == Preparing(message="Checking")
    assert told[-2].message == "Downloading"


def test_an_exception_becomes_a_failed_event_and_a_failed_record(store):
    job = run(make_job(store, failing(ZeroDivisionError("division by zero"))))
    last = job.log.last()
    assert (job.state, type(last)) == ("failed", Failed)
    assert "ZeroDivisionError" in last.message
    assert "in on_step" in last.traceback
    record = store.load("run-1")
    assert record.error == {"message": last.message, "traceback": last.traceback}
    assert [line["epoch"] for line in record.history] == [1]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_not_even_an_exit_goes_unrecorded(store, error):
    job = run(make_job(store, failing(error)))
    assert (job.state, store.load("run-1").status) == ("failed", "failed")
    assert type(error).__name__ in job.log.last().message


def test_a_run_without_data_fails_with_the_advice_of_the_data(store):
    def load_data(progress):
        raise DataError("The bundled sample is damaged. Clone the repository again.")

    job = run(make_job(store, load_data=load_data))
    assert job.log.last().message == "The bundled sample is damaged. Clone the repository again."
    assert store.load("run-1").status == "failed"


def test_a_disk_that_is_full_is_told_even_if_the_record_cannot_be(store, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def on_step(epoch, step, should_stop):
        if epoch == 2:
            monkeypatch.setattr("mnist_lab.runs.writer.write_atomically", full)

    job = run(make_job(store, fake.make_train(on_step=on_step)))
    assert job.state == "failed"
    assert "disk is full" in job.log.last().message
    assert "could not be written" in job.log.last().message
    assert store.load("run-1").status == INTERRUPTED


def test_a_runs_folder_that_cannot_be_made_fails_the_job(store):
    store.root.parent.mkdir(exist_ok=True)
    store.root.write_text("a file, where the folder should be")
    job = run(make_job(store))
    assert job.state == "failed"
    assert "could not be read or written" in job.log.last().message


def test_a_resumed_job_tells_the_earlier_epochs_too(store):
    class Killed(BaseException):
        pass

    whole = store.load(run(make_job(store, id="whole")).id)
    begin_and_die(store, "run-1", epochs=2)
    job = run(make_job(store, resume=True))
    assert kinds(job.log) == ["Preparing", "Preparing", "Started", "Epoch", "Epoch", "Epoch", "Finished"]
    started = next(event for event in job.log.since(0) if isinstance(event, Started))
    assert started.first_epoch == 3
    record = store.load("run-1")
    assert record.history == whole.history
    assert record.weights()["weight"] == whole.weights()["weight"]


def begin_and_die(store, id, epochs, **data):
    """What a process leaves that is killed in epoch `epochs` + 1."""
    writer = RunWriter.create(store.root, id, fake.CONFIG)

    class Killed(Exception):
        pass

    def on_step(epoch, step, should_stop):
        if epoch > epochs:
            raise Killed

    def emit(event):
        if isinstance(event, Started):
            writer.started(event)
        if isinstance(event, Epoch):
            writer.epoch(event)

    with pytest.raises(Killed):
        fake.make_train(on_step=on_step)(
            fake.CONFIG, fake.DATA, emit, lambda: False, on_checkpoint=writer.checkpoint
        )
    writer.close()


def test_a_run_is_not_resumed_on_other_images(store):
    begin_and_die(store, "run-1", epochs=1)
    other = SimpleNamespace(**vars(fake.DATA) | {"checksum": "cd" * 32, "source": "folder"})
    job = run(make_job(store, resume=True, load_data=lambda progress: other))
    assert job.state == "failed"
    assert "began on other images (sample)" in job.log.last().message


def test_a_thread_that_died_without_a_word_counts_as_failed(store, monkeypatch):
    monkeypatch.setattr(Job, "_run", lambda self: None)
    job = make_job(store)
    job.start()
    job._thread.join()
    assert (job.is_alive(), job.state) == (False, "failed")


class OutOfMemoryError(RuntimeError):
    """Named as torch.OutOfMemoryError is."""


def raised_in_the_lab() -> ValueError:
    try:
        RunConfig(dropout=3.0)
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TrainingFailed("The loss is not a number any more."), "The loss is not a number any more."),
        (RunError("There is no run."), "There is no run."),
        (raised_in_the_lab(), "Dropout must be between"),
        (OutOfMemoryError("CUDA out of memory."), "smaller batch"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "smaller batch"),
        (MemoryError(), "smaller batch"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/run.json"), "Permission denied (/x/run.json)"),
        (ModuleNotFoundError("No module named 'scipy'"), "pip install -r requirements.txt"),
        (ValueError("mat1 and mat2"), "did not expect: ValueError: mat1 and mat2"),
    ],
)
def test_a_failure_is_explained_to_a_student(error, words):
    assert words in explain(error)


def test_a_log_loses_nothing_between_many_writers_and_readers():
    log, writers, each = EventLog(), 8, 500
    seen = [[] for _ in range(4)]

    def write(number):
        for count in range(each):
            log.append(Preparing(message=str(number), fraction=float(count)))

    def read(mine):
        while len(mine) < writers * each:
            mine.extend(log.since(len(mine)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    threads += [threading.Thread(target=read, args=(mine,), daemon=True) for mine in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(mine == log.since(0) for mine in seen)
    for number in range(writers):
        assert [e.fraction for e in log.since(0) if e.message == str(number)] == list(range(each))


def test_a_log_read_from_anywhere_hands_out_copies():
    log = EventLog()
    assert (log.last(), log.since(0), len(log)) == (None, [], 0)
    events = [Preparing(message=str(number)) for number in range(3)]
    for event in events:
        log.append(event)
    assert log.since(1) == events[1:]
    assert log.since(7) == []
    assert log.since(-2) == events
    log.since(0).clear()
    assert len(log) == 3
